"""Slices of data sets, and what the whole of a set will be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from action_units.faces.store import FaceStore
from action_units.rehearsal.estimate import Need

SCRATCH = "action-units-rehearsal"
"""The name of temporary folders."""


@dataclass(frozen=True)
class SetSlice:
    """A rehearsed set.

    Attributes:
        faces: Packed faces of a slice of it.
        whole: The faces that all of it will have: labels and people; its pixels are none.
        needs: Of its stages.
    """

    faces: FaceStore
    whole: FaceStore
    needs: tuple[Need, ...]


def evenly(n: int, total: int) -> list[int]:
    """At most `n` places among `total`, evenly spaced, from the first to the last."""
    return sorted({round(place) for place in np.linspace(0, total - 1, min(n, total))})


def tiled(table: pd.DataFrame, n: int) -> pd.DataFrame:
    """As many rows as wanted, of other images and people each time the table is repeated."""
    times = np.arange(n) // max(1, len(table))
    rows = table.iloc[np.arange(n) % len(table)].reset_index(drop=True)
    for name in ("image", "subject"):
        own = rows[name].astype(str)
        rows[name] = np.where(times > 0, own + "~" + times.astype(str), own)
    return rows


def without_pixels(table: pd.DataFrame, aus: Sequence[int]) -> FaceStore:
    """A store with a table's people and labels, whose faces are one black pixel."""
    table = table.assign(sha256=table["image"].astype(str)).reset_index(drop=True)
    return FaceStore(np.zeros((len(table), 1, 1), np.uint8), table, tuple(aus))


def training_slice(
    faces: FaceStore, n_training: int, n_validation: int, subjects: int = 4
) -> tuple[FaceStore, dict[str, Any]]:
    """Faces for a short training, repeated as often as it needs.

    Args:
        faces: A slice.
        n_training: How many to learn from.
        n_validation: How many to validate on.
        subjects: How many people they are of.

    Returns:
        The faces, with the columns ``split`` and ``subject``; and who trains and validates.
    """
    n = n_training + n_validation
    # Shuffled, so that both parts have faces of all sets, with the labels of each.
    rows = np.resize(np.random.default_rng(0).permutation(len(faces)), n)
    number = np.arange(n)
    part = np.where(number < n_training, "train", "validation")
    table = faces.table.iloc[rows].reset_index(drop=True)
    table = table.assign(
        image=[f"{place}.jpg" for place in number],
        sha256=[str(place) for place in number],
        subject=[f"{own}{place % subjects}" for own, place in zip(part, number, strict=True)],
        split=np.where(part == "train", "train", "test"),
    )
    split = {
        "protocol": "rehearsal",
        "fold": 1,
        "n_folds": 1,
        "train": sorted(set(table["subject"][part == "train"])),
        "validation": sorted(set(table["subject"][part == "validation"])),
        "test": [],
        "data_sha256": "",
    }
    store = FaceStore(np.asarray(faces.faces[rows]), table, faces.aus, faces.notes)
    return store, split
