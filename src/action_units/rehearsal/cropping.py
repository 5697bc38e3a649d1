"""The time of detection and cropping, measured on a slice of a set's raw data."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from action_units.config import DetectorSettings
from action_units.faces.crop import FaceSettings
from action_units.faces.detection.registry import thread_detector
from action_units.faces.preprocess import (
    CropResult,
    Recording,
    crop_photographs,
    crop_videos,
)
from action_units.faces.workers import Workers, each
from action_units.media.photographs import Chunk, PhotographSource
from action_units.rehearsal.estimate import Need
from action_units.rehearsal.memory import peak_memory
from action_units.rehearsal.slices import evenly
from action_units.threads import cores

FEW = 16
"""Photographs for each worker before their rate is known."""


@dataclass(frozen=True)
class Cropped:
    """A slice that was cropped.

    Attributes:
        result: Its crops.
        folder: Where they lie.
        n: How many pictures were worked on.
        need: Of all pictures; `amount` is how many the set has, of an archive about.
    """

    result: CropResult
    folder: Path
    n: int
    need: Need

    @property
    def is_whole(self) -> bool:
        """Whether the slice is all of the set."""
        return self.n == self.need.amount


@dataclass(frozen=True)
class _Slice:
    """Some chunks of a source of photographs."""

    source: PhotographSource
    places: set[int]

    def chunks(self) -> Iterator[Chunk]:
        """The chunks at these places."""
        return (one for place, one in enumerate(self.source.chunks()) if place in self.places)


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
    weights = [chunk.weight for chunk in source.chunks()]
    few = math.ceil(FEW * _at_once(workers) * len(weights) / sum(weights))

    def crop(places: list[int], *options: Any) -> CropResult:
        return crop_photographs(_Slice(source, set(places)), *options)

    need = Need(f"{name}: detection and cropping", sum(weights), "photographs", seconds)
    return _measure(need, weights, few, crop, settings, workers, folder)


def measure_recordings(
    name: str,
    recordings: Sequence[Recording],
    settings: FaceSettings,
    workers: Workers,
    seconds: float,
    folder: Path,
) -> Cropped:
    """Crop some recordings, one for each worker or more, as a video is decoded whole.

    Arguments are ``measure_photographs``'s, but of `recordings`.
    """
    weights = [recording.weight for recording in recordings]

    def crop(places: list[int], *options: Any) -> CropResult:
        return crop_videos([recordings[place] for place in places], *options)

    need = Need(f"{name}: detection and cropping", sum(weights), "frames", seconds)
    return _measure(need, weights, _at_once(workers), crop, settings, workers, folder)


def _measure(
    need: Need,
    weights: Sequence[int],
    n: int,
    crop: Callable[..., CropResult],
    settings: FaceSettings,
    workers: Workers,
    folder: Path,
) -> Cropped:
    """Crop `n` chunks, and then more if the seconds of `need` are not over."""
    started = time.perf_counter()
    list(each(_load_detector, [settings.detector] * _at_once(workers), workers))
    start = time.perf_counter() - started  # of the processes, once
    while True:
        places, into = evenly(n, len(weights)), folder / str(n)
        started = time.perf_counter()
        with peak_memory() as peak:
            result = crop(places, into / "crops", into / "journal", settings, workers)
        took = time.perf_counter() - started
        affordable = min(len(weights), math.floor(n * (need.seconds or 0.0) / took))
        if affordable < 2 * n:
            break
        n = affordable
    done = sum(weights[place] for place in places)
    n_bytes = sum(path.stat().st_size for path in (into / "crops").iterdir() if path.is_file())
    times = need.amount / done
    need = replace(
        need,
        seconds=start + times * took,
        memory=peak.process + peak.workers,
        disk=times * n_bytes,
    )
    return Cropped(result, into / "crops", done, need)


def _at_once(workers: Workers) -> int:
    return max(1, workers.count if workers.count is not None else cores())


def _load_detector(detector: DetectorSettings) -> None:
    thread_detector(detector)
