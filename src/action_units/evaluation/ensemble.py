"""Several networks that answer as one, by the mean of their logits."""

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

EPS = 1e-6
"""So far from 0 and 1 are probabilities and thresholds kept whose logits are averaged."""


def mean_logit(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Probabilities whose logits are the mean over the first axis.

    Args:
        values: (M, …), of each network.

    Returns:
        (…).
    """
    within = np.clip(np.asarray(values, np.float64), EPS, 1 - EPS)
    return np.asarray(expit(logit(within).mean(axis=0)), np.float64)
