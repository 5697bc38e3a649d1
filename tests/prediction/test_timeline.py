"""Timelines: every peak and every call stays, gaps are gaps, one figure for each face."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import Collection
from matplotlib.patches import StepPatch

from action_units.errors import ConfigurationError
from action_units.evaluation.report.theme import LIGHT
from action_units.prediction import timeline
from action_units.prediction.timeline import draw_timeline, draw_timelines
from tests.prediction.drawn import AUS, table


def spans(collection: Collection) -> list[tuple[float, float]]:
    return [
        (float(path.vertices[:, 0].min()), float(path.vertices[:, 0].max()))
        for path in collection.get_paths()
    ]


def test_lines_calls_and_gaps_stand_at_their_seconds():
    of = {n: ([] if n in (4, 5) else [0]) for n in range(1, 11)}
    made = table(of)
    made.loc[made["frame"].isin([2, 3]), "AU12_c"] = 1
    made.loc[~made["frame"].isin([2, 3]), "AU12_c"] = pd.NA
    figure = draw_timeline(made, 0, "in.avi")
    axes = figure.axes[AUS.index(12)]
    assert axes.get_ylabel() == "AU12 lip corner puller"
    (steps,) = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    values, edges, _ = steps.get_data()
    assert np.allclose(edges, np.arange(11) / 20)
    expected = made.groupby("frame")["AU12_p"].max().to_numpy()
    np.testing.assert_array_equal(values, expected)
    away, called = axes.collections
    assert spans(away) == [pytest.approx((3 / 20, 5 / 20))]
    assert spans(called) == [pytest.approx((1 / 20, 3 / 20))]
    assert figure.axes[-1].get_xlim() == pytest.approx((0, 0.5))


def test_a_long_video_keeps_every_peak_and_every_call(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(timeline, "POINTS", 50)
    made = table({n: [0] for n in range(1, 1002)})
    made["AU01_p"], made["AU01_c"] = np.float32(0.1), 0
    peaks = [1, 2, 333, 500, 1001]
    made.loc[made["frame"].isin(peaks), ["AU01_p", "AU01_c"]] = [np.float32(0.9), 1]
    axes = draw_timeline(made, 0).axes[0]
    (steps,) = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    values, edges, _ = steps.get_data()
    assert len(values) == 50
    for peak in peaks:
        at = (peak - 0.5) / 20
        step = np.searchsorted(edges, at) - 1
        assert values[step] == np.float32(0.9)
        assert any(low <= at <= high for low, high in spans(axes.collections[-1]))
    assert (values == np.float32(0.9)).sum() == 4


def test_a_video_without_a_rate_is_drawn_by_frames():
    made = table({n: [0] for n in range(1, 6)})
    made["timestamp"] = np.nan
    axes = draw_timeline(made, 0).axes[-1]
    assert axes.get_xlabel() == "frame"
    assert axes.get_xlim() == (0, 5)


def test_frames_of_a_variable_rate_stand_at_their_own_seconds():
    made = table({n: [0] for n in range(1, 6)})
    made["timestamp"] = [0.0, 0.1, 0.2, 1.2, 2.2]
    axes = draw_timeline(made, 0).axes[0]
    (steps,) = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    assert steps.get_data().edges == pytest.approx([0.0, 0.1, 0.2, 1.2, 2.2, 2.75])


def test_each_face_has_a_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    one = draw_timelines(table({1: [3], 2: []}), tmp_path / "one.png", title="in.avi")
    assert one == [tmp_path / "one.png"]
    assert one[0].read_bytes().startswith(b"\x89PNG")
    several = table({1: [0, 1], 2: [1, 2], 3: [2]})
    made = draw_timelines(several, tmp_path / "all.png")
    assert [path.name for path in made] == [f"all_face{n}.png" for n in range(3)]
    monkeypatch.setattr(timeline, "MAX_FACES", 2)
    fewer = draw_timelines(several, tmp_path / "few.png")
    assert [path.name for path in fewer] == ["few_face1.png", "few_face2.png"]
    assert draw_timelines(table({1: [], 2: []}), tmp_path / "none.png") == []
    assert not (tmp_path / "none.png").exists()


def test_photographs_have_no_timeline(tmp_path: Path):
    made = table({1: [0]})
    made.insert(0, "image", "a.png")
    with pytest.raises(ConfigurationError, match="photographs, which have no time"):
        draw_timelines(made, tmp_path / "a.png")


def test_the_legend_says_what_is_drawn():
    legend = draw_timeline(table({1: [0], 2: []}), 0).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == [
        "probability, 0 to 1",
        "called present",
        "no face",
    ]
    assert legend.legend_handles[0].get_color() == LIGHT.ours
