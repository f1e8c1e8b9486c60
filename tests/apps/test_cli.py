"""The command line as a user meets it: in its own process, by its exit codes and its one-line errors."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HILUM = [sys.executable, "-c", "from hilum.apps.cli import main; main()"]


def hilum(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HILUM, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
        timeout=300,
    )


def test_help_names_every_command_and_every_exit_code() -> None:
    done = hilum("--help")
    assert done.returncode == 0
    for command in ("study", "data", "recipes", "train", "explain", "localize", "score", "report"):
        assert command in done.stdout
    assert "4 bad data" in done.stdout
    assert "not for diagnosis" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["stdy"], 2, 'Did you mean "study"'),
        (["study", "small"], 2, "--data"),
        (["study", "smal", "--data", ".", "--out", "x"], 2, "did you mean 'small'"),
        (["study", "small", "--data", ".", "--out", "x", "--set", "epochs"], 2, "section.key=value"),
        (
            ["study", "small", "--data", ".", "--out", "x", "--set", "training.epocs=1"],
            2,
            "did you mean 'epochs'",
        ),
        (["study", "small", "--data", "nowhere", "--out", "x"], 4, "no such folder"),
        (["data", "check", "nowhere"], 4, "no such folder"),
        (["data", "check", ".", "--dataset", "chestxray"], 2, "did you mean 'chestxray14'"),
        (["data", "store", ".", "--dataset", "rsna(maybe)"], 2, "not_normal is one of drop, keep"),
        (["study", "small", "--data", ".", "--out", "x", "--set", "training.crop_area=[0,1]"], 2, "0 < low"),
        (["score", "nowhere"], 1, "not a run folder"),
        (["data", "phantom", "x", "--films", "0"], 2, "at least 1 film"),
        (["explain", "nowhere", "--findings", "some"], 2, "'boxed' or 'all'"),
    ],
)
def test_mistakes_get_one_line_and_an_exit_code(
    arguments: list[str], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = hilum(*arguments)
    assert done.returncode == code, done.stderr
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr + done.stdout
    assert not list(tmp_path.iterdir())


def test_chexnet_without_weights_stops_before_any_work(phantoms: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    done = hilum(
        "study", "chexnet", "--data", phantoms, "--out", tmp_path / "run", "--set", "training.epochs=2"
    )
    assert done.returncode == 1
    assert time.monotonic() - started < 30  # 10 s on a quiet machine
    assert "densenet121" in done.stderr
    assert "--set model.weights=FILE" in done.stderr
    assert not (tmp_path / "run").exists()


def test_data_check_reads_for_people_and_machines(phantoms: Path) -> None:
    assert "80 of 80 films on disk" in hilum("data", "check", phantoms).stdout
    census = json.loads(hilum("data", "check", phantoms, "--json").stdout)
    assert census["films"]["all"] == {"listed": 80, "on_disk": 80}
    assert len(census["findings"]) == 14


def test_a_reader_that_leaves_early_breaks_nothing(phantoms: Path) -> None:
    reader = "head -c 10; code=${PIPESTATUS[0]}; echo; echo $code"
    command = f"{shlex.join(HILUM)} data check {phantoms} --json | {reader}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.stdout.splitlines()[-1] in ("0", "141")  # 0 where all was written before the reader left


def test_phantom_store_and_study_through_the_command_line(tiny_recipe: Path, tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    assert hilum("data", "phantom", data, "--films", "60", "--size", "64", "--seed", "2").returncode == 0
    stored = hilum("data", "store", data, "--size", "64", "--verify", HILUM_CACHE=str(tmp_path / "cache"))
    assert Path(stored.stdout.strip()).is_dir()
    done = hilum(
        "study", tiny_recipe, "--out", run, "--json", "--set", "training.epochs=1", HILUM_DATA=str(data)
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((run / "scores.json").read_text())
    assert done.stderr == ""
    again = hilum("score", run, "--json")
    assert json.loads(again.stdout) == json.loads(done.stdout)
    told = hilum("report", run, "--quiet")
    assert "pointing hit rate" in told.stdout
    assert str(run / "report.html") in told.stdout


def test_some_unreadable_films_exit_with_3(tiny_run: Path, phantoms: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(phantoms, data)
    film = next((data / "images").iterdir())
    film.write_bytes(b"")
    done = hilum("data", "store", data, "--size", "64")
    assert done.returncode == 3
    assert f"skipped {film.name}" in done.stderr
    assert "is empty" in done.stderr


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)],
)
def test_signals_stop_cleanly_and_the_run_continues(
    number: signal.Signals, code: int, phantoms: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    arguments = ["study", str(tiny_recipe), "--data", str(phantoms), "--out", str(tmp_path / "run")]
    many = ["--set", "training.epochs=200", "--set", "training.stop_patience=300"]
    process = subprocess.Popen([*HILUM, *arguments, *many], stderr=subprocess.PIPE, text=True)
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == code
    assert "the same command continues" in said
    assert "Traceback" not in said
    assert checkpoint.exists()
    assert not list((tmp_path / "run").rglob("*.part"))


def test_two_runs_side_by_side(tiny_run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_run, other)
    done = hilum("compare", tiny_run, other, "--out", tmp_path / "out", "--quiet")
    assert done.returncode == 0, done.stderr
    head, *means = done.stdout.split("\n\n")[0].splitlines()
    assert head.startswith("first")
    assert head.endswith("p_holm")
    assert {line.split("mean")[-1].split()[0] for line in means if "AUROC" in line} == {"0.000"}
    assert (tmp_path / "out" / "compared.html").is_file()
    assert "not for diagnosis" in done.stdout
    alone = hilum("compare", tiny_run, "--out", tmp_path / "out", "--quiet")
    assert (alone.returncode, alone.stdout) == (2, "")
    assert "give two runs or more" in alone.stderr
