"""Faces worth looking at: the most confident true and false predictions of an AU."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from action_units.evaluation.metrics import Floats
from action_units.evaluation.predictions import prediction_arrays

KINDS = {
    "true positive": "present, and found",
    "false positive": "absent, but called present",
    "false negative": "present, but not found",
}
"""The kinds of example, in the order shown, with what each means."""


@dataclass(frozen=True)
class Example:
    """One face and its prediction.

    Attributes:
        face: uint8 (H, W), or in colour (H, W, 3).
        subject: The subject.
        frame: Its frame number, or its file name if it has none.
        probability: Predicted for the AU.
    """

    face: NDArray[np.uint8]
    subject: str
    frame: str
    probability: float


def choose_examples(
    labels: NDArray[np.int8],
    margins: Floats,
    subjects: ArrayLike,
    n: int = 6,
) -> dict[str, NDArray[np.intp]]:
    """The most confident frames of each kind, one per subject: neighbours look alike.

    Args:
        labels: One AU's labels 1, 0 or −1, (N,).
        margins: Probability minus threshold, (N,); from 0 on the AU is called present.
        subjects: Each frame's subject, (N,).
        n: At most so many of each kind.

    Returns:
        Frame indices by kind of `KINDS`, most confident first.
    """
    present = margins >= 0
    masks = (labels == 1) & present, (labels == 0) & present, (labels == 1) & ~present
    keys = -margins, -margins, margins
    per_frame = np.asarray(subjects)
    chosen = {}
    for kind, mask, key in zip(KINDS, masks, keys, strict=True):
        index = np.flatnonzero(mask)
        index = index[np.argsort(key[index], kind="stable")]
        _, first = np.unique(per_frame[index], return_index=True)
        chosen[kind] = index[np.sort(first)][:n]
    return chosen


def gather_examples(
    predictions: Mapping[int, pd.DataFrame],
    thresholds: Mapping[int, Sequence[float]],
    faces: NDArray[np.uint8],
    images: ArrayLike,
    n: int = 6,
) -> dict[int, dict[str, list[Example]]]:
    """Examples of every AU of several folds' predictions, each by its fold's thresholds.

    Args:
        predictions: By fold, for the same AUs: columns image, subject, ``AU01`` …,
            ``AU01_p`` …, and frame if known.
        thresholds: By fold, per AU, (A,).
        faces: All faces, uint8 (M, H, W[, 3]).
        images: The faces' image names, (M,), among them those of the predictions.
        n: At most so many of each kind.

    Returns:
        By AU, by kind of `KINDS`. Frames whose image is not among `images` are left out.
    """
    table = pd.concat(list(predictions.values()), ignore_index=True)
    lengths = [len(part) for part in predictions.values()]
    limits = np.repeat([thresholds[fold] for fold in predictions], lengths, axis=0)  # (N, A)
    names = pd.Index(np.asarray(images).astype(str))
    row = names.get_indexer(pd.Index(table["image"].astype(str)))  # (N,), −1 unknown
    table, limits, row = table[row >= 0].reset_index(drop=True), limits[row >= 0], row[row >= 0]
    aus, y, p = prediction_arrays(table)
    subjects = table["subject"].to_numpy()
    frames = table["frame" if "frame" in table else "image"].astype(str).to_numpy()
    examples = {}
    for column, au in enumerate(aus):
        # The margin orders alike within a fold and is fair between folds.
        margins = p[:, column] - limits[:, column]
        kinds = choose_examples(y[:, column], margins, subjects, n)
        examples[au] = {
            kind: [
                Example(
                    np.asarray(faces[row[i]]), str(subjects[i]), frames[i], float(p[i, column])
                )
                for i in index
            ]
            for kind, index in kinds.items()
        }
    return examples
