"""Films to what a network is fed, beside torchxrayvision, torchvision, OpenCV, webdataset, on one core.

First the file of a film, 1024 x 1024, as grey values of 224 x 224; then, from where each keeps its films
decoded or shrunk, batches of 64 in a shuffled order. Films are phantoms, or those of `--films DIR`.
"""

import argparse
import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torchvision
import webdataset
from torchvision.transforms.v2.functional import resize
from torchxrayvision.datasets import XRayCenterCrop, XRayResizer, normalize

from hilum.data.chestxray14 import load
from hilum.data.geometry import squared
from hilum.data.phantom import write
from hilum.data.radiograph import eight_bit_from
from hilum.data.store import PixelStore, build
from timing import Ratio, machine, rounds

SIDE, FULL, BATCH = 224, 1024, 64
N_FILMS = 16
N_STORED = 2048
GOALS = {"torchxrayvision, skimage": 2500, "webdataset, PNG of 224 px": 40}
"""How many times as fast the store must be."""

Load = Callable[[str], np.ndarray]


def main() -> None:
    """Prints ratios, goals, and how far apart the pixels are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="rounds that count (7)")
    parser.add_argument("--films", type=Path, metavar="DIR", help="a folder with PNG films of 1024 px")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    names = "opencv-python-headless", "torchvision", "torchxrayvision", "scikit-image", "webdataset"
    print(machine("numpy", *names))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["HILUM_CACHE"] = str(folder / "cache")
        paths = _films(folder, options.films)
        print(f"{len(paths)} films of {FULL} px; medians of {options.rounds} rounds\n")
        _from_files(paths, options.rounds)
        _from_stores(folder, paths, options.rounds)


def _films(folder: Path, given: Path | None) -> list[str]:
    if given is not None:
        return [str(path) for path in sorted(given.rglob("*.png"))[:N_FILMS]]
    write(folder / "phantoms", films=N_FILMS, size=FULL, seed=0, workers=os.cpu_count() or 1)
    return load(folder / "phantoms").paths.tolist()


def ours(path: str) -> np.ndarray:
    """As the pixel store is filled."""
    return squared(eight_bit_from(Path(path)), SIDE).astype(np.float32) / 255


def by_opencv(path: str) -> np.ndarray:
    """Its imread and an INTER_AREA resize."""
    grey = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def by_torchvision(path: str) -> np.ndarray:
    """Its decode_image and an antialiased bilinear resize."""
    grey = torchvision.io.decode_image(path, torchvision.io.ImageReadMode.GRAY)
    resized = resize(grey, [SIDE, SIDE], antialias=True)
    return resized[0].numpy().astype(np.float32) / 255


def by_torchxrayvision(engine: str) -> Load:
    """Its reading, scaling, crop and resize, brought from [-1024, 1024] to [0, 1]."""
    from skimage.io import imread

    crop, resizer = XRayCenterCrop(), XRayResizer(SIDE, engine=engine)

    def read(path: str) -> np.ndarray:
        return (resizer(crop(normalize(imread(path), maxval=255, reshape=True)))[0] / 1024 + 1) / 2

    return read


PEERS: dict[str, Load] = {
    "torchxrayvision, skimage": by_torchxrayvision("skimage"),
    "torchxrayvision, cv2": by_torchxrayvision("cv2"),
    "torchvision": by_torchvision,
    "cv2": by_opencv,
}


def _from_files(paths: list[str], n: int) -> None:
    print("file to 224 px             ours, ms    times as fast              grey levels apart, mean / most")
    for name, peer in PEERS.items():
        ratio = rounds(lambda peer=peer: [peer(p) for p in paths], lambda: [ours(p) for p in paths], n)
        apart = 255 * np.abs(np.stack([peer(p) - ours(p) for p in paths]))
        print(
            f"{name:26s} {1000 * ratio.ours_s / len(paths):8.1f}    {ratio!s:26s} "
            f"{apart.mean():.2f} / {apart.max():.0f}"
        )


def _from_stores(folder: Path, paths: list[str], n: int) -> None:
    store, shrunk = _store(folder, paths), _shards(folder, paths)
    chance = np.random.default_rng(0)
    in_memory = np.array(store.pixels)
    batch = np.empty((BATCH, SIDE, SIDE), np.uint8)

    def read() -> None:
        for _ in range(32):
            store.batch(chance.integers(0, N_STORED, BATCH))

    def copied() -> None:
        for _ in range(32):
            for place, row in enumerate(chance.integers(0, N_STORED, BATCH).tolist()):
                batch[place] = in_memory[row]

    print(f"\n{N_STORED:,} films of {SIDE} px, batches of {BATCH} in a shuffled order")
    print("                           store, us a film  times as fast               goal")
    per_film = 32 * BATCH
    for name, peer in PEERS.items():
        ratio = rounds(lambda peer=peer: [peer(p) for p in paths], read, n)
        print(_line(name, ratio, per_film / len(paths), per_film))
    stream = _stream(shrunk)
    ratio = rounds(lambda: [next(stream) for _ in range(BATCH)], read, n)
    print(_line("webdataset, PNG of 224 px", ratio, per_film / BATCH, per_film))
    print(_line("copy from memory", rounds(copied, read, n), 1.0, per_film))
    print(_line("disk, file read in order", rounds(*_cold(store), n), 1.0, N_STORED))


def _line(name: str, ratio: Ratio, scale: float, per_film: int) -> str:
    goal = f">= {GOALS[name]:,}" if name in GOALS else ""
    speed = f"{ratio.median * scale:,.2f} ({ratio.low * scale:,.2f} to {ratio.high * scale:,.2f})"
    return f"{name:26s} {1e6 * ratio.ours_s / per_film:16.1f}  {speed:26s} {goal:>8s}"


def _store(folder: Path, paths: list[str]) -> PixelStore:
    """A store of as many films as wanted: links to the same files under other names."""
    cohort = load(_linked(folder, paths))
    return build(cohort.rows(cohort.on_disk), SIDE)


def _linked(folder: Path, paths: list[str]) -> Path:
    out = folder / "many"
    (out / "images").mkdir(parents=True)
    names = [f"{number:08d}_000.png" for number in range(N_STORED)]
    for number, name in enumerate(names):
        (out / "images" / name).symlink_to(Path(paths[number % len(paths)]).absolute())
    header = "Image Index,Finding Labels,Patient ID,Patient Age,Patient Gender,View Position"
    lines = [f"{name},No Finding,{number},50,F,PA" for number, name in enumerate(names)]
    (out / "Data_Entry_2017_v2020.csv").write_text("\n".join([header, *lines]))
    (out / "train_val_list.txt").write_text("\n".join(names[1:]))
    (out / "test_list.txt").write_text(names[0])
    return out


def _shards(folder: Path, paths: list[str]) -> str:
    """The same films as 224 px PNG files in a tar, as webdataset keeps them."""
    path = folder / "films.tar"
    coded = [cv2.imencode(".png", squared(eight_bit_from(Path(p)), SIDE))[1].tobytes() for p in paths]
    with tarfile.open(path, "w") as tar:
        for number in range(N_STORED):
            member = tarfile.TarInfo(f"{number:08d}.png")
            member.size = len(coded[number % len(coded)])
            tar.addfile(member, io.BytesIO(coded[number % len(coded)]))
    return str(path)


def _stream(tar: str) -> Iterator[Any]:
    films = webdataset.WebDataset(tar, shardshuffle=False, empty_check=False).shuffle(256).decode("l8")
    return iter(films.to_tuple("png").repeat())


def _cold(store: PixelStore) -> tuple[Callable[[], None], Callable[[], None]]:
    """Both sides with the file's pages dropped before: the file in order, and shuffled batches."""
    from hilum.data import store as stores

    stores.MAPPED_BYTES = 0  # as if it did not fit into memory
    path, chance = store.folder / stores.PIXELS, np.random.default_rng(1)

    def drop() -> None:
        with path.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def in_order() -> None:
        drop()
        with path.open("rb", buffering=0) as stream:
            while stream.read(1 << 22):
                pass

    def shuffled() -> None:
        drop()
        order = chance.permutation(N_STORED)
        for start in range(0, N_STORED, BATCH):
            store.batch(order[start : start + BATCH])

    return in_order, shuffled


if __name__ == "__main__":
    main()
