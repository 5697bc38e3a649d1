"""Rates of detection, cropping and packing, measured on a slice of a set's raw data."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from action_units.faces.crop import FaceSettings
from action_units.faces.preprocess import (
    CropResult,
    Recording,
    crop_photographs,
    crop_videos,
)
from action_units.faces.workers import Workers
from action_units.media.photographs import PhotographSource
from action_units.rehearsal.estimate import Line, Need
from action_units.rehearsal.memory import Peak, peak_memory
from action_units.rehearsal.slices import SlicedSource, evenly
from action_units.threads import cores

FEW = 16
"""Pictures for each worker before a rate is known."""


@dataclass(frozen=True)
class Cropped:
    """A slice that was cropped.

    Attributes:
        result: Its crops.
        folder: Where they lie.
        n: How many pictures were worked on.
        total: How many pictures the set has, of an archive about.
        need: Of all pictures.
    """

    result: CropResult
    folder: Path
    n: int
    total: int
    need: Need

    @property
    def is_whole(self) -> bool:
        """Whether the slice is all of the set."""
        return self.n == self.total


def measure_photographs(
    name: str,
    source: PhotographSource,
    settings: FaceSettings,
    workers: Workers,
    seconds: float,
    folder: Path,
) -> Cropped:
    """Crop some photographs, evenly spaced in the source.

    Args:
        name: Of the set.
        source: All photographs.
        settings: How faces are found and cut out.
        workers: Who works.
        seconds: About how long.
        folder: A scratch folder; the crops are left in it.
    """
    _warm_up(settings, workers, folder)
    weights = [chunk.weight for chunk in source.chunks()]
    total = sum(weights)

    def crop(n: int, into: str) -> tuple[CropResult, int, float, Peak]:
        places = evenly(math.ceil(n * len(weights) / total), len(weights))
        started = time.perf_counter()
        with peak_memory() as peak:
            result = crop_photographs(
                SlicedSource(source, frozenset(places)),
                folder / into / "crops",
                folder / into / "journal",
                settings,
                workers,
            )
        taken = sum(weights[place] for place in places)
        return result, taken, time.perf_counter() - started, peak

    few = min(total, FEW * _at_once(workers))
    result, n, took, peak = crop(few, "few")
    into, line = "few", Line(0.0, took / n)
    if (many := min(total, round(n * seconds / took))) > 2 * n:
        into = "many"
        result, n, took, peak = crop(many, into)
        line = Line(0.0, took / n)
    crops = folder / into / "crops"
    need = _cropping(name, "photographs", total, line.seconds(total), peak, workers, crops, n)
    return Cropped(result, crops, n, total, need)


def measure_recordings(
    name: str,
    recordings: Sequence[Recording],
    settings: FaceSettings,
    workers: Workers,
    seconds: float,
    folder: Path,
) -> Cropped:
    """Crop some coded frames of a few recordings, or all where there is time for it.

    A recording is decoded whole, however few of its frames have labels. So the same
    recordings are cropped twice, with fewer and with more labelled frames: what grows is the
    time of a face, and what does not is that of decoding.

    Arguments are ``measure_photographs``'s, but of `recordings`.
    """
    _warm_up(settings, workers, folder)
    total = sum(recording.weight for recording in recordings)

    def crop(some: Sequence[Recording], into: str) -> tuple[CropResult, int, float, Peak]:
        started = time.perf_counter()
        with peak_memory() as peak:
            result = crop_videos(
                some, folder / into / "crops", folder / into / "journal", settings, workers
            )
        n = sum(recording.weight for recording in some)
        return result, n, time.perf_counter() - started, peak

    few = recordings[: _at_once(workers)]
    result, n, took, peak = crop([_cut(recording, FEW) for recording in few], "few")
    whole, into = 0.0, "few"
    if took * total / n <= seconds:
        into = "all"
        result, n, took, peak = crop(recordings, into)
        whole = took
    else:
        more = max(2 * FEW, round(FEW * seconds / took))
        first, into = (n, took), "many"
        result, n, took, peak = crop([_cut(recording, more) for recording in few], into)
        line = Line.through(first, (n, took))
        if all(recording.pictures is None for recording in few):
            decoded = sum(recording.weight for recording in few)
            line = Line(0.0, line.each + line.once / decoded)
        whole = line.seconds(total)
    crops = folder / into / "crops"
    need = _cropping(name, "frames", total, whole, peak, workers, crops, n)
    return Cropped(result, crops, n, total, need)


def _cropping(
    name: str,
    unit: str,
    total: int,
    seconds: float,
    peak: Peak,
    workers: Workers,
    crops: Path,
    n: int,
) -> Need:
    n_bytes = sum(path.stat().st_size for path in crops.iterdir() if path.is_file())
    memory = peak.process + (0 if workers.here else _at_once(workers) * peak.worker)
    disk = n_bytes / n * total
    return Need(f"{name}: detection and cropping", total, unit, seconds, memory, disk=disk)


def _at_once(workers: Workers) -> int:
    return max(1, workers.count if workers.count is not None else cores())


def _cut(recording: Recording, n: int) -> Recording:
    """The recording with its first few labelled frames."""
    images = dict(islice(sorted(recording.images.items()), n))
    pictures = recording.pictures
    if pictures is not None:
        pictures = {frame: pictures[frame] for frame in images if frame in pictures}
    return replace(recording, images=images, pictures=pictures, tolerance=None)


def _warm_up(settings: FaceSettings, workers: Workers, folder: Path) -> None:
    """Let every worker process start and load the detector: a run does so once."""
    path = folder / "black.png"
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(path)
    black = [
        Recording(f"black{n}", "nobody", path, {1: f"{n}.jpg"}, {1: path})
        for n in range(_at_once(workers))
    ]
    crop_videos(black, folder / "warm-up", folder / "warm-up-journal", settings, workers)
