"""With rates that are known, the estimate is known."""

import math

import pytest

from action_units.config import Recipe
from action_units.rehearsal.estimate import (
    GIB,
    Line,
    Need,
    TrainingRates,
    TrainingSize,
    as_text,
    shortfalls,
    table,
    training_need,
)
from action_units.training.length import TrainingLength

RATES = TrainingRates(
    start=10.0,
    step=0.5,
    evaluation=0.01,
    save=2.0,
    checkpoint=3 * GIB,
    model=GIB,
    memory=4 * GIB,
)


def size(n_faces, n_validation=100, face_bytes=0.0, **recipe):
    return TrainingSize(TrainingLength(Recipe(**recipe), n_faces), n_validation, face_bytes)


def test_a_line_goes_through_two_measurements():
    line = Line.through((10, 7.0), (30, 13.0))
    assert (line.once, line.each) == (4.0, pytest.approx(0.3))
    assert line.seconds(1000) == pytest.approx(304.0)


@pytest.mark.parametrize("few", [(10, 9.0), (30, 1.0), (10, 0.1)])
def test_noise_never_makes_a_time_negative(few):
    line = Line.through(few, (30, 6.0))
    assert (line.once, line.each) == (0.0, 0.2)


def test_a_training_s_time_is_exact():
    # 105 faces in batches of 10: 10 steps an epoch, 12 epochs, evaluated after 5, 10 and 12.
    one = size(105, batch_size=10, epochs=12, validate_every=5)
    assert (one.length.steps, one.length.evaluations) == (120, 3)
    work = 120 * 0.5 + 3 * 100 * 0.01  # 63 s, so one save more
    need = training_need("training", RATES, [one])
    assert need.amount == 120
    assert need.seconds == pytest.approx(10 + work + (3 + 1) * 2.0)


def test_trainings_follow_each_other():
    sizes = [size(320, face_bytes=2 * GIB), size(640, face_bytes=5 * GIB)]
    alone = [training_need("one", RATES, [one]) for one in sizes]
    both = training_need("both", RATES, sizes)
    assert both.seconds == pytest.approx(sum(one.seconds for one in alone))
    assert both.amount == 30 * (10 + 20)
    assert both.memory == (4 + 5) * GIB  # of the larger
    assert both.disk == 2 * (3 + 1) * GIB
    assert training_need("teachers", RATES, sizes, models=0).disk == 2 * 3 * GIB


def test_faces_lie_where_the_network_is():
    on_gpu = TrainingRates(**{**vars(RATES), "device_memory": 7 * GIB})
    need = training_need("training", on_gpu, [size(320, face_bytes=2 * GIB)])
    assert (need.memory, need.device_memory) == (4 * GIB, 9 * GIB)


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
    assert text.splitlines()[3].split() == [
        *("training", "60", "steps", "1.50", "1.00", "8.00", "1.00")
    ]
    assert "GPU" not in as_text(table(needs()[:2]))


def test_what_does_not_fit_is_said():
    assert shortfalls(needs(), 2 * GIB, 8 * GIB, 4 * GIB, "cuda") == []
    memory, device, disk = shortfalls(needs(), 1.5 * GIB, 6 * GIB, 3.5 * GIB, "cuda")
    assert memory.startswith("Memory: cropping needs 2.0 GiB and 1.5 are free; ")
    assert device.startswith("cuda: training needs 8.0 GiB and 6.0 are free; ")
    assert disk.startswith("Disk: the run needs 4.0 GiB and 3.5 are free; ")
