"""The networks of an export, with what is done to their probabilities, and how they combine.

Several networks answer as one: the mean of their logits, and for the threshold the mean of
the logits of their thresholds. So an AU is called present where the networks' mean margin
over their own thresholds is not negative. One network keeps its own probability and threshold.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from action_units.errors import ArtifactError
from action_units.evaluation.ensemble import mean_logit
from action_units.evaluation.postprocessing.calibration import Temperature
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
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
class PackagedMember:
    """One fold's network and what is done to its probabilities.

    Attributes:
        name: Such as ``fold3``.
        model: The network.
        postprocessing: Smoothing, calibration and thresholds, from its validation subjects.
        sha256: Of the file of its weights.
        fitted_to: Of that file when the treatment was fitted; empty where nobody knows.
    """

    name: str
    model: TrainedModel
    postprocessing: Postprocessing
    sha256: str = ""
    fitted_to: str = ""

    @property
    def flip(self) -> bool:
        """Logits are averaged with those of the mirror image, as the thresholds were fitted."""
        return bool(self.model.provenance.get("flip_average", False))

    @property
    def fold(self) -> int | None:
        """The fold, where the model says it."""
        fold = self.model.provenance.get("fold")
        return None if fold is None else int(fold)

    @property
    def temperatures(self) -> tuple[float, ...] | None:
        """Of its calibration, by AU; None where a graph cannot do all of its treatment."""
        calibration, smoothing = self.postprocessing.calibration, self.postprocessing.smoothing
        if smoothing.kind != "none" and smoothing.window > 1:
            return None
        if calibration is None:
            return (1.0,) * len(self.model.aus)
        return calibration.values if isinstance(calibration, Temperature) else None


def read_run(run_folder: Path | str, fold: int | None = None) -> tuple[PackagedMember, ...]:
    """The fine-tuned networks of a run.

    Args:
        run_folder: Such as ``data/06_models/sample/main/fg2020``.
        fold: One of them; None takes all that are there.

    Raises:
        ArtifactError: None is there, one is damaged or has not been evaluated, or they
            cannot answer as one.
    """
    run_folder = Path(run_folder)
    there = fold_files(run_folder, MODEL)
    paths = list(there.values()) if fold is None else [run_folder / f"fold{fold}" / MODEL]
    members = [read_member(path) for path in paths]
    for path, member in zip(paths, members, strict=True):
        check_weights(path, member.sha256, member.fitted_to)
    refuse_unlike_members(members, str(run_folder))
    return tuple(members)


def read_member(path: Path) -> PackagedMember:
    """One fine-tuned network with what lies beside it.

    Args:
        path: Such as ``…/fold3/finetuned.safetensors``.

    Raises:
        ArtifactError: It is missing or damaged, or has not been evaluated.
    """
    model = load_model(path, made_by=command("finetune"))
    postprocessing, fitted_to = read_postprocessing(path, model.aus)
    return PackagedMember(path.parent.name, model, postprocessing, sha256_of(path), fitted_to)


def refuse_unlike_members(members: Sequence[PackagedMember], place: str) -> None:
    """Refuse networks that cannot answer as one.

    Raises:
        ArtifactError: None is there, or they tell other AUs or saw faces cut in other ways.
    """
    if not members:
        raise ArtifactError(
            f"{place} has no trained network; {command('finetune')} makes them."
        )
    first = members[0]
    for member in members[1:]:
        for what, ours, theirs in (
            ("AUs", first.model.aus, member.model.aus),
            (
                "ways of cutting faces out",
                first.model.provenance.get("faces"),
                member.model.provenance.get("faces"),
            ),
        ):
            if ours != theirs:
                raise ArtifactError(
                    f"{place}: {first.name} and {member.name} were trained on different "
                    f"{what}, so they cannot answer as one; export one fold "
                    "(`--params fold=1`, or `--fold 1` of action-units export)."
                )


def left_to_do(members: Sequence[PackagedMember]) -> Postprocessing | None:
    """What is left to be done to a graph's probabilities.

    Returns:
        The thresholds, with any part of the treatment that is not in the graph; None where
        several networks would have to be treated one by one before they are averaged, which
        a graph cannot do.
    """
    if len(members) == 1:
        postprocessing = members[0].postprocessing
        return (
            postprocessing
            if members[0].temperatures is None
            else Postprocessing(thresholds=postprocessing.thresholds)
        )
    if any(member.temperatures is None for member in members):
        return None
    fitted = [member.postprocessing.thresholds for member in members]
    values = mean_logit(np.array([one.values for one in fitted]))  # (A,)
    return Postprocessing(
        FittedThresholds(
            values=tuple(values.tolist()),
            fallback=tuple(
                any(some) for some in zip(*(o.fallback for o in fitted), strict=True)
            ),
            f1=(math.nan,) * len(values),
            fitted_on=tuple(sorted({who for one in fitted for who in one.fitted_on})),
        )
    )
