"""Faces worth looking at: the most confident right, wrong and missed ones of an AU."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from action_units.evaluation.metrics import Floats
from action_units.evaluation.tables import prediction_arrays
from action_units.labels.action_units import au_column

KINDS = {
    "right": "present, and found",
    "wrong": "absent, but called present",
    "missed": "present, but not found",
}
"""The kinds of example, in the order shown, with what each means."""


@dataclass(frozen=True)
class Example:
    """One face and what was said of it.

    Attributes:
        face: Grayscale, uint8 (H, W).
        subject: Whose it is.
        frame: Its frame number, or its file name where there is none.
        probability: Predicted for the AU.
    """

    face: NDArray[np.uint8]
    subject: str
    frame: str
    probability: float


def choose_examples(
    labels: NDArray[np.int8],
    probabilities: Floats,
    threshold: float,
    subjects: ArrayLike,
    n: int = 6,
) -> dict[str, NDArray[np.intp]]:
    """The most confident frames of each kind, one per subject.

    Neighbouring frames look alike, so each subject gives its most confident frame
    only.

    Args:
        labels: One AU's labels 1, 0 or −1, (N,).
        probabilities: (N,).
        threshold: Present means probability ≥ threshold.
        subjects: Each frame's subject, (N,).
        n: At most so many of each kind.

    Returns:
        Frame indices by kind of `KINDS`, most confident first.
    """
    present = probabilities >= threshold
    masks = {
        "right": ((labels == 1) & present, -probabilities),
        "wrong": ((labels == 0) & present, -probabilities),
        "missed": ((labels == 1) & ~present, probabilities),
    }
    who = np.asarray(subjects)
    chosen = {}
    for kind, (mask, key) in masks.items():
        index = np.flatnonzero(mask)
        index = index[np.argsort(key[index], kind="stable")]
        _, first = np.unique(who[index], return_index=True)
        chosen[kind] = index[np.sort(first)][:n]
    return chosen


def gather_examples(
    predictions: pd.DataFrame,
    thresholds: Sequence[float],
    faces: NDArray[np.uint8],
    images: ArrayLike,
    n: int = 6,
) -> dict[int, dict[str, list[Example]]]:
    """Examples of every AU of a predictions table.

    Args:
        predictions: Columns image, subject, ``AU01`` …, ``AU01_p`` …, and frame
            where there is one.
        thresholds: Per AU, (A,). A table of several folds may carry its own in
            columns ``AU01_t`` …; these win.
        faces: All faces, uint8 (M, H, W).
        images: The faces' image names, (M,), among them those of the predictions.
        n: At most so many of each kind.

    Returns:
        By AU, by kind of `KINDS`. Frames whose image is not among `images` are
        left out.
    """
    where = pd.Index(np.asarray(images).astype(str))
    row = where.get_indexer(pd.Index(predictions["image"].astype(str)))  # (N,), −1 unknown
    kept = predictions[row >= 0].reset_index(drop=True)
    row = row[row >= 0]
    aus, y, p = prediction_arrays(kept)
    subjects = kept["subject"].to_numpy()
    frames = kept["frame" if "frame" in kept else "image"].astype(str).to_numpy()
    found = {}
    for column, (au, limit) in enumerate(zip(aus, thresholds, strict=True)):
        own = f"{au_column(au)}_t"
        cut = kept[own].to_numpy(np.float64) if own in kept else np.full(len(kept), limit)
        # The margin orders alike within a fold and is fair between folds.
        kinds = choose_examples(y[:, column], p[:, column] - cut, 0.0, subjects, n)
        found[au] = {
            kind: [
                Example(
                    np.asarray(faces[row[i]]), str(subjects[i]), frames[i], float(p[i, column])
                )
                for i in index
            ]
            for kind, index in kinds.items()
        }
    return found


def join_folds(
    predictions: dict[int, pd.DataFrame], thresholds: dict[int, Sequence[float]]
) -> pd.DataFrame:
    """The folds' predictions as one table that carries each fold's thresholds.

    Args:
        predictions: By fold, for the same AUs.
        thresholds: By fold, per AU, (A,).
    """
    parts = []
    for fold, table in predictions.items():
        aus, _, _ = prediction_arrays(table)
        own = {
            f"{au_column(au)}_t": limit for au, limit in zip(aus, thresholds[fold], strict=True)
        }
        parts.append(table.assign(fold=fold, **own))
    return pd.concat(parts, ignore_index=True)
