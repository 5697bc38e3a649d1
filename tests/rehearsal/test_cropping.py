"""What cropping a slice took is extrapolated to the set; the clock is made up."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from action_units.faces.crop import FaceSettings
from action_units.faces.preprocess import CropResult, Recording
from action_units.faces.quarantine import Quarantine
from action_units.faces.workers import Workers
from action_units.rehearsal import cropping


@dataclass(frozen=True)
class Chunk:
    weight: int


@dataclass(frozen=True)
class Source:
    weights: list

    def chunks(self):
        return map(Chunk, self.weights)


@pytest.fixture
def work(monkeypatch):
    """Workers take 7 s to start, a picture a second; what was cropped, call by call."""
    calls, now = [], [0.0]

    def crop(n, folder):
        calls.append(n)
        now[0] += n
        folder.mkdir(parents=True)
        (folder / "crops.tar").write_bytes(bytes(10 * n))
        return CropResult(pd.DataFrame({"image": range(n)}), Quarantine(), n)

    def photographs(source, folder, *_):
        return crop(sum(chunk.weight for chunk in source.chunks()), folder)

    def videos(recordings, folder, *_):
        return crop(sum(one.weight for one in recordings), folder)

    def load(*_):
        now[0] += 7
        return []

    monkeypatch.setattr(cropping, "each", load)
    monkeypatch.setattr(cropping, "crop_photographs", photographs)
    monkeypatch.setattr(cropping, "crop_videos", videos)
    monkeypatch.setattr(cropping.time, "perf_counter", lambda: now[0])
    return calls


def recordings(*lengths):
    return [
        Recording(f"r{k}", "SN001", Path("v.avi"), dict.fromkeys(range(1, n + 1), "a.jpg"))
        for k, n in enumerate(lengths)
    ]


@pytest.mark.parametrize(
    ("weights", "seconds", "calls"),
    [
        ([1] * 1000, 20, [16]),  # no time for more than the first few
        ([1] * 1000, 80, [16, 80]),
        ([1] * 100, 1000, [16, 100]),  # all
        ([50] * 20, 20, [50]),  # an archive's chunk is read whole
    ],
)
def test_photographs_are_extrapolated(work, tmp_path, weights, seconds, calls):
    one = cropping.measure_photographs(
        "web", Source(weights), FaceSettings(), Workers(0), seconds, tmp_path
    )
    assert work == calls
    total = sum(weights)
    assert (one.need.amount, one.need.seconds, one.need.disk) == (total, 7 + total, 10 * total)
    assert (one.n, one.is_whole) == (calls[-1], calls[-1] == total)
    assert (one.folder / "crops.tar").stat().st_size == 10 * one.n


@pytest.mark.parametrize(("seconds", "calls"), [(5, [30]), (75, [30, 60]), (1000, [30, 120])])
def test_recordings_are_cropped_whole(work, tmp_path, seconds, calls):
    one = cropping.measure_recordings(
        "disfa", recordings(30, 40, 20, 30), FaceSettings(), Workers(0), seconds, tmp_path
    )
    assert work == calls
    assert (one.need.amount, one.need.seconds) == (120, 7 + 120)
    assert one.is_whole == (calls[-1] == 120)
