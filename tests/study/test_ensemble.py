"""Finished runs become one run folder, whose stages know no difference."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from hilum.ensemble import mean_logits
from hilum.errors import UsageError
from hilum.recipe import load, parse
from hilum.study.ensemble import ensemble, shown
from hilum.study.folder import RunFolder, read_csv, read_json
from hilum.study.run import Outcome, stage

FINDINGS = ("Atelectasis", "Effusion")


@pytest.fixture
def runs(tiny_run: Path, tmp_path: Path) -> list[Path]:
    """Two runs on the same films, the second of other probabilities."""
    made = [Path(shutil.copytree(tiny_run, tmp_path / name)) for name in ("first", "second")]
    path = made[1] / "probabilities.csv"
    head, *lines = path.read_text().splitlines()
    cells = [line.split(",") for line in lines]
    squares = [",".join([*row[:2], *(repr(round(float(p) ** 2, 7)) for p in row[2:])]) for row in cells]
    path.write_text("\n".join([head, *squares]) + "\n")
    return made


@pytest.fixture
def unscored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the stages out, which take seconds."""
    monkeypatch.setattr("hilum.study.ensemble.stage", lambda _, out, *more: Outcome(RunFolder(out)))


def _likely(run: Path, findings=None) -> dict[str, np.ndarray]:
    lines = read_csv(run / "probabilities.csv")
    names = findings or [name for name in lines[0] if name not in ("image", "split")]
    return {line["image"]: np.array([float(line[name]) for name in names]) for line in lines}


@pytest.mark.usefixtures("unscored")
@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_probabilities_are_the_mean(runs, tmp_path, average: str) -> None:
    ensemble(runs, tmp_path / "out", average)
    first, second = (_likely(run) for run in runs)
    found = _likely(tmp_path / "out")
    assert list(found) == list(first)
    for film, likely in found.items():
        both = np.stack([first[film], second[film]])
        mean = both.mean(axis=0) if average == "probabilities" else mean_logits(both[:, None])[0]
        np.testing.assert_allclose(likely, mean, atol=1e-7)
    recipe = parse((tmp_path / "out" / "recipe.toml").read_text(), "mean")
    assert recipe.report.title == "Ensemble of Tiny (2 runs)" + (
        "; mean logits" if average == "logits" else ""
    )


def test_one_member_alone_is_itself(tiny_run, tmp_path) -> None:
    outcome = ensemble([tiny_run], tmp_path / "out")
    one, folder = RunFolder(tiny_run), outcome.folder
    assert folder.probabilities.read_bytes() == one.probabilities.read_bytes()
    boxes = [line for line in read_csv(one.boxes) if line["method"] == "gradcam"]
    assert read_csv(folder.boxes) == boxes
    whole, alone = (read_json(path)["scores"] for path in (one.scores, folder.scores))
    wanted = {
        _name(s): s for s in whole if s.get("method") in (None, "gradcam") and s["metric"] != "parameters"
    }
    assert {_name(s) for s in alone} == set(wanted)
    for score in alone:
        assert {key: score.get(key) for key in ("value", "n", "protocol")} == {
            key: wanted[_name(score)].get(key) for key in ("value", "n", "protocol")
        }
    page = folder.report.read_text()
    assert "Ensemble of Tiny" in page
    assert "# Mean probabilities of tiny." in page
    assert "tiny: Tiny, gradcam" in page
    assert "It was trained with" not in page  # nothing was
    assert outcome.summary
    for name in ("train", "explain"):
        with pytest.raises(UsageError, match=f"an ensemble has no network; {name} its members"):
            stage(name, folder.path)


def _name(score: dict) -> tuple:
    return tuple(score.get(key) for key in ("metric", "at", "finding", "method", "box_rule", "stratum"))


@pytest.mark.usefixtures("unscored")
def test_only_what_all_members_have_takes_part(runs, tmp_path) -> None:
    second = RunFolder(runs[1])
    second.recipe.write_text(
        second.recipe.read_text().replace("findings = []", f"findings = {list(FINDINGS)}")
    )
    lines = read_csv(second.probabilities)[1:]  # and a film less
    rows = [",".join([line["image"], line["split"], *(line[name] for name in FINDINGS)]) for line in lines]
    second.probabilities.write_text("\n".join([",".join(["image", "split", *FINDINGS]), *rows]) + "\n")
    index = second.heatmaps / "gradcam" / "index.csv"
    head, *entries = index.read_text().splitlines()
    kept = [entry for entry in entries if entry.split(",")[3] in FINDINGS]
    index.write_text("\n".join([head, *kept]) + "\n")
    ensemble(runs, tmp_path / "out")
    out = RunFolder(tmp_path / "out")
    found, first, other = _likely(out.path), _likely(runs[0], FINDINGS), _likely(runs[1], FINDINGS)
    assert list(found) == list(other) == list(first)[1:]
    assert read_csv(out.probabilities)[0].keys() == {"image", "split", *FINDINGS}
    for film, likely in found.items():
        np.testing.assert_allclose(likely, (first[film] + other[film]) / 2, atol=1e-7)
    assert {line["finding"] for line in read_csv(out.heatmaps / "gradcam" / "index.csv")} <= set(FINDINGS)
    assert parse(out.recipe.read_text(), "mean").data.findings == FINDINGS


@pytest.mark.usefixtures("unscored")
def test_its_recipe_says_what_its_members_share(runs, tmp_path) -> None:
    second = RunFolder(runs[1])
    text = second.recipe.read_text().replace('weights = "imagenet"', 'weights = "none"')
    text = text.replace('"gradcam", "cam"', '"cam"').replace('title = "Tiny"', 'title = "Other"')
    second.recipe.write_text(text.replace("input_px = 64", "input_px = 48"))
    ensemble(runs, tmp_path / "out")
    recipe = parse((tmp_path / "out" / "recipe.toml").read_text(), "mean")
    assert recipe.model.weights == "imagenet + none"
    assert recipe.explain.methods == ("gradcam+cam",)
    assert recipe.report.title == "Ensemble of Tiny, Other"
    assert (recipe.data.input_px, recipe.data.resize_px) == (64, 64)  # the whole film
    said, settings, facts = shown(RunFolder(tmp_path / "out"), recipe)
    assert [fact for _, fact in facts] == ["first: Tiny, gradcam", "second: Other, cam"]
    assert said.count("[training]") == 2
    assert {"model", "training"} & set(settings) == set()


def test_a_run_of_one_network_is_shown_as_it_is(tiny_run, tiny_recipe) -> None:
    recipe = load(str(tiny_recipe))
    assert shown(RunFolder(tiny_run), recipe)[1:] == (recipe.model_dump(), [])


@pytest.mark.usefixtures("unscored")
def test_a_folder_of_something_else_is_left_alone(runs, tmp_path) -> None:
    with pytest.raises(UsageError, match="holds a run that is no ensemble"):
        ensemble(runs, runs[0])
    out = tmp_path / "out"
    ensemble(runs, out)
    before = (out / "probabilities.csv").read_bytes()
    (out / "report.html").write_text("of old numbers")
    ensemble(runs, out)
    assert (out / "probabilities.csv").read_bytes() == before
    assert not (out / "report.html").exists()
    for other in (lambda: ensemble(runs[:1], out), lambda: ensemble(runs, out, "logits")):
        with pytest.raises(
            UsageError, match=r"holds the mean probabilities of .*first, .*second; choose another"
        ):
            other()
    with pytest.raises(ValueError, match="unknown average 'median'"):
        ensemble(runs, out, "median")
