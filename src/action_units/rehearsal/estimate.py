"""From the rates of a slice to the whole: plain arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan

import pandas as pd

from action_units.progress import clock

GIB = 2.0**30


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


def table(needs: Sequence[Need]) -> pd.DataFrame:
    """One row a stage, and their total: times and disk add up, of memory the most is needed.

    Returns:
        ``stage, amount, unit, hours, memory_gib, device_gib, disk_gib``; NaN where unknown.
    """
    total = Need(
        "all",
        nan,
        "",
        sum(one.seconds or 0.0 for one in needs),
        max(one.memory for one in needs),
        max(one.device_memory or 0.0 for one in needs) or None,
        sum(one.disk for one in needs),
    )
    rows = pd.DataFrame([vars(one) for one in (*needs, total)])
    scales = {"seconds": 3600.0, "memory": GIB, "device_memory": GIB, "disk": GIB}
    numbers = rows[[*scales]].astype(float) / list(scales.values())
    numbers.columns = pd.Index(["hours", "memory_gib", "device_gib", "disk_gib"])
    return pd.concat([rows[["stage", "amount", "unit"]], numbers], axis=1)


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
    most = max(needs, key=lambda one: one.memory)
    on_device = max(needs, key=lambda one: one.device_memory or 0.0)
    cases = [
        (
            "Memory",
            most.stage,
            most.memory,
            memory,
            "take fewer workers, a smaller micro_batch, or faces_in_memory: blocks",
        ),
        (
            device,
            on_device.stage,
            on_device.device_memory or 0.0,
            inf if device_memory is None else device_memory,
            "take a smaller micro_batch, gradient_checkpointing: true, or faces_in_memory: "
            "blocks",
        ),
        (
            "Disk",
            "the run",
            sum(one.disk for one in needs),
            disk,
            "make room, or lower preprocess.crop.max_size and quality",
        ),
    ]
    return [
        f"{what}: {stage} needs {needed / GIB:.1f} GiB and {free / GIB:.1f} are free; {advice}."
        for what, stage, needed, free, advice in cases
        if needed > free
    ]


def as_text(rows: pd.DataFrame) -> str:
    """The table for people; n/a where unknown, no column for a GPU that is not used."""
    columns = {"memory_gib": "GiB memory", "device_gib": "GiB GPU", "disk_gib": "GiB disk"}
    if rows["device_gib"].isna().all():
        del columns["device_gib"]
    lines = [["stage", "work", "time", *columns.values()]]
    for row in rows.to_dict("records"):
        work = "" if pd.isna(row["amount"]) else f"{row['amount']:,.0f} {row['unit']}"
        time = "n/a" if pd.isna(row["hours"]) else clock(3600.0 * row["hours"])
        sizes = ["n/a" if pd.isna(row[one]) else f"{row[one]:,.2f}" for one in columns]
        lines.append([row["stage"], work, time, *sizes])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
