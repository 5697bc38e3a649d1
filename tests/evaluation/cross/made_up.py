"""Cross-data-set tests made up: networks on a new set, and a run that was trained on it."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from action_units.evaluation.cross.result import CrossTest, Within
from action_units.evaluation.cross.scores import (
    NetworkPredictions,
    ensemble,
    refit,
    score_networks,
    score_within,
    support,
)
from action_units.labels.action_units import au_columns
from tests.evaluation.made_up import made_up_predictions

AUS = (1, 4, 6, 12)
PEOPLE = ("P1", "P2", "P3", "P4", "P5", "P6")
THRESHOLDS = {1: (0.5, 0.4, 0.5, 0.6), 2: (0.45, 0.5, 0.55, 0.5), 3: (0.5, 0.6, 0.4, 0.5)}


def labelled(subjects: Sequence[str] = PEOPLE, frames: int = 40, **options) -> pd.DataFrame:
    """The faces of the new set, some of them not coded for some AUs."""
    return made_up_predictions(subjects, frames, AUS, **options)


def network(
    labels: pd.DataFrame, fold: int, subjects: Sequence[str] = PEOPLE, skill: float = 0.35
) -> NetworkPredictions:
    """A network of another set on some of the subjects."""
    table = labels[labels["subject"].isin(subjects)].reset_index(drop=True)
    columns = au_columns(AUS)
    noise = np.random.default_rng([fold, 7]).random((len(table), len(AUS)))
    p = (1 - skill) * noise + skill * (table[columns].to_numpy() == 1)
    table[[f"{column}_p" for column in columns]] = p.astype(np.float32)
    return NetworkPredictions.read(table, dict(zip(AUS, THRESHOLDS[fold], strict=True)), AUS)


def own_run(labels: pd.DataFrame, skill: float = 0.45) -> list[NetworkPredictions]:
    """A run trained on the set: two folds, which test three subjects each."""
    return [network(labels, fold, PEOPLE[3 * fold - 3 : 3 * fold], skill) for fold in (1, 2)]


@cache
def made_up_test() -> CrossTest:
    """Three networks of DISFA on six subjects of ``studio``."""
    labels = labelled()
    networks = {fold: network(labels, fold) for fold in THRESHOLDS}
    within = Within("studio_folds", (1, 2), score_within(networks, own_run(labels)))
    values: dict[str, Any] = {
        "run": "main",
        "trained_on": "disfa",
        "protocol": "fg2020",
        "tested_on": "studio",
        "rendered": True,
        "rendered_training": True,
        "aus": AUS,
        "aus_of_networks": (2, 25),
        "aus_of_set": (7,),
        "subjects": dict.fromkeys(networks, PEOPLE),
        "left_out": (),
        "frames": len(labels),
        "support": support(ensemble(networks).predictions),
        "scores": score_networks(networks),
        "within": within,
        "refitted": refit(networks, 2, "studio"),
        "warnings": (),
    }
    return CrossTest(**values)
