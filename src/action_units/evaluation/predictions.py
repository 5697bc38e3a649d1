"""Predictions: labels and probabilities, validated; and checks for data leakage.

A network may be tested only on subjects that nothing was learned from or chosen on: no
weights, no epoch, no threshold, calibration or smoothing window.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from action_units.errors import ActionUnitsError, ConfigurationError
from action_units.evaluation.metrics import MISSING, Bools, Floats, Ints, Labels
from action_units.labels.action_units import au_columns, aus_of_columns

HIGHEST_INTENSITY = 5.0
"""FACS' E on DISFA's scale."""

EPS = 1e-6
"""Probabilities are clipped to [EPS, 1 - EPS] before their logits are averaged."""


class PredictionError(ActionUnitsError):
    """Labels and probabilities that are invalid or do not belong together."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Labels and one network's predictions for the frames of some subjects.

    Attributes:
        aus: The AUs of the columns.
        labels: 1, 0, or −1 where missing, (N, A).
        probabilities: (N, A).
        predicted: Whether each AU was called present, (N, A).
        subjects: Each frame's subject, (N,).
        frames: Each frame's number in its video, (N,); without them there are no events.
        recordings: Each frame's video, named with its subject, (N,).
        sets: Each frame's coded set, (N,); where the data says.
        intensities: Coded 0 to 5, NaN where missing, (N, A); where the data has them.
        estimates: Predicted intensities, NaN for an AU that has none, (N, A); where the model
            has a curve for them.
        training_means: Mean coded intensity of the subjects that each frame's network was
            trained on, NaN where it is not known, (N, A); where the table has it.
    """

    aus: tuple[int, ...]
    labels: Labels
    probabilities: Floats
    predicted: Bools
    subjects: NDArray[np.str_]
    frames: Ints | None = None
    recordings: NDArray[np.str_] | None = None
    sets: NDArray[np.str_] | None = None
    intensities: Floats | None = None
    estimates: Floats | None = None
    training_means: Floats | None = None

    @property
    def present_from(self) -> float | None:
        """The lowest intensity that is labelled present; None where that is not known."""
        if self.intensities is None:
            return None
        present = self.intensities[(self.labels == 1) & ~np.isnan(self.intensities)]
        return float(present.min()) if present.size else None

    @classmethod
    def read(
        cls, table: pd.DataFrame, thresholds: ArrayLike, aus: Sequence[int] | None = None
    ) -> Self:
        """Read a predictions table.

        Args:
            table: Columns subject, ``AU01`` … (1, 0, −1), ``AU01_p`` …; where the data has
                them frame, recording (one of the subject's videos), set, ``AU01_r`` …
                (coded intensity), ``AU01_e`` … (its estimate) and ``AU01_m`` … (the mean of the
                training subjects).
            thresholds: Present means probability ≥ threshold, (A,).
            aus: All that have a label column by default.

        Raises:
            PredictionError: A column is missing, lengths do not fit, or as `check_arrays`.
        """
        if "subject" not in table:
            raise PredictionError(
                "the predictions have no column 'subject': expected the subject of each frame, "
                "because intervals are drawn over people."
            )
        chosen, y, p = prediction_arrays(table, aus)
        limits = np.asarray(thresholds, np.float64)  # (A,)
        if limits.shape != (len(chosen),):
            raise PredictionError(
                f"{limits.size} thresholds for {len(chosen)} AUs: expected one for each."
            )
        subjects = check_subjects(table["subject"].to_numpy(), len(y))
        # Other subjects may have recordings of the same names, and one may be in two sets.
        videos = subjects
        for name in ("set", "recording"):
            if name in table and table[name].nunique() > 1:
                parts = table[name].fillna("").to_numpy().astype(str)
                videos = np.char.add(np.char.add(videos, "/"), parts)
        return cls(
            aus=chosen,
            labels=y,
            probabilities=p,
            predicted=p >= limits,
            subjects=subjects,
            frames=_frames(table),
            recordings=videos,
            sets=table["set"].to_numpy().astype(str) if "set" in table else None,
            intensities=_intensities(table, chosen, "_r"),
            estimates=_intensities(table, chosen, "_e"),
            training_means=_intensities(table, chosen, "_m"),
        )

    def select(self, rows: NDArray[Any]) -> Self:
        """Some of the frames: their indices (M,), or a mask (N,)."""
        chosen: dict[str, Any] = {
            name: value if value is None else value[rows]
            for name, value in vars(self).items()
            if name != "aus"
        }
        return replace(self, **chosen)


def pool(parts: Sequence[Predictions]) -> Predictions:
    """The frames of several folds as one, each called present by its own fold's threshold."""
    joined: dict[str, Any] = {}
    for name in [field.name for field in fields(Predictions) if field.name != "aus"]:
        arrays = [getattr(part, name) for part in parts]
        missing = any(array is None for array in arrays)
        joined[name] = None if missing else np.concatenate(arrays)
    return Predictions(aus=parts[0].aus, **joined)


def prediction_arrays(
    table: pd.DataFrame, aus: Sequence[int] | None = None
) -> tuple[tuple[int, ...], Labels, Floats]:
    """The AUs, labels (N, A) and probabilities (N, A) of a predictions table.

    Args:
        table: Labels in ``AU01`` …, probabilities in ``AU01_p`` ….
        aus: All that have a label column by default.

    Raises:
        PredictionError: A column is missing, or as `check_arrays`.
    """
    chosen = tuple(aus) if aus is not None else aus_of_columns(table.columns)
    names = au_columns(chosen)
    scores = [f"{name}_p" for name in names]
    if missing := [c for c in (*names, *scores) if c not in table.columns]:
        raise PredictionError(
            f"the predictions have no column {missing[0]!r}: expected labels in "
            f"{names[0] if names else 'AU01'!s} … and probabilities in "
            f"{scores[0] if scores else 'AU01_p'} … for the same AUs."
        )
    y, p = check_arrays(table[names].to_numpy(), table[scores].to_numpy())
    return chosen, y, p


def check_arrays(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Labels, Floats]:
    """Labels as int8 and probabilities as float64, both (N, A).

    Raises:
        PredictionError: Shapes differ, a label is not 1, 0, −1 or NaN, or a probability is
            NaN or outside 0 to 1; the message names the row and the column.
    """
    y, p = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if y.dtype.kind == "f":
        y = np.where(np.isnan(y), MISSING, y)
    if y.ndim != 2 or y.shape != p.shape:
        raise PredictionError(
            f"labels of shape {y.shape} and probabilities of shape {p.shape}: both must be "
            "(frames, AUs) and alike."
        )
    _check(
        (y == 0) | (y == 1) | (y == MISSING),
        y,
        "label",
        "1, 0, or −1 or NaN for a label that is missing",
    )
    if p.size and not (p.min() >= 0.0 and p.max() <= 1.0):  # NaN fails both
        _check(
            (p >= 0.0) & (p <= 1.0),
            p,
            "probability",
            "a number from 0 to 1; a network that diverged predicts NaN",
        )
    return y.astype(np.int8, copy=False), p


def check_subjects(subjects: ArrayLike, n: int) -> NDArray[np.str_]:
    """Each frame's subject as text, (N,).

    Raises:
        PredictionError: There is not one subject for each of the `n` frames.
    """
    per_frame = np.asarray(subjects)
    if per_frame.shape != (n,):
        raise PredictionError(
            f"{per_frame.size} subjects for {n} frames: expected one per frame."
        )
    return per_frame.astype(str)


def mean_logit(values: ArrayLike) -> Floats:
    """Probabilities or thresholds whose logits are the mean over networks, (M, …) to (…)."""
    clipped = np.clip(np.asarray(values, np.float64), EPS, 1 - EPS)
    return np.asarray(expit(logit(clipped).mean(axis=0)), np.float64)


def check_no_shared_subjects(
    known: Collection[str], test: Collection[str], where: str = "this run"
) -> None:
    """Check that no test subject is among the training and validation subjects.

    Args:
        known: Subjects of training and validation.
        test: Subjects to test on.
        where: Such as ``fold 1``, for the message.

    Raises:
        ConfigurationError: A subject is on both sides; names the first.
    """
    if shared := sorted(set(known) & set(test)):
        raise ConfigurationError(
            f"{where} tests on {shared[0]}, who is also among its training or validation "
            f"subjects ({_count(shared)} in all): test subjects must be new."
        )


def check_not_fitted_on_test(
    fitted_on: Collection[str], test: Collection[str], what: str = "the thresholds"
) -> None:
    """Check that thresholds, calibration, smoothing or an epoch saw no test subject.

    Args:
        fitted_on: Subjects it was chosen or fitted on.
        test: Subjects to test on.
        what: What was chosen, for the message.

    Raises:
        ConfigurationError: A subject is on both sides; names the first.
    """
    if shared := sorted(set(fitted_on) & set(test)):
        raise ConfigurationError(
            f"{what}: chosen on {shared[0]}, who is tested on ({_count(shared)} in all); "
            "choose on validation subjects, held out of the training folds."
        )


def check_not_trained_on_test(provenance: Mapping[str, Any], test: Collection[str]) -> None:
    """Check that test subjects were not used to train a network or choose its epoch.

    Args:
        provenance: The network's; ``subjects`` in it holds its ``train`` and ``validation``
            subjects. A network without such a record passes.
        test: Subjects to test on.

    Raises:
        ConfigurationError: A subject is on both sides; names the first.
    """
    subjects = provenance.get("subjects", {})
    check_no_shared_subjects(subjects.get("train", ()), test, "the network's evaluation")
    check_not_fitted_on_test(subjects.get("validation", ()), test, "the network's epoch")


def check_no_duplicate_images(
    table: pd.DataFrame,
    known: Collection[str],
    test: Collection[str],
    faces: NDArray[np.uint8] | None = None,
) -> None:
    """Check that no image is on both sides under the names of two subjects.

    Neighbouring frames of one video may be identical, so only images of different sides are
    compared. A crop of one even tone, as a camera's dropout leaves it, shows no face: with
    `faces` such crops are ignored.

    Args:
        table: One row an image: image, subject, and the ``sha256`` of its file.
        known: Subjects of training and validation.
        test: Subjects to test on.
        faces: The images, (N, H, W[, 3]), in the order of the table.

    Raises:
        ConfigurationError: Names the first pair, and how many test images are affected.
    """
    subjects = table["subject"].astype(str)
    tested = subjects.isin(list(test)) & table["sha256"].astype(bool)
    learned = table[subjects.isin(list(known)).to_numpy()]
    first = learned.drop_duplicates("sha256").set_index("sha256")  # of each image
    rows = np.flatnonzero((tested & table["sha256"].isin(first.index)).to_numpy())
    if faces is not None and rows.size:
        flat = np.asarray(faces[rows]).reshape(rows.size, -1)
        rows = rows[flat.min(axis=1) < flat.max(axis=1)]
    if rows.size:
        copy = table.iloc[rows[0]]
        original = first.loc[copy["sha256"]]
        raise ConfigurationError(
            f"{copy['image']} of {copy['subject']}, who is tested on, is the same picture as "
            f"{original['image']} of {original['subject']}, who is trained or validated on "
            f"(SHA-256 {copy['sha256'][:12]}…; such test pictures: {rows.size:,}): remove one "
            "of the copies, or put both subjects on one side."
        )


def _check(valid: Bools, values: NDArray[Any], what: str, expected: str) -> None:
    if not valid.all():
        frame, column = np.argwhere(~valid)[0]
        value = values[frame, column]
        text = f"{value:g}" if isinstance(value, np.floating) else str(value)
        raise PredictionError(
            f"{what} {text} in row {frame}, AU column {column}: expected {expected}."
        )


def _frames(table: pd.DataFrame) -> Ints | None:
    """Frame numbers; None where a frame has none."""
    if "frame" not in table:
        return None
    numbers = pd.to_numeric(table["frame"], errors="coerce").to_numpy(np.float64)
    return None if np.isnan(numbers).any() else numbers.astype(np.int64)


def _intensities(table: pd.DataFrame, aus: Sequence[int], ending: str) -> Floats | None:
    """Intensities of the columns ``AU01{ending}`` …, NaN where missing; None without."""
    names = [f"{name}{ending}" for name in au_columns(aus)]
    if not any(name in table for name in names):
        return None
    coded = table.reindex(columns=names).to_numpy(np.float64)
    coded = np.where(coded == MISSING, np.nan, coded)  # a copy: the table stays as it is
    valid = np.isnan(coded) | ((coded >= 0) & (coded <= HIGHEST_INTENSITY))
    _check(valid, coded, "intensity", "0 to 5, or −1 or NaN where it is missing")
    return coded


def _count(shared: list[str]) -> str:
    return "1 subject" if len(shared) == 1 else f"{len(shared)} subjects"
