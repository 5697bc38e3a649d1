"""Predictions and folds made up for the tests of the evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from action_units.evaluation.fold import (
    FoldEvaluation,
    ModelEvaluation,
    evaluate_predictions,
)
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.labels.action_units import DISFA_AUS, au_columns

GROUPS = (("SN001", "SN002", "SN003"), ("SN004", "SN005", "SN006"), ("SN007", "SN008", "SN009"))
"""The test subjects of three folds."""


def made_up_predictions(
    subjects: Sequence[str] = GROUPS[0],
    frames: int = 40,
    aus: Sequence[int] = DISFA_AUS,
    seed: int = 0,
    skill: float = 0.4,
    absent: Sequence[int] = (),
    missing: float = 0.05,
    not_scored: Mapping[str, Sequence[int]] | None = None,
) -> pd.DataFrame:
    """Predictions better than chance by `skill`; `absent` AUs are never present.

    A part of the labels is `missing`, and so are the AUs `not_scored` of a subject.
    """
    random = np.random.default_rng([3, seed])
    n = len(subjects) * frames
    labels = (random.random((n, len(aus))) < 0.3).astype(np.int8)  # (N, A)
    labels[random.random(labels.shape) < missing] = -1
    for au in absent:
        labels[:, list(aus).index(au)] = 0
    noise = random.random(labels.shape)
    probabilities = (1 - skill) * noise + skill * (labels == 1)
    # Few distinct values, so that there are ties.
    probabilities = np.round(probabilities, 2).astype(np.float32)
    who = np.repeat(np.array(subjects), frames)
    frame = np.tile(np.arange(1, frames + 1), len(subjects))
    columns = au_columns(aus)
    table = pd.DataFrame(labels, columns=columns)
    table[[f"{column}_p" for column in columns]] = probabilities
    for subject, some in (not_scored or {}).items():
        table.loc[who == subject, au_columns(some)] = -1
    table.insert(0, "image", [f"{s}_{f:05d}.jpg" for s, f in zip(who, frame, strict=True)])
    table.insert(1, "subject", who)
    table.insert(2, "frame", frame)
    return table


def thresholds_at(value: float, n_aus: int = len(DISFA_AUS)) -> FittedThresholds:
    """The same threshold for every AU."""
    return FittedThresholds((value,) * n_aus, (False,) * n_aus, (0.5,) * n_aus)


def made_up_curve(epochs: int = 6) -> pd.DataFrame:
    """A training curve as the training loop writes it, epochs counted from 1."""
    epoch = np.arange(1, epochs + 1)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "learning_rate": 0.001,
            "train_loss": 1.0 / epoch,
            "validation_loss": 1.2 / epoch,
            "validation_macro_f1": 1 - 1.0 / (epoch + 1),
            "seconds": 2.0,
            "faces_per_second": 100.0,
            "best": epoch == epochs,
        }
    )


def made_up_model(fold: int, skill: float = 0.4, **options: Any) -> ModelEvaluation:
    """A network on fold `fold`'s test subjects; the labels do not depend on the skill."""
    options.setdefault("aus", DISFA_AUS)
    predictions = made_up_predictions(GROUPS[fold - 1], seed=fold, skill=skill, **options)
    return evaluate_predictions(
        predictions,
        thresholds_at(0.5, len(options["aus"])),
        seed=(fold,),
        curve=made_up_curve(),
        provenance={"seed": fold},
    )


def made_up_fold(
    fold: int, scratch: bool = False, provenance: dict[str, Any] | None = None, **options: Any
) -> FoldEvaluation:
    """Fold `fold` of three, its training and validation subjects those of the others."""
    others = [s for group in GROUPS if group is not GROUPS[fold - 1] for s in group]
    return FoldEvaluation(
        fold=fold,
        protocol="standard",
        rendered=True,
        train=tuple(others[1:]),
        validation=tuple(others[:1]),
        test=GROUPS[fold - 1],
        finetuned=made_up_model(fold, **options),
        scratch=made_up_model(fold, skill=0.1, **options) if scratch else None,
        provenance=provenance or {"config_hash": "c", "data_sha256": "d"},
    )


def made_up_run(
    n_folds: int,
    per_fold: int = 2,
    protocol: str = "made_up",
    scratch: bool = True,
    absent_in: Mapping[int, Sequence[int]] | None = None,
    **options: Any,
) -> tuple[list[FoldEvaluation], dict[int, pd.DataFrame]]:
    """Folds of a protocol of any number of folds, and their predictions.

    `absent_in` has AUs that are never present, by fold.
    """
    subjects = [f"P{k:02d}" for k in range(n_folds * per_fold)]
    limits = thresholds_at(0.5, len(options.get("aus", DISFA_AUS)))
    folds, tables = [], {}
    for fold in range(1, n_folds + 1):
        test = tuple(subjects[(fold - 1) * per_fold : fold * per_fold])
        others = [name for name in subjects if name not in test] or ["Q1", "Q2"]
        own = {"absent": (absent_in or {}).get(fold, ()), **options, "seed": fold}
        predictions = [
            made_up_predictions(test, **own | {"skill": skill}) for skill in (0.4, 0.1)
        ]
        models = [
            evaluate_predictions(table, limits, (fold,), made_up_curve(), {"seed": fold})
            for table in predictions[: 1 + scratch]
        ]
        tables[fold] = predictions[0]
        folds.append(
            FoldEvaluation(
                fold=fold,
                protocol=protocol,
                rendered=False,
                train=tuple(others[1:]),
                validation=tuple(others[:1]),
                test=test,
                finetuned=models[0],
                scratch=models[1] if scratch else None,
                provenance={"config_hash": "c", "data_sha256": "d"},
                n_folds=n_folds,
            )
        )
    return folds, tables


def from_scratch(fold: FoldEvaluation) -> FoldEvaluation:
    """The same, of a run without pre-training."""
    model = replace(
        fold.finetuned, provenance={**fold.finetuned.provenance, "stage": "scratch"}
    )
    return replace(fold, finetuned=model)
