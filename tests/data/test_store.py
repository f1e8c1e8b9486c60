"""A store is whole or not there, and notices what changed."""

import dataclasses
import errno
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from hilum.boxes import no_boxes
from hilum.data import Cohort, manifest, store
from hilum.data.decoding import Decoders
from hilum.data.geometry import squared
from hilum.data.store import PixelStore, build, cache_folder, verify
from hilum.errors import DataError, DiskError, StoreError

SIDE = 8


@pytest.fixture(autouse=True)
def stores(tmp_path, monkeypatch) -> Path:
    """An empty cache, and a note after every second film."""
    monkeypatch.setenv("HILUM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "NOTE", 2)
    return tmp_path / "cache" / "stores"


def _grey(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(1, 256, (12 + number, 10), np.uint8)


@pytest.fixture
def cohort(tmp_path) -> Cohort:
    """Seven films of different sizes on disk."""
    films = [f"{number}.png" for number in range(7)]
    for number, film in enumerate(films):
        cv2.imwrite(str(tmp_path / film), _grey(number))
    return Cohort(
        films=np.array(films),
        paths=np.array([str(tmp_path / film) for film in films]),
        findings=(),
        labels=np.zeros((7, 0), np.float32),
        patient=np.arange(7),
        view=np.full(7, "PA"),
        age=np.full(7, 50.0),
        sex=np.full(7, "F"),
        split=np.full(7, "train"),
        reference=no_boxes(),
        frame_hw=(1024, 1024),
    )


def _finished(stores: Path) -> list[str]:
    return sorted(path.name for path in stores.iterdir() if path.is_dir() and not path.suffix)


def test_every_film_stands_in_its_row(cohort) -> None:
    steps = []
    built = build(cohort, SIDE, lambda done, total: steps.append((done, total)))
    assert steps == [(done, 7) for done in range(1, 8)]
    assert built.films == tuple(cohort.films)
    assert (built.side_px, built.failures) == (SIDE, {})
    assert built.film_hw.tolist() == [[12 + number, 10] for number in range(7)]
    for number, pixels in enumerate(built.pixels):
        np.testing.assert_array_equal(pixels, squared(_grey(number), SIDE))
    verify(built)


def test_a_batch_is_a_copy_and_the_store_is_read_only(cohort) -> None:
    built = build(cohort, SIDE)
    batch = built.batch(np.array([5, 0, 5]))
    assert batch.shape == (3, SIDE, SIDE)
    np.testing.assert_array_equal(batch, built.pixels[[5, 0, 5]])
    batch[:] = 0
    assert built.pixels[5].any()
    assert built.batch(np.zeros(0, int)).shape == (0, SIDE, SIDE)
    assert isinstance(built.pixels, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        built.pixels[0] = 0


@pytest.fixture
def decoded(monkeypatch) -> list[int]:
    """Rows of the films that were given to decoders."""
    rows, true = [], Decoders.decode

    def noted(self, these, paths):
        rows.extend(these)
        return true(self, these, paths)

    monkeypatch.setattr(Decoders, "decode", noted)
    return rows


def test_padded_films_are_another_store(cohort) -> None:
    padded = build(cohort, SIDE, fit="pad")
    assert padded.folder != build(cohort, SIDE).folder
    for number, pixels in enumerate(padded.pixels):
        np.testing.assert_array_equal(pixels, squared(_grey(number), SIDE, "pad"))
    assert padded.film_hw.tolist() == [[12 + number, 10] for number in range(7)]


def test_a_store_cut_short_under_its_reader_is_an_error(cohort) -> None:
    """numpy would be ended by SIGBUS, and with it the process."""
    built = build(cohort, SIDE)
    os.truncate(built.folder / "pixels.npy", 200)
    with pytest.raises(StoreError, match="cut short while in use; delete the folder to rebuild"):
        built.batch(np.array([6]))


def test_a_store_larger_than_memory_is_asked_for_before_it_is_read(cohort, monkeypatch) -> None:
    built, asked = build(cohort, SIDE), []
    monkeypatch.setattr(store, "MAPPED_BYTES", 100)
    monkeypatch.setattr(os, "posix_fadvise", lambda _fd, place, length, _how: asked.append((place, length)))
    np.testing.assert_array_equal(built.batch(np.array([5, 0])), built.pixels[[5, 0]])
    first = built.pixels.offset
    assert asked == [(first + 5 * SIDE**2, SIDE**2), (first, SIDE**2)]


def test_a_store_is_built_once(cohort, decoded) -> None:
    first = build(cohort, SIDE)
    decoded.clear()
    second = build(cohort, SIDE, lambda *_: pytest.fail("there is nothing to do"))
    assert second.folder == first.folder
    np.testing.assert_array_equal(second.pixels, first.pixels)
    assert decoded == []


def test_another_side_order_or_film_is_another_store(cohort, tmp_path) -> None:
    folders = [
        build(cohort, SIDE).folder,
        build(cohort, SIDE + 1).folder,
        build(cohort.rows(np.arange(6)), SIDE).folder,
        build(cohort.rows(np.arange(7)[::-1]), SIDE).folder,
    ]
    cv2.imwrite(str(tmp_path / "3.png"), _grey(30))
    changed = build(cohort, SIDE)
    np.testing.assert_array_equal(changed.pixels[3], squared(_grey(30), SIDE))
    assert len({*folders, changed.folder}) == 5
    os.utime(tmp_path / "3.png", ns=(0, 0))
    assert build(cohort, SIDE).folder != changed.folder


class Killed(BaseException):
    """Ends a build as a signal does."""


@pytest.mark.parametrize("n_done", [2, 4, 6, 7])
def test_an_interrupted_build_goes_on_where_it_was(cohort, stores, decoded, n_done) -> None:
    def kill(done: int, _total: int) -> None:
        if done == n_done:
            raise Killed

    with pytest.raises(Killed):
        build(cohort, SIDE, kill)
    assert _finished(stores) == []
    decoded.clear()
    built = build(cohort, SIDE)
    n_noted = 2 * ((n_done - 1) // 2)  # the note on the film's own pair was not yet written
    assert decoded == list(range(n_noted, 7))
    for number, pixels in enumerate(built.pixels):
        np.testing.assert_array_equal(pixels, squared(_grey(number), SIDE))
    verify(built)
    assert [path.suffix for path in sorted(stores.iterdir())] == ["", ".lock"]


def test_a_kill_before_the_first_note_starts_again(cohort, stores, monkeypatch) -> None:
    monkeypatch.setattr(store, "NOTE", 1024)
    with pytest.raises(Killed):
        build(cohort, SIDE, lambda *_: (_ for _ in ()).throw(Killed))
    verify(build(cohort, SIDE))


def test_failures_are_kept_through_a_kill(cohort, tmp_path) -> None:
    (tmp_path / "1.png").write_bytes(b"<html>")
    os.unlink(tmp_path / "5.png")

    def kill(done: int, _total: int) -> None:
        if done == 5:
            raise Killed

    with pytest.raises(Killed):
        build(cohort, SIDE, kill)
    built = build(cohort, SIDE)
    assert list(built.failures) == ["1.png", "5.png"]
    assert "1.png: starts with b'<htm'; a film is a PNG" in built.failures["1.png"]
    assert built.failures["5.png"].endswith("5.png: no such file")
    assert not built.pixels[[1, 5]].any()
    assert built.pixels[[0, 2, 3, 4, 6]].all()
    verify(built)


def test_no_film_at_all(cohort, tmp_path, stores) -> None:
    with pytest.raises(DataError, match="a store of no films"):
        build(cohort.rows(np.zeros(7, bool)), SIDE)
    absent = dataclasses.replace(cohort, paths=np.where(np.arange(7) == 2, "", cohort.paths))
    with pytest.raises(ValueError, match="every film of a store must have a path"):
        build(absent, SIDE)
    assert not stores.exists()
    for film in cohort.films:
        (tmp_path / film).write_bytes(b"")
    with pytest.raises(DataError, match=r"none of 7 films could be read; the first, 0\.png: .*is empty"):
        build(cohort, SIDE)


def test_sixteen_bits_become_eight(cohort, tmp_path) -> None:
    wide = np.arange(SIDE**2).reshape(SIDE, SIDE)
    cv2.imwrite(str(tmp_path / "0.png"), (257 * wide).astype(np.uint16))
    np.testing.assert_array_equal(build(cohort, SIDE).pixels[0], wide)


def _altered_pixel(folder: Path) -> None:
    with (folder / "pixels.npy").open("rb+") as stream:
        stream.seek(-1, os.SEEK_END)
        byte = stream.read(1)[0]
        stream.seek(-1, os.SEEK_END)
        stream.write(bytes([byte ^ 1]))


def test_one_altered_pixel_is_found(cohort) -> None:
    built = build(cohort, SIDE)
    _altered_pixel(built.folder)
    with pytest.raises(StoreError, match=r"the pixels of 6\.png were altered; delete the folder to rebuild"):
        verify(build(cohort, SIDE))


def _index_changed(folder: Path, **changes) -> None:
    index = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(index | changes))


DAMAGE = {
    "pixels cut": lambda folder: os.truncate(folder / "pixels.npy", 300),
    "pixels empty": lambda folder: os.truncate(folder / "pixels.npy", 0),
    "pixels gone": lambda folder: os.unlink(folder / "pixels.npy"),
    "other pixels": lambda folder: np.save(folder / "pixels.npy", np.zeros((7, SIDE, SIDE + 1), np.uint8)),
    "other numbers": lambda folder: np.save(folder / "pixels.npy", np.zeros((7, SIDE, SIDE), np.int8)),
    "index gone": lambda folder: os.unlink(folder / "index.json"),
    "index cut": lambda folder: os.truncate(folder / "index.json", 30),
    "index of nothing": lambda folder: (folder / "index.json").write_text("[]"),
    "index without side": lambda folder: (folder / "index.json").write_text('{"films": [], "crc32": []}'),
    "too few films": lambda folder: _index_changed(folder, films=["0.png"]),
    "index of others": lambda folder: _index_changed(folder, films=["0"], crc32=[0], film_hw=[[1, 1]]),
    "too few sizes": lambda folder: _index_changed(folder, film_hw=[]),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_store_is_never_opened(cohort, damage) -> None:
    folder = build(cohort, SIDE).folder
    DAMAGE[damage](folder)
    with pytest.raises(StoreError, match=f"^{folder}: .*delete the folder to rebuild$"):
        build(cohort, SIDE)
    shutil.rmtree(folder)
    verify(build(cohort, SIDE))


def test_two_builders(cohort) -> None:
    errors, reached, go_on = [], threading.Event(), threading.Event()

    def wait(*_) -> None:
        reached.set()
        go_on.wait(10)

    first = threading.Thread(target=build, args=(cohort, SIDE, wait), daemon=True)
    first.start()
    reached.wait(10)
    try:
        build(cohort, SIDE)
    except StoreError as error:
        errors.append(str(error))
    finally:
        go_on.set()
        first.join()
    assert len(errors) == 1
    assert "another process is building this store; wait for it" in errors[0]
    verify(build(cohort, SIDE))


def test_a_disk_without_room_is_asked_first(cohort, stores, monkeypatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DiskError, match=r"needs .* GB, .* GB are free"):
        build(cohort, SIDE)
    assert [path.suffix for path in stores.iterdir()] == [".lock"]


def _full(*_) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("where", ["posix_fallocate", "write_text", "replace"])
def test_a_disk_that_fills_up_leaves_no_half_store(cohort, stores, monkeypatch, where) -> None:
    owner = {"posix_fallocate": store.os, "write_text": store, "replace": Path}[where]
    with monkeypatch.context() as patch, pytest.raises(DiskError, match="the disk is full; free some space"):
        _break(patch, owner, where, cohort)
    assert _finished(stores) == []
    built = build(cohort, SIDE)
    for number, pixels in enumerate(built.pixels):
        np.testing.assert_array_equal(pixels, squared(_grey(number), SIDE))
    verify(built)


def _break(patch: pytest.MonkeyPatch, owner: object, name: str, cohort: Cohort) -> None:
    patch.setattr(owner, name, _full)
    build(cohort, SIDE)


def test_a_folder_that_cannot_be_written(cohort, tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HILUM_CACHE", str(tmp_path / "file"))
    with pytest.raises(DiskError, match="cannot be written"):
        build(cohort, SIDE)


def test_where_stores_lie(monkeypatch, tmp_path) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HILUM_CACHE", "near")
    assert cache_folder() == tmp_path / "near"
    for unset in ("", None):
        monkeypatch.setenv("HILUM_CACHE", "") if unset == "" else monkeypatch.delenv("HILUM_CACHE")
        assert cache_folder() == Path.home() / ".cache" / "hilum"


def test_a_store_of_the_real_sample(real) -> None:
    some = real.rows(np.flatnonzero(real.on_disk)[:12])
    built: PixelStore = build(some, 64)
    assert built.failures == {}
    assert built.pixels.mean() > 50
    assert (built.pixels.std(axis=(1, 2)) > 20).all()
    verify(built)


N_MANY = 150
BUILDING = """
import sys
from hilum.data import store
from hilum.apps.cli import main
store.NOTE = 16
main(["data", "store", sys.argv[1], "--size", "64"])
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """A folder with films.csv and films that take a second to decode."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(N_MANY):
        film = np.random.default_rng(number).integers(0, 256, (600, 600), np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), film)
    (folder / "films.csv").write_text("path,Mass\n" + "".join(f"{n}.png,0\n" for n in range(N_MANY)))
    return folder


@pytest.mark.parametrize("kill", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 50))])
def test_a_build_that_is_killed_leaves_no_wrong_pixel(many, stores, kill) -> None:
    """SIGKILL at some moment between start and end, twice; then it is built to its end and verified."""
    for chance in np.random.default_rng(kill).uniform(0, 1, 2):
        process = subprocess.Popen([sys.executable, "-c", BUILDING, str(many)], stderr=subprocess.DEVNULL)
        started = time.monotonic()
        while process.poll() is None and not list(stores.glob("*.part")) and time.monotonic() < started + 60:
            time.sleep(0.005)
        time.sleep(1.5 * chance)
        process.kill()
        process.wait()
    cohort = manifest.load(many)
    built = build(cohort, 64)
    verify(built)
    assert not built.failures
    for number in range(N_MANY):
        film = np.random.default_rng(number).integers(0, 256, (600, 600), np.uint8)
        np.testing.assert_array_equal(built.pixels[number], squared(film, 64))
