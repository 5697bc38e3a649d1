"""With rates that are known, the need of a training is known."""

from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

from action_units.config import MachineConfig, Recipe
from action_units.faces.store import FaceStore
from action_units.rehearsal import training
from action_units.rehearsal.estimate import GIB
from action_units.rehearsal.memory import Peak
from action_units.rehearsal.training import Rehearsed, measure_prediction

CPU = MachineConfig(device="cpu", faces_in_memory="always")


def rehearsed(peak=Peak(4 * GIB), face=0, **recipe):  # noqa: B008
    return Rehearsed(
        Recipe(**recipe),
        CPU,
        None,
        start=10.0,
        step=0.5,
        evaluation=0.01,
        disk=3 * GIB,
        face=face,
        peak=peak,
    )


def test_a_training_s_time_is_exact():
    # 105 faces in batches of 10: 10 steps an epoch, 12 epochs, evaluated after 5, 10 and 12.
    need = rehearsed(batch_size=10, epochs=12, validate_every=5).need("training", [(105, 100)])
    assert need.amount == 120
    assert need.seconds == pytest.approx(10 + 120 * 0.5 + 3 * 100 * 0.01)


def test_trainings_follow_each_other():
    one = rehearsed(face=GIB / 100)
    sizes = [(320, 80), (640, 160)]
    alone = [one.need("one", [size]) for size in sizes]
    both = one.need("both", sizes)
    assert both.seconds == pytest.approx(sum(need.seconds for need in alone))
    assert both.amount == 30 * (10 + 20)
    assert both.memory == (4 + 8) * GIB  # of the larger
    assert both.disk == 2 * 3 * GIB


def test_faces_lie_where_the_network_is():
    need = rehearsed(Peak(4 * GIB, device=7 * GIB), GIB / 100).need("training", [(300, 100)])
    assert (need.memory, need.device_memory) == (4 * GIB, 11 * GIB)


def test_prediction_needs_memory_of_the_gpu(monkeypatch):
    @contextmanager
    def on_gpu(device):
        yield Peak(2 * GIB, device=5 * GIB)

    asked = []
    monkeypatch.setattr(training, "peak_memory", on_gpu)
    monkeypatch.setattr(
        training.stages,
        "predict_test_subjects",
        lambda model, faces, *_: asked.append(len(faces)),
    )
    table = pd.DataFrame({"image": ["0.jpg"], "subject": "SN001", "AU01": 1})
    faces = FaceStore(np.zeros((1, 8, 8), np.uint8), table, (1,))
    need = measure_prediction(None, faces, CPU, 1.0, 100_000)
    assert (need.memory, need.device_memory) == (2 * GIB, 5 * GIB)
    assert asked[0] == 64
    assert 0 < need.seconds < 100_000
