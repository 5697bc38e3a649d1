"""The networks of a run's folds with their postprocessing, and how they are combined.

Several networks are combined by the mean of their logits, and their thresholds likewise. So
an AU is called present where the networks' mean margin over their own thresholds is not
negative. One network keeps its own probability and threshold.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from action_units.errors import ArtifactError
from action_units.evaluation.postprocessing.calibration import Temperature
from action_units.evaluation.postprocessing.postprocessing import PersonCentred, Postprocessing
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.evaluation.predictions import mean_logit
from action_units.evaluation.run_folder import (
    MODEL,
    check_weights,
    fold_files,
    read_postprocessing,
)
from action_units.files import sha256_of
from action_units.hints import command
from action_units.models.model_files import load_model
from action_units.models.trained import TrainedModel


@dataclass(frozen=True)
class FoldModel:
    """One fold's network and its postprocessing.

    Attributes:
        name: Such as ``fold3``.
        model: The network.
        postprocessing: Smoothing, calibration and thresholds, from validation subjects.
        sha256: Of the file of its weights.
        fitted_to: SHA-256 of the weights that the postprocessing was fitted to; empty where
            it was not recorded.
    """

    name: str
    model: TrainedModel
    postprocessing: Postprocessing
    sha256: str = ""
    fitted_to: str = ""

    @property
    def flip(self) -> bool:
        """Whether logits are averaged over each face and its horizontal flip."""
        return bool(self.model.provenance.get("flip_average", False))

    @property
    def temperatures(self) -> tuple[float, ...] | None:
        """Of its calibration, by AU; None where a graph cannot do all its postprocessing."""
        smoothing, calibration = self.postprocessing.smoothing, self.postprocessing.calibration
        if smoothing.kind != "none" and smoothing.window > 1:
            return None
        if calibration is None:
            return (1.0,) * len(self.model.aus)
        return calibration.values if isinstance(calibration, Temperature) else None


def read_fold_model(path: Path) -> FoldModel:
    """Read a fine-tuned network with its postprocessing.

    Args:
        path: Such as ``…/fold3/finetuned.safetensors``.

    Raises:
        ArtifactError: It is missing or damaged, or has not been evaluated.
    """
    model = load_model(path, made_by=command("finetune"))
    postprocessing, fitted_to = read_postprocessing(path, model.aus)
    name = path.absolute().parent.name
    return FoldModel(name, model, postprocessing, sha256_of(path), fitted_to)


def read_run(run_folder: Path, fold: int | None = None) -> tuple[FoldModel, ...]:
    """Read the fine-tuned networks of a run.

    Args:
        run_folder: Such as ``data/06_models/sample/main/disfa/fg2020``.
        fold: One of them; None takes all that exist.

    Raises:
        ArtifactError: None exists, one is damaged or not evaluated, or they
            cannot be combined.
    """
    existing = fold_files(run_folder, MODEL)
    paths = list(existing.values()) if fold is None else [run_folder / f"fold{fold}" / MODEL]
    models = tuple(read_fold_model(path) for path in paths)
    for path, one in zip(paths, models, strict=True):
        check_weights(path, one.sha256, one.fitted_to)
    if not models:
        raise ArtifactError(
            f"{run_folder} has no trained network; {command('finetune')} makes them."
        )
    check_compatible(models, str(run_folder))
    return models


def check_compatible(models: Sequence[FoldModel], place: str) -> None:
    """Check that networks can be combined.

    Raises:
        ArtifactError: Their AUs or the ways in which their faces were cut out differ.
    """
    first = models[0]
    for other in models[1:]:
        differs = ""
        if other.model.aus != first.model.aus:
            differs = "different AUs"
        elif other.model.colour != first.model.colour:
            differs = "faces in colour and in grey"
        elif other.model.provenance.get("faces") != first.model.provenance.get("faces"):
            differs = "faces that were cut out in different ways"
        if differs:
            raise ArtifactError(
                f"{place}: {first.name} and {other.name} were trained on {differs}, so they "
                "cannot be combined; choose one fold (`--params fold=1`, or `--fold 1` of "
                "action-units)."
            )


def remaining_postprocessing(models: Sequence[FoldModel]) -> Postprocessing | None:
    """The postprocessing that is not in a graph of these networks.

    Returns:
        The thresholds, with smoothing and calibration that a graph cannot do, and of one
        network its curve of intensities; None where several networks would need smoothing or
        calibration one by one before they are averaged.
    """
    if len(models) == 1:
        own = models[0].postprocessing
        temperatures = models[0].temperatures
        if temperatures is None:
            return own
        return Postprocessing(
            thresholds=own.thresholds,
            intensity=own.intensity,
            person_centred=_after(temperatures, own.person_centred),
        )
    if any(one.temperatures is None for one in models):
        return None
    fitted = [one.postprocessing.thresholds for one in models]
    values = mean_logit(np.array([one.values for one in fitted]))  # (A,)
    fallback = zip(*(one.fallback for one in fitted), strict=True)
    return Postprocessing(
        FittedThresholds(
            values=tuple(values.tolist()),
            fallback=tuple(any(some) for some in fallback),
            f1=(math.nan,) * len(values),
            fitted_on=tuple(sorted({who for one in fitted for who in one.fitted_on})),
        )
    )


def _after(
    temperatures: tuple[float, ...], centred: PersonCentred | None
) -> PersonCentred | None:
    """The same centring of logits that a graph has divided by temperatures.

    With y = z / T, z' / T' is (y − strength · (Q(y) − c / T)) · T / T'. None where
    probabilities are smoothed between the two, which does not go through a division.
    """
    if centred is None or set(temperatures) == {1.0}:
        return centred
    steps, centring = centred.steps, centred.centring
    if steps.smoothing.window > 1 or not isinstance(steps.calibration, Temperature):
        return None

    def divided(values: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(value / t for value, t in zip(values, temperatures, strict=True))

    scaled = replace(
        centring,
        level=divided(centring.level),
        lowest=divided(centring.lowest),
        highest=divided(centring.highest),
        neutral_level=divided(centring.neutral_level),
    )
    calibration = replace(steps.calibration, values=divided(steps.calibration.values))
    return PersonCentred(scaled, replace(steps, calibration=calibration))
