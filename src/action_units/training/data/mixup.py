"""Mixup (Zhang et al. 2018, arXiv 1710.09412): faces and labels of pairs, blended.

The faces of places 0 and 1 of a batch are each other's partners, those of 2 and 3, and so
on; an odd last one stays alone. So a face's partner follows from the epoch's order, and a
batch that is cut into even pieces gives the same result.
"""

import torch
from torch import Tensor


def mix(x: Tensor, targets: Tensor, part: Tensor) -> tuple[Tensor, Tensor]:
    """Blend each face of a batch with its partner.

    Args:
        x: float32 (B, C, S, S).
        targets: float32 (B, A) in [0, 1]; negative where missing.
        part: float32 (B,), the partner's share of each.

    Returns:
        The blended faces and targets; a label that either lacks is missing.
    """
    places = torch.arange(len(x), device=x.device)
    partner = torch.minimum(places ^ 1, places[-1])
    theirs = targets[partner]
    blended = torch.lerp(targets, theirs, part[:, None])
    missing = (targets < 0) | (theirs < 0)
    mixed = torch.lerp(x, x[partner], part[:, None, None, None])
    return mixed, blended.masked_fill(missing, -1.0)
