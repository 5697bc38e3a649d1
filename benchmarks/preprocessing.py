"""Cropping and packing against their bare loops, in one run.

Rendered faces in 640×480 scenes, as JPEG files and as Motion-JPEG video. *Bare* is what no
pipeline can do without: OpenCV's decoder and the detector, one OpenCV thread, in one
process. The pipeline also refuses damaged files, cuts, hashes, writes every crop to the disk
and keeps the journal. Rounds are interleaved and medians are given; workers are warm.

``--memory`` instead gives the peak memory of all processes at 1,000 and at 20,000 photographs,
``--check`` the time of a second run that finds 100,000 photographs done. ``--sizing RATE``
computes what ten million photographs need at a rate of one worker.
"""

import argparse
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from action_units.config import DetectorSettings
from action_units.faces.crop import CropSettings, FaceSettings
from action_units.faces.detection.registry import make_detector
from action_units.faces.packing import pack_crops
from action_units.faces.preprocess import Recording, crop_photographs, crop_videos
from action_units.faces.workers import Workers
from action_units.media.sources import open_photographs
from action_units.sample.identity import draw_identity
from action_units.sample.render import render_face
from action_units.sample.view import draw_view

PEOPLE = 24


def scene(seed: int, shape: tuple[int, int] = (480, 640), side: int = 200) -> np.ndarray:
    """A face somewhere in a textured scene, ``(H, W, 3)`` uint8."""
    rng = np.random.default_rng([seed, 7])
    view = draw_view(np.random.default_rng([seed, 2]), (side, side), occlusion=0.0)
    who = draw_identity(np.random.default_rng([seed, 1]))
    face = render_face(who, np.zeros(18), view, (side, side))
    coarse = rng.integers(60, 190, (12, 16), np.uint8)
    picture = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    y, x = (int(rng.integers(0, n - side + 1)) for n in shape)
    picture[y : y + side, x : x + side] = face
    return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)


def photographs(folder: Path, count: int, side: int | None = None) -> list[Path]:
    """Files of some scenes, linked until there are enough; `side` makes them all face."""
    folder.mkdir()
    paths = []
    for k in range(count):
        path = folder / f"m.{k:06d}_1-FaceId-0.jpg"
        if k < PEOPLE:
            picture = scene(k) if side is None else scene(k, (side, side), side)
            cv2.imwrite(str(path), picture)
        else:
            os.link(paths[k % PEOPLE], path)
        paths.append(path)
    return paths


def videos(folder: Path, frames: int) -> list[Recording]:
    """Two videos of one person each, frame by frame a little moved."""
    folder.mkdir()
    made = []
    for person in (1, 2):
        path = folder / f"RightVideoSN{person:03d}.avi"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (640, 480))
        still = scene(person)
        for frame in range(frames):
            writer.write(np.roll(still, frame % 8, axis=1))
        writer.release()
        images = {frame: f"{person}_{frame}.jpg" for frame in range(1, frames + 1)}
        made.append(Recording(str(person), str(person), path, images, tolerance=0))
    return made


def bare_photographs(paths: list[Path], settings: DetectorSettings) -> None:
    """Decode with OpenCV and detect; nothing else."""
    cv2.setNumThreads(1)
    find = bare_detector(settings)
    for path in paths:
        find(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR))


def bare_video(path: Path, settings: DetectorSettings) -> None:
    """Read with OpenCV and detect; nothing else."""
    cv2.setNumThreads(1)
    find = bare_detector(settings)
    capture = cv2.VideoCapture(str(path))
    while True:
        there, frame = capture.read()
        if not there:
            return
        find(frame)


def bare_detector(settings: DetectorSettings) -> Callable[[np.ndarray], object]:
    """OpenCV's own call of the network, at the pipeline's sizes."""
    network = make_detector(settings)._network
    if settings.name == "yunet":
        network.setInputSize((640, 480))
        return network.detect

    def find(pixels: np.ndarray) -> object:
        blob = cv2.dnn.blobFromImage(pixels, 1.0, (300, 300), (104.0, 177.0, 123.0))
        network.setInput(blob)
        return network.forward()

    return find


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_two(function: Callable[..., None], halves: list[tuple[object, ...]]) -> None:
    """The same bare loop in two processes at once: what this machine's cores can do."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=function, args=half) for half in halves]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def cropping(folder: Path, count: int, rounds: int, name: str) -> None:
    """Print the ratios of cropping photographs and video to their bare loops."""
    detector = DetectorSettings(name=name)
    settings = FaceSettings(detector, CropSettings(max_size=300))
    paths = photographs(folder / "photographs", count)
    films = videos(folder / "videos", count // 2)
    fresh = iter(range(10**6))

    def crop(workers: int) -> None:
        out = folder / f"out{next(fresh)}"
        source = open_photographs(folder / "photographs")
        crop_photographs(source, out / "c", out / "w", settings, Workers(workers))
        shutil.rmtree(out)

    def film(workers: int) -> None:
        out = folder / f"out{next(fresh)}"
        crop_videos(films, out / "c", out / "w", settings, Workers(workers))
        shutil.rmtree(out)

    half = count // 2
    works: dict[str, Callable[[], object]] = {
        "photographs, bare": lambda: bare_photographs(paths, detector),
        "photographs, bare, 2 processes": lambda: in_two(
            bare_photographs, [(paths[:half], detector), (paths[half:], detector)]
        ),
        "photographs, 1 worker": lambda: crop(1),
        "photographs, 2 workers": lambda: crop(2),
        "video, bare": lambda: [bare_video(film.path, detector) for film in films],
        "video, bare, 2 processes": lambda: in_two(
            bare_video, [(film.path, detector) for film in films]
        ),
        "video, 1 worker": lambda: film(1),
        "video, 2 workers": lambda: film(2),
    }
    times: dict[str, list[float]] = {key: [] for key in works}
    for round_ in range(rounds + 1):
        for key, work in works.items():
            if key.endswith("workers") or key.endswith("1 worker"):
                warm(settings, folder, int(key.split()[1]))
            taken = seconds(work)
            if round_:
                times[key].append(taken)
    rate = {key: count / statistics.median(taken) for key, taken in times.items()}
    print(f"\n{name}, {count} pictures of 640×480, medians of {rounds} rounds")
    for kind in ("photographs", "video"):
        bare, both = rate[f"{kind}, bare"], rate[f"{kind}, bare, 2 processes"]
        one, two = rate[f"{kind}, 1 worker"], rate[f"{kind}, 2 workers"]
        print(f"  {kind}: bare {bare:.1f}/s, in two processes at once {both:.1f}/s")
        print(f"    1 worker  {one:7.1f}/s  = {one / bare:.2f} × bare")
        print(f"    2 workers {two:7.1f}/s  = {two / bare / 2:.2f} × bare × 2 cores")
        print(f"    2 workers against two bare processes {two / both:.2f}")
        print(f"    from 1 to 2 workers {two / one:.2f} (bare: {both / bare:.2f})")


def warm(settings: FaceSettings, folder: Path, workers: int) -> None:
    """Have the workers started, and their networks loaded."""
    out = folder / "warm"
    source = open_photographs(folder / "photographs")
    few = type("Few", (), {"chunks": lambda _: list(source.chunks())[:64]})()
    crop_photographs(few, out / "c", out / "w", settings, Workers(workers))
    shutil.rmtree(out)


def packing(folder: Path, count: int, rounds: int) -> None:
    """Print the ratio of packing to a bare loop of decoding and resizing."""
    paths = photographs(folder / "crops", count, side=200)
    table = pd.DataFrame({"image": [p.name for p in paths], "subject": "a", "AU01": 0})

    def bare() -> None:
        cv2.setNumThreads(1)
        faces = np.empty((count, 64, 64), np.uint8)
        for row, path in enumerate(paths):
            content = np.fromfile(path, np.uint8)
            pixels = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)
            faces[row] = cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_AREA)

    times: dict[str, list[float]] = {"bare": [], "packing": []}
    for round_ in range(rounds + 1):
        for key, work in (
            ("bare", bare),
            ("packing", lambda: pack_crops(folder / "crops", table, 64, workers=1)),
        ):
            taken = seconds(work)
            if round_:
                times[key].append(taken)
    rate = {key: count / statistics.median(taken) for key, taken in times.items()}
    print(f"\npacking {count} crops of 200×200, one thread, medians of {rounds} rounds")
    print(f"  bare {rate['bare']:,.0f}/s, packing {rate['packing']:,.0f}/s", end="")
    print(f" = {rate['packing'] / rate['bare']:.2f} × bare")


def memory(folder: Path) -> None:
    """Print the peak memory of a run over 1,000 and over 20,000 photographs."""
    settings = FaceSettings(DetectorSettings(), CropSettings(max_size=64))
    for count in (1000, 20_000):
        context = multiprocessing.get_context("fork")
        place = folder / str(count)
        place.mkdir()
        photographs(place / "photographs", count, side=96)
        run = context.Process(target=_crop_all, args=(place, settings))
        peak = 0.0
        run.start()
        while run.is_alive():
            peak = max(peak, _family_memory(run.pid or 0))
            time.sleep(0.1)
        print(f"{count:6,} photographs: peak {peak / 2**20:,.0f} MiB in all processes")


def _crop_all(place: Path, settings: FaceSettings) -> None:
    source = open_photographs(place / "photographs")
    crop_photographs(source, place / "c", place / "w", settings, Workers(2))


def _family_memory(process: int) -> float:
    """Proportional memory of a process and its descendants, in bytes."""
    total = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if int(folder.name) == process:
                total += _memory(folder)
            elif parent == process:
                total += _family_memory(int(folder.name))
        except (OSError, ValueError):
            continue
    return total


def _memory(folder: Path) -> float:
    for line in (folder / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return 1024.0 * int(line.split()[1])
    return 0.0


def check(folder: Path) -> None:
    """Print the time of a run that finds everything done."""
    settings = FaceSettings(DetectorSettings(), CropSettings(max_size=48))
    photographs(folder / "photographs", 100_000, side=64)
    for what in ("first run", "second run"):
        start = time.perf_counter()
        source = open_photographs(folder / "photographs")
        crop_photographs(source, folder / "c", folder / "w", settings, Workers(2))
        taken = time.perf_counter() - start
        print(f"{what} over 100,000 photographs: {taken:.1f} s", flush=True)


def sizing(rate: float, count: int = 10_000_000) -> None:
    """Print what many photographs need, at so many a second of each worker."""
    print("| workers | time |\n|---|---|")
    for workers in (2, 16, 64, 256, 1024):
        minutes = count / rate / workers / 60
        time_taken = f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
        print(f"| {workers:,} | {time_taken} |")


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=400, help="pictures a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--detectors", nargs="*", default=["yunet", "ssd"])
    parser.add_argument("--sizing", type=float, metavar="RATE")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.sizing:
        sizing(options.sizing)
        return
    # On the disk that real crops go to; git passes over what a killed run leaves there.
    with tempfile.TemporaryDirectory(dir=Path(__file__).parents[1] / "data") as scratch:
        folder = Path(scratch).resolve()
        if options.memory:
            memory(folder)
        elif options.check:
            check(folder)
        else:
            for name in options.detectors:
                (folder / name).mkdir()
                cropping(folder / name, options.count, options.rounds, name)
            packing(folder, 5 * options.count, options.rounds)


if __name__ == "__main__":
    main()
