"""Needs that are known add up to a table, and to what a computer lacks."""

import math
import re

from action_units.rehearsal.estimate import GIB, Need, as_text, shortfalls, table


def needs():
    return [
        Need("cropping", 1000, "photographs", 1800.0, memory=2 * GIB, disk=3 * GIB),
        Need("labels", 1000, "faces", None),
        Need("training", 60, "steps", 5400.0, memory=GIB, device_memory=8 * GIB, disk=GIB),
    ]


def test_times_and_disk_add_up_and_of_memory_the_most_counts():
    rows = table(needs()).set_index("stage")
    assert rows.loc["all", ["hours", "memory_gib", "device_gib", "disk_gib"]].tolist() == [
        2.0,
        2.0,
        8.0,
        4.0,
    ]
    assert rows.loc["cropping", "hours"] == 0.5
    assert math.isnan(rows.loc["labels", "hours"])
    text = as_text(table(needs()))
    assert "n/a" in text.splitlines()[2]
    cells = ["training", "60 steps", "1 h 30 min", "1.00", "8.00", "1.00"]
    assert re.split(r" {2,}", text.splitlines()[3]) == cells
    assert "GPU" not in as_text(table(needs()[:2]))


def test_what_does_not_fit_is_said():
    assert shortfalls(needs(), 2 * GIB, 8 * GIB, 4 * GIB, "cuda") == []
    memory, device, disk = shortfalls(needs(), 1.5 * GIB, 6 * GIB, 3.5 * GIB, "cuda")
    assert memory.startswith("Memory: cropping needs 2.0 GiB and 1.5 are free; ")
    assert device.startswith("cuda: training needs 8.0 GiB and 6.0 are free; ")
    assert disk.startswith("Disk: the run needs 4.0 GiB and 3.5 are free; ")
