"""A run's parameters, checked before its first stage."""

from collections.abc import Mapping, Set
from difflib import get_close_matches
from typing import Any

from action_units.errors import ConfigurationError
from action_units.pipelines.settings import TrainingSettings, told

_FREE = ("recipes",)  # checked option by option when the recipe is read


def refuse_unknown(given: Mapping[str, Any], known: Mapping[str, Any], above: str = "") -> None:
    """Refuse a parameter that nothing reads.

    Args:
        given: What ``--params`` said, nested.
        known: The parameters of the configuration, nested.
        above: Names of the mappings that these are in, with dots.

    Raises:
        ConfigurationError: A name is unknown, or belongs to the sample, whose
            parameters the catalog reads before ``--params`` is heard.
    """
    for key, value in given.items():
        name = f"{above}{key}"
        if name == "sample":
            raise ConfigurationError(
                "the sample's parameters are not taken from --params; put them into "
                "conf/local/parameters_sample.yml and delete the rendered folder."
            )
        if key not in known:
            near = get_close_matches(str(key), [str(other) for other in known], 1)
            meant = f"Did you mean {above}{near[0]}? " if near else ""
            raise ConfigurationError(
                f"{name} is not a parameter. {meant}There are {above}"
                f"{f', {above}'.join(sorted(map(str, known)))}."
            )
        if isinstance(value, Mapping) and isinstance(known[key], Mapping) and key not in _FREE:
            refuse_unknown(value, known[key], f"{name}.")


def refuse_impossible(parameters: Mapping[str, Any], stages: Set[str]) -> None:
    """Refuse what a later stage could not do, which may be hours away.

    What preprocessing, prediction and export are asked is read by their first nodes.

    Args:
        parameters: The whole of a run's parameters.
        stages: The stages that it goes through, by the tags of their nodes.

    Raises:
        ConfigurationError: A value is none that its stage can take.
    """
    if stages & {"pretrain", "finetune"}:
        _check_training(parameters, stages)
    if "evaluate" in stages:
        from action_units.evaluation.treatment import check_option

        with told("evaluation"):
            check_option(parameters["evaluation"]["treatment"])


def _check_training(parameters: Mapping[str, Any], stages: Set[str]) -> None:
    from action_units.models.pretrained import PretrainedWeights

    settings, finetune = TrainingSettings.read(parameters), parameters["finetune"]
    held_out = finetune["validation_subjects"]
    if "finetune" in stages and (type(held_out) is not int or held_out < 1):
        raise ConfigurationError(
            f"finetune.validation_subjects is {held_out!r}; it must be a whole number from 1."
        )
    begin = {
        "pretrain": "pretrain" in stages,
        "from_scratch": "finetune" in stages and finetune["also_from_scratch"],
    }
    for part in (part for part, runs in begin.items() if runs):
        weights = getattr(settings, part).backbone_weights
        if weights is not None:
            with told(f"recipes.{settings.recipe}.{part}"):
                PretrainedWeights.read(weights)
