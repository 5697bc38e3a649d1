"""Labels that a network disbelieves, for a person to look at.

Confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty
in Dataset Labels", JAIR 2021), with each AU as two classes. The probabilities must be of faces
that the network was not trained on. They need no calibration: within an AU only their order
counts, and the thresholds are means of the same numbers.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from action_units.evaluation.metrics import Floats
from action_units.labels.coded_frames import MISSING


def doubted(
    labels: NDArray[np.int8], probabilities: Floats
) -> tuple[NDArray[np.bool_], Floats]:
    """The labels of one AU that lie off the diagonal of the confident joint.

    A label is doubted where the network believes in the opposite at least as much as it does
    on average in faces that carry the opposite label (Northcutt et al., equation 1). Where
    that average is no higher for present than for absent, none is.

    Args:
        labels: 1, 0 or −1 (missing), (N,).
        probabilities: That the AU is present, (N,).

    Returns:
        Which labels are doubted, (N,); and the mean probability of faces labelled absent and
        labelled present, (2,), NaN where there are none.
    """
    chosen = [probabilities[labels == label] for label in (0, 1)]
    means = np.array([p.mean() if len(p) else np.nan for p in chosen])
    off = np.where(labels == 1, probabilities <= means[0], probabilities >= means[1])
    return off & (labels != MISSING) & (means[1] > means[0]), means


def audit(
    labels: NDArray[np.int8],
    probabilities: NDArray[np.floating],
    aus: Sequence[int],
    n: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The least believed labels of each AU, and how many are doubted.

    Args:
        labels: 1, 0 or −1 (missing), (N, A).
        probabilities: Of faces that the network was not trained on, (N, A).
        aus: The AU of each column.
        n: List at most so many labels of an AU and class.

    Returns:
        One row a listed label, present before absent and the least believed first: ``au``,
        ``label``, ``probability``, ``doubted`` and ``row``, its face's. And one row an AU and
        class: ``au``, ``label``, ``n``, ``doubted``, and ``mean``, the mean probability, NaN
        without such a label; ``doubted`` is NaN where the network does not tell the classes
        apart, or one has no label.
    """
    listed, counts = [], []
    for column, au in enumerate(aus):
        y, p = labels[:, column], probabilities[:, column].astype(np.float64)
        off, means = doubted(y, p)
        for label in (1, 0):
            rows = np.flatnonzero(y == label)
            rows = rows[np.argsort(p[rows] if label else -p[rows], kind="stable")]
            count = off[rows].sum() if means[1] > means[0] else np.nan
            counts.append((au, label, len(rows), count, means[label]))
            listed += [(au, label, p[row], bool(off[row]), row) for row in rows[:n]]
    return (
        pd.DataFrame(listed, columns=["au", "label", "probability", "doubted", "row"]),
        pd.DataFrame(counts, columns=["au", "label", "n", "doubted", "mean"]),
    )
