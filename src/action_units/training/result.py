"""What a training leaves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from action_units.models.registry import build_network
from action_units.models.trained import TrainedModel
from action_units.training.setup import Setup
from action_units.training.state import CURVE_COLUMNS, TrainingState


@dataclass(frozen=True)
class TrainingResult:
    """What a training leaves.

    Attributes:
        model: With the weights of the best epoch.
        curve: One row an epoch; columns ``state.CURVE_COLUMNS``. ``seconds`` is the
            epoch's time with its evaluation, ``faces_per_second`` its training alone;
            the validation columns are NaN where an epoch was not evaluated.
        best_epoch: Counted from 1.
    """

    model: TrainedModel
    curve: pd.DataFrame
    best_epoch: int


def make_result(
    setup: Setup,
    state: TrainingState,
    identity: Mapping[str, Any],
    machine: Mapping[str, Any],
) -> TrainingResult:
    """Build the model of the best epoch.

    Args:
        setup: What was trained.
        state: At the end.
        identity: What the checkpoints are known by; the model keeps it as provenance.
        machine: What it was trained on, as of ``Machine.to_dict``.
    """
    network = build_network(setup.spec, len(setup.data.aus))
    network.load_state_dict(state.best)
    training = {
        key: value
        for key, value in identity.items()
        if key not in ("network", "aus", "provenance")
    }
    training |= {
        "best_epoch": state.best_epoch,
        "best_score": state.best_score[0],
        "steps": state.step,
        "machine": dict(machine),
    }
    provenance = {**identity["provenance"], "training": training}
    model = TrainedModel(network.eval(), setup.spec, setup.data.aus, provenance)
    curve = pd.DataFrame(state.curve, columns=list(CURVE_COLUMNS))
    return TrainingResult(model, curve, state.best_epoch)
