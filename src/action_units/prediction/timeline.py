"""Every AU along a video, from a table of predictions: one figure per face."""

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from action_units.errors import ConfigurationError
from action_units.evaluation.report.theme import LIGHT, style, to_png
from action_units.files import write_bytes
from action_units.labels.action_units import AU_NAMES, au_column, aus_of_columns
from action_units.prediction.panel import one_line

logger = logging.getLogger(__name__)

_SHADE, _HATCH = 0.35, "////"

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

POINTS = 1200
"""Steps of a figure in time, about one a pixel; a step of several frames shows the highest."""

MAX_FACES = 12
"""Of more faces, those with the most frames are drawn."""


def draw_timelines(table: pd.DataFrame, out: Path, *, title: str = "") -> list[Path]:
    """Draw predictions along a video.

    Args:
        table: The video's predictions.
        out: The PNG; with several faces, ``_face0`` and so on precede its suffix.
        title: Above each figure, with the number of the face.

    Returns:
        The figures' files, in the order of the faces; none where no face was found.

    Raises:
        ArtifactError: The disk refused.
        ConfigurationError: The table is of photographs.
    """
    if "image" in table:
        raise ConfigurationError(
            "a timeline is drawn of a video; this table is of photographs, which have no time."
        )
    lengths = table.loc[table["face_id"] >= 0, "face_id"].value_counts(sort=False)
    faces = sorted(lengths.index, key=lambda face: (-lengths[face], face))
    if len(faces) > MAX_FACES:
        logger.warning(
            "%s: timelines of the %d of %d faces that have the most frames.",
            title or out,
            MAX_FACES,
            len(faces),
        )
    paths = []
    for face in sorted(faces[:MAX_FACES]):
        path = out if len(faces) == 1 else out.with_name(f"{out.stem}_face{face}{out.suffix}")
        heading = " · ".join(part for part in (title, f"face {face}") if part)
        write_bytes(path, to_png(draw_timeline(table, int(face), heading)))
        paths.append(path)
    return paths


def draw_timeline(table: pd.DataFrame, face: int, title: str = "") -> Figure:
    """Probabilities of every AU of one face over time; frames called present are shaded."""
    aus = aus_of_columns(str(name)[:-2] for name in table if str(name).endswith("_p"))
    frames = int(table["frame"].max())
    edges = np.linspace(0.0, frames, min(frames, POINTS) + 1)  # in frames, (B + 1,)
    own = table[table["face_id"] == face]
    place = (own["frame"].to_numpy(np.int64) - 1) * (len(edges) - 1) // frames
    times, unit = _times(table)
    moments = np.interp(edges, np.arange(len(times)), times)
    with style(LIGHT):
        figure = Figure(figsize=(10, 0.46 * len(aus) + 1.05), layout="constrained")
        rows = figure.subplots(len(aus), 1, sharex=True, squeeze=False)[:, 0]
        for au, axes in zip(aus, rows, strict=True):
            column = au_column(au)
            highest = np.full(len(edges) - 1, np.nan)  # (B,)
            np.fmax.at(highest, place, own[f"{column}_p"].to_numpy(np.float64))
            called = np.zeros(len(edges) - 1, np.bool_)
            called[place[(own[f"{column}_c"] == 1).to_numpy(np.bool_, na_value=False)]] = True
            _draw_row(axes, moments, highest, called)
            name = f"{column} {AU_NAMES.get(au, '').lower()}"
            axes.set_ylabel(name, rotation=0, ha="right", va="center", color=LIGHT.ink)
        figure.suptitle(
            one_line(title), x=0.01, ha="left", fontsize=11, fontweight="bold", parse_math=False
        )
        rows[-1].set_xlim(moments[0], moments[-1])
        rows[-1].set_xlabel(unit)
        rows[-1].tick_params(labelbottom=True)
        figure.legend(
            handles=[
                Line2D([], [], color=LIGHT.ours, label="probability, 0 to 1"),
                Patch(color=LIGHT.scratch, alpha=_SHADE, lw=0, label="called present"),
                Patch(fc=LIGHT.paper, ec=LIGHT.muted, hatch=_HATCH, lw=0, label="no face"),
            ],
            loc="outside upper right",
            ncols=3,
            frameon=False,
        )
    return figure


def _draw_row(axes: Axes, edges: Floats, highest: Floats, called: Bools) -> None:
    """One AU: a line that ends where the face is absent, over shaded frames."""
    absent = _spans(np.isnan(highest), edges)
    axes.broken_barh(absent, (0, 1), fc=LIGHT.paper, ec=LIGHT.muted, hatch=_HATCH, lw=0)
    axes.broken_barh(_spans(called, edges), (0, 1), fc=LIGHT.scratch, alpha=_SHADE, lw=0)
    axes.stairs(highest, edges, baseline=None, color=LIGHT.ours, lw=1.2)
    axes.set_ylim(-0.06, 1.06)
    axes.set_yticks([])
    axes.tick_params(length=0, labelbottom=False)


def _spans(chosen: Bools, edges: Floats) -> list[tuple[float, float]]:
    """Start and length of each run of true values."""
    turns = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    starts, stops = edges[turns[::2]], edges[turns[1::2]]
    return list(zip(starts.tolist(), (stops - starts).tolist(), strict=True))


def _times(table: pd.DataFrame) -> tuple[Floats, str]:
    """When each frame begins and the last one ends, in seconds, or else in frames."""
    seconds = table.drop_duplicates("frame").sort_values("frame")["timestamp"]
    times = seconds.to_numpy(np.float64)
    steps = np.diff(times)
    if not len(steps) or not (steps >= 0).all() or not times[-1] > times[0]:
        return np.arange(len(times) + 1, dtype=np.float64), "frame"
    return np.append(times, times[-1] + np.median(steps)), "seconds"
