"""The faces of an epoch: each once, or drawn so that AUs, subjects or sets are balanced.

They are a function of (seed, epoch) and the labels alone. A drawn epoch is as long as a plain
one; each appearance of a face has its own augmentation.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from action_units.config import Balance
from action_units.errors import ConfigurationError
from action_units.training.randomness import block_order, draw_offset, epoch_order

Weights = npt.NDArray[np.float64]

_COPY = 1 << 40


def face_weights(
    balance: Balance,
    targets: npt.NDArray[np.floating],
    groups: npt.NDArray[np.generic] | None = None,
) -> Weights | None:
    """How often each face is drawn, relative to the others.

    By AU: an AU is drawn first (or none), with equal chances, then a face that shows it. By
    subject or set: a subject or set first, with equal chances, then one of its faces. Both:
    a subject first, then an AU among those of that subject's faces.

    Args:
        balance: What to balance.
        targets: (N, A); at least one half is present, negative is missing.
        groups: (N,), the subject of each face, or with ``sets`` its set.

    Returns:
        (N,), with the sum 1; None where nothing is balanced.

    Raises:
        ConfigurationError: Subjects or sets are balanced and not given.
    """
    if balance == "none":
        return None
    group = np.zeros(len(targets), np.int64)
    if balance != "aus":
        if groups is None:
            what = "set" if balance == "sets" else "subject"
            raise ConfigurationError(
                f"Recipe option 'balance' is {balance}, and the faces have no {what}s; "
                f"give the job the {what} of each, or balance aus."
            )
        group = np.unique(groups, return_inverse=True)[1].reshape(-1)
    weights = np.ones(len(targets))
    if balance in ("aus", "both"):
        weights = _au_weights(targets, group)
    weights /= np.bincount(group, weights)[group]
    return weights / float(weights.sum())


def _au_weights(targets: npt.NDArray[np.floating], groups: npt.NDArray[np.int64]) -> Weights:
    """Within each group, the same sum of weights for each AU and for faces of none."""
    present = targets >= 0.5  # (N, A)
    shown = np.column_stack([present, ~present.any(axis=1)])  # (N, A + 1)
    weights = np.zeros(len(targets))
    for column in shown.T:
        count = np.bincount(groups, column)
        weights += column / np.maximum(count, 1.0)[groups]
    return weights


def epoch_faces(
    seed: int,
    epoch: int,
    n: int,
    weights: Weights | None = None,
    device: torch.device | str = "cpu",
    windows: tuple[int, int] | None = None,
) -> tuple[Tensor, Tensor]:
    """The faces of an epoch, in order.

    A weighted draw is systematic: a comb of n equal steps is laid over the faces' weights
    put end to end, so that a face of weight w comes up either floor(n w) or ceil(n w)
    times, and n w times in the mean over epochs.

    Args:
        seed: The training's seed.
        epoch: Counted from 0.
        n: The number of faces, and of places in an epoch.
        weights: As of ``face_weights``; each face comes once without.
        device: The result's.
        windows: Faces of a block and blocks of a window, as of ``block_order``; a full
            shuffle without.

    Returns:
        int64 (n,), positions of faces, and int64 (n,), the number of that appearance of its
        face in this epoch, counted from 0.
    """
    if windows is None:
        order = epoch_order(seed, epoch, n, device)
    else:
        order = block_order(seed, epoch, n, *windows, device)
    if weights is None:
        return order, torch.zeros_like(order)
    ends = np.cumsum(weights)
    comb = (np.arange(n) + draw_offset(seed, epoch)) / n
    picks = np.searchsorted(ends / ends[-1], comb, side="right")  # (n,), rising
    appearance = np.arange(n) - np.searchsorted(picks, picks, side="left")
    positions, appearances = (
        torch.from_numpy(array.astype(np.int64)).to(device) for array in (picks, appearance)
    )
    return positions[order], appearances[order]


def sample_numbers(rows: Tensor, appearances: Tensor) -> Tensor:
    """A number for each appearance of each row, both int64 (n,); the first is the row."""
    return rows + appearances * _COPY
