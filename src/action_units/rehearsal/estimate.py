"""From the rates of a slice to the whole: plain arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import pandas as pd

from action_units.training.length import TrainingLength

GIB = 2.0**30
SAVE_EVERY = 60.0
"""Seconds between saves within an epoch; ``TrainingJob.checkpoint_seconds``."""


@dataclass(frozen=True)
class Line:
    """Seconds of some work: once, and for each item."""

    once: float
    each: float

    @classmethod
    def through(cls, few: tuple[int, float], many: tuple[int, float]) -> Self:
        """Through two measurements of (items, seconds), the second of more items.

        What the first takes beyond its items is not counted for every item. Where noise
        would make that or an item negative, all is counted by the item.
        """
        (n, seconds), (more, longer) = few, many
        each = (longer - seconds) / (more - n) if more > n else 0.0
        once = longer - each * more
        return cls(once, each) if each > 0 and once > 0 else cls(0.0, longer / more)

    def seconds(self, n: float) -> float:
        """Of so many items."""
        return self.once + self.each * n


@dataclass(frozen=True)
class Need:
    """What a stage of the whole run needs.

    Attributes:
        stage: Its name.
        amount: How many units of work.
        unit: Their name, in the plural.
        seconds: Of all of it; None where that was not measured.
        memory: Most bytes of memory at once.
        device_memory: Most bytes of a GPU at once; None without one.
        disk: Bytes that stay on the disk.
    """

    stage: str
    amount: float
    unit: str
    seconds: float | None
    memory: float = 0.0
    device_memory: float | None = None
    disk: float = 0.0


@dataclass(frozen=True)
class TrainingRates:
    """What one training was measured to take.

    Attributes:
        start: Seconds before its first step and after its last.
        step: Seconds of a step, after warm-up.
        evaluation: Seconds of the evaluation of a validation face.
        save: Seconds of saving its state.
        checkpoint: Bytes of its state on disk.
        model: Bytes of its result on disk.
        memory: Most bytes of memory, without the faces.
        device_memory: The same of the GPU.
    """

    start: float
    step: float
    evaluation: float
    save: float
    checkpoint: float
    model: float
    memory: float
    device_memory: float | None = None


@dataclass(frozen=True)
class TrainingSize:
    """How large one training is: its length, its validation faces, the bytes of all faces.

    Faces that are streamed from the disk count as the bytes that are in memory at once.
    """

    length: TrainingLength
    n_validation: int
    face_bytes: float


def training_seconds(rates: TrainingRates, size: TrainingSize) -> float:
    """Of a training: start, steps, evaluations, and saves after these and every minute."""
    evaluations = size.length.evaluations
    work = size.length.steps * rates.step + evaluations * size.n_validation * rates.evaluation
    saves = evaluations + work // SAVE_EVERY
    return rates.start + work + saves * rates.save


def training_need(
    stage: str, rates: TrainingRates, sizes: Sequence[TrainingSize], models: int = 1
) -> Need:
    """Of several trainings one after the other.

    Args:
        stage: Its name.
        rates: Of each.
        sizes: Of each.
        models: How many models each leaves besides its checkpoint; 0 of one that is not kept.
    """
    faces = max((size.face_bytes for size in sizes), default=0.0)
    on_device = None if rates.device_memory is None else rates.device_memory + faces
    return Need(
        stage,
        sum(size.length.steps for size in sizes),
        "steps",
        sum(training_seconds(rates, size) for size in sizes),
        rates.memory + (faces if on_device is None else 0.0),
        on_device,
        len(sizes) * (rates.checkpoint + models * rates.model),
    )


def table(needs: Sequence[Need]) -> pd.DataFrame:
    """One row a stage, and their total: times and disk add up, of memory the most is needed.

    Returns:
        ``stage, amount, unit, hours, memory_gib, device_gib, disk_gib``; NaN where unknown.
    """
    total = Need(
        "all",
        float("nan"),
        "",
        sum(one.seconds or 0.0 for one in needs),
        max(one.memory for one in needs),
        max(
            (one.device_memory for one in needs if one.device_memory is not None), default=None
        ),
        sum(one.disk for one in needs),
    )
    return pd.DataFrame(
        [
            {
                "stage": one.stage,
                "amount": one.amount,
                "unit": one.unit,
                "hours": float("nan") if one.seconds is None else one.seconds / 3600.0,
                "memory_gib": one.memory / GIB,
                "device_gib": float("nan")
                if one.device_memory is None
                else one.device_memory / GIB,
                "disk_gib": one.disk / GIB,
            }
            for one in [*needs, total]
        ]
    )


def shortfalls(
    needs: Sequence[Need],
    memory: float,
    device_memory: float | None,
    disk: float,
    device: str = "",
) -> list[str]:
    """A sentence for everything that this computer has too little of.

    Args:
        needs: Of all stages.
        memory: Free bytes of memory.
        device_memory: Free bytes of the GPU; None without one.
        disk: Free bytes on the disk of the project's data.
        device: The GPU's name.
    """
    sentences = []
    most = max(needs, key=lambda one: one.memory)
    if most.memory > memory:
        sentences.append(
            f"Memory: {most.stage} needs {most.memory / GIB:.1f} GiB and {memory / GIB:.1f} "
            "are free; take fewer workers, a smaller micro_batch, or faces_in_memory: blocks."
        )
    on_device = [one for one in needs if one.device_memory is not None]
    if on_device and device_memory is not None:
        most = max(on_device, key=lambda one: one.device_memory or 0.0)
        needed = most.device_memory or 0.0
        if needed > device_memory:
            sentences.append(
                f"{device}: {most.stage} needs {needed / GIB:.1f} GiB and "
                f"{device_memory / GIB:.1f} are free; take a smaller micro_batch, "
                "gradient checkpointing, or faces_in_memory: blocks."
            )
    if (needed := sum(one.disk for one in needs)) > disk:
        sentences.append(
            f"Disk: the run needs {needed / GIB:.1f} GiB and {disk / GIB:.1f} are free; make "
            "room, or lower preprocess.crop.max_size and quality."
        )
    return sentences


def as_text(rows: pd.DataFrame) -> str:
    """The table for people; n/a where unknown, no column for a GPU that is not used."""
    columns = {"hours": "hours", "memory_gib": "GiB memory", "device_gib": "GiB GPU"}
    columns |= {"disk_gib": "GiB disk"}
    if rows["device_gib"].isna().all():
        del columns["device_gib"]
    head = ["stage", "work", *columns.values()]
    lines = []
    for row in rows.to_dict("records"):
        work = "" if pd.isna(row["amount"]) else f"{row['amount']:,.0f} {row['unit']}"
        lines.append([row["stage"], work, *(_number(row[name]) for name in columns)])
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in [head, *lines]
    )


def _number(value: float) -> str:
    if pd.isna(value):
        return "n/a"
    return f"{value:.4f}" if value < 0.1 else f"{value:.2f}" if value < 10 else f"{value:,.1f}"
