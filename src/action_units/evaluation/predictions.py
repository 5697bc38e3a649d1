"""Labels and predictions of some subjects, in memory, ready to be judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from action_units.evaluation import metrics, tables
from action_units.evaluation.metrics import Bools, Floats, Ints, Labels, PredictionError
from action_units.labels.action_units import au_columns

HIGHEST_INTENSITY = 5.0
"""FACS' E on DISFA's scale, to which probability 1 is mapped."""

_ARRAYS = (
    "labels",
    "probabilities",
    "predicted",
    "subjects",
    "frames",
    "recordings",
    "intensities",
    "head",
)


@dataclass(frozen=True, eq=False)
class Predictions:
    """What one network said of the frames of some subjects.

    Attributes:
        aus: The AUs of the columns.
        labels: 1, 0, or −1 where missing, (N, A).
        probabilities: (N, A).
        predicted: Whether each AU was called present, (N, A).
        subjects: Each frame's subject, (N,).
        frames: Each frame's number in its video, (N,); without them there are no events.
        recordings: Each frame's video, (N,).
        intensities: Coded 0 to 5, NaN where missing, (N, A); where the data has them.
        head: Intensities that an intensity head predicted, (N, A); where there is one.
    """

    aus: tuple[int, ...]
    labels: Labels
    probabilities: Floats
    predicted: Bools
    subjects: NDArray[np.str_]
    frames: Ints | None = None
    recordings: NDArray[np.str_] | None = None
    intensities: Floats | None = None
    head: Floats | None = None

    @property
    def estimates(self) -> Floats:
        """Predicted intensities, (N, A): the head's, or 5 × probability."""
        return HIGHEST_INTENSITY * self.probabilities if self.head is None else self.head

    @classmethod
    def read(
        cls,
        predictions: pd.DataFrame,
        thresholds: ArrayLike,
        aus: Sequence[int] | None = None,
    ) -> Self:
        """Take a predictions table apart.

        Args:
            predictions: Columns subject, ``AU01`` … (1, 0, −1), ``AU01_p`` …; where
                the data has them frame, recording (the video; the subject by default),
                ``AU01_r`` … (intensity) and ``AU01_r_p`` … (an intensity head's).
            thresholds: Present means probability ≥ threshold, (A,).
            aus: Which AUs; all that have a label column by default.

        Raises:
            PredictionError: A column is missing, lengths do not fit, or as
                `metrics.checked`.
        """
        if "subject" not in predictions:
            raise PredictionError(
                "the predictions have no column 'subject': expected the subject of each frame, "
                "because intervals are drawn over people."
            )
        chosen, y, p = tables.prediction_arrays(predictions, aus)
        limits = np.asarray(thresholds, np.float64)  # (A,)
        if limits.shape != (len(chosen),):
            raise PredictionError(
                f"{limits.size} thresholds for {len(chosen)} AUs: expected one for each."
            )
        subjects = metrics.checked_subjects(predictions["subject"].to_numpy(), len(y))
        where = "recording" if "recording" in predictions else "subject"
        coded = _columns(predictions, [f"{name}_r" for name in au_columns(chosen)])
        head = _columns(predictions, [f"{name}_r_p" for name in au_columns(chosen)])
        return cls(
            aus=chosen,
            labels=y,
            probabilities=p,
            predicted=p >= limits,
            subjects=subjects,
            frames=_frames(predictions),
            recordings=predictions[where].to_numpy().astype(str),
            intensities=None if coded is None else _checked_intensities(coded),
            head=None if head is None else _checked_head(head),
        )


def pool(parts: Sequence[Predictions]) -> Predictions:
    """The frames of several folds as one, each called present by its own fold's threshold."""

    def joined(name: str) -> Any:
        arrays = [getattr(part, name) for part in parts]
        return None if any(array is None for array in arrays) else np.concatenate(arrays)

    return Predictions(
        aus=parts[0].aus,
        **{name: joined(name) for name in _ARRAYS},
    )


def _frames(predictions: pd.DataFrame) -> Ints | None:
    """Frame numbers, or nothing where there are none to tell events by."""
    if "frame" not in predictions:
        return None
    numbers = pd.to_numeric(predictions["frame"], errors="coerce").to_numpy(np.float64)
    return None if np.isnan(numbers).any() else numbers.astype(np.int64)


def _columns(predictions: pd.DataFrame, names: Sequence[str]) -> Floats | None:
    """The columns as numbers, NaN where one is missing; nothing if all are."""
    if not any(name in predictions for name in names):
        return None
    return predictions.reindex(columns=list(names)).to_numpy(np.float64)


def _checked_intensities(coded: Floats) -> Floats:
    known = np.where(coded == metrics.MISSING, np.nan, coded)
    wrong = (known < 0) | (known > HIGHEST_INTENSITY)
    if wrong.any():
        frame, column = np.argwhere(wrong)[0]
        raise PredictionError(
            f"intensity {coded[frame, column]:g} in row {frame}, AU column {column}: expected "
            "0 to 5, or −1 or NaN where it is missing."
        )
    return known


def _checked_head(head: Floats) -> Floats:
    if not np.isfinite(head).all():
        frame, column = np.argwhere(~np.isfinite(head))[0]
        raise PredictionError(
            f"predicted intensity {head[frame, column]} in row {frame}, AU column {column}: "
            "expected a number; a network that diverged predicts NaN."
        )
    return head
