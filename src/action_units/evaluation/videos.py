"""Frames in the order of their videos."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from action_units.evaluation.metrics import Bools


def in_order(recordings: ArrayLike, frames: ArrayLike) -> tuple[NDArray[np.intp], Bools]:
    """Sort frames by video and number.

    Args:
        recordings: Each frame's video, (N,).
        frames: Its number there, (N,).

    Returns:
        * The order, row numbers (N,).
        * In that order, whether a frame directly follows the one before it: it does
          not where a video begins or a number is left out or comes twice, (N,).
    """
    videos, numbers = np.asarray(recordings), np.asarray(frames)
    order = np.lexsort((numbers, videos))
    same = videos[order][1:] == videos[order][:-1]
    follows = np.zeros(order.size, np.bool_)
    follows[1:] = same & (np.diff(numbers[order]) == 1)
    return order, follows


def runs(mask: Bools, follows: Bools) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where unbroken runs of true frames start and stop (the frame after the last).

    Args:
        mask: (N,).
        follows: As `in_order` gives it, (N,).
    """
    joined = np.zeros(mask.size, np.bool_)  # to the frame before
    joined[1:] = mask[1:] & mask[:-1] & follows[1:]
    last = np.append(~joined[1:], True)[: mask.size]
    return np.flatnonzero(mask & ~joined), np.flatnonzero(mask & last) + 1
