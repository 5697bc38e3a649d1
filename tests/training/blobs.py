"""Faces of three bright spots, one an AU: a task that a small network learns in seconds."""

import numpy as np

from action_units.config import MachineConfig
from action_units.training import train as training
from action_units.training.job import TrainingJob

AUS = (1, 4, 12)
PLACES = ((8, 16), (16, 10), (24, 16))


def blobs(n=200, size=32, seed=0):
    """Faces uint8 (n, size, size) and labels int8 (n, 3)."""
    random = np.random.default_rng(seed)
    labels = (random.random((n, 3)) < (0.4, 0.3, 0.2)).astype(np.int8)
    faces = random.integers(60, 140, (n, size, size)).astype(np.uint8)
    for column, (row, place) in enumerate(PLACES):
        r, c = row * size // 32, place * size // 32
        faces[labels[:, column] == 1, r - 3 : r + 3, c - 3 : c + 3] += 110
    return faces, labels


def job(*data, **arguments):
    """A training job; options of the machine stand among the arguments."""
    names = [name for name in MachineConfig.model_fields if name in arguments]
    machine = MachineConfig(**{name: arguments.pop(name) for name in names})
    return TrainingJob(*data, machine=machine, **arguments)


def train(*data, restart=False, **arguments):
    """Train on one thread in float32, unless the arguments say otherwise."""
    arguments = {"device": "cpu", "precision": "fp32", "threads": 1, **arguments}
    return training.train(job(*data, **arguments), restart=restart)
