"""A run's parameters, checked before its first stage."""

import logging
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from typing import Any

from action_units.config import Globals, Parameters, Recipe, TrainingConfig
from action_units.errors import ConfigurationError
from action_units.hints import own_settings

logger = logging.getLogger(__name__)

# What the catalog reads from files only, and where it is changed.
_IN_FILES = {
    "sample": ("parameters_sample.yml", " and delete the rendered folder"),
    "data": ("globals.yml", ""),
}
# Settings of earlier versions, by their full names, and where they are now.
_MOVED = {
    "preprocess.start_from": "start_from of each set in coded_sets and web_sets",
    "preprocess.disfa": "coded_sets.disfa",
    "preprocess.web": "web_sets.web (min_confidence and present_from in its annotations)",
}
_MOVED_GLOBALS = {"run": "parameters.yml", "protocol": "parameters_data.yml"}


def read_parameters(
    parameters: Any, global_values: Mapping[str, Any], given: Mapping[str, Any]
) -> Parameters:
    """All parameters of a run, checked.

    Args:
        parameters: As merged from the files and ``--params``.
        global_values: Those of ``globals.yml``.
        given: Those of ``--params``.

    Raises:
        ConfigurationError: A parameter is unknown, missing or wrong; must be set in a file,
            or in another; or the data and a set have one name.
    """
    for name, (file, besides) in _IN_FILES.items():
        if name in given:
            raise ConfigurationError(
                f"{name} is not taken from --params; set it in {own_settings(file)}{besides}."
            )
    for name, file in _MOVED_GLOBALS.items():
        if name in global_values:
            raise ConfigurationError(
                f"{name} is no longer read from globals.yml; set it in {own_settings(file)}."
            )
    for name, place in _MOVED.items():
        group, _, last = name.partition(".")
        if isinstance(parameters.get(group), Mapping) and last in parameters[group]:
            raise ConfigurationError(
                f"{name} is now {place}; set it in {own_settings('parameters_data.yml')}."
            )
    data = Globals.read({n: global_values.get(n) for n in Globals.model_fields}).data
    read = Parameters.read(parameters)
    if data in {*read.coded_sets, *read.web_sets}:
        raise ConfigurationError(
            f"data is {data!r} in globals.yml, which is also the name of a set in "
            "parameters_data.yml, and both may be folders in data/01_raw; rename one of them."
        )
    return read


def check_stages(parameters: Parameters, stages: Set[str]) -> None:
    """Refuse what a later stage could not do, which may be hours away.

    Args:
        parameters: Of the run.
        stages: The stages of the run, by the tags of their nodes.

    Raises:
        ConfigurationError: A value is invalid for its stage, or on this computer.
        ArtifactError: The detector's weights are missing or others.
    """
    if "study" in stages and not parameters.pretraining:
        raise ConfigurationError(
            "pretraining is false, but the study is about pre-training; leave it out."
        )
    if stages & {"pretrain", "finetune", "study"}:
        _check_training(parameters, stages)
    if "predict" in stages:
        from action_units.pipelines.prediction.nodes import check_source

        check_source(parameters.source)
    starts = {one.start_from for one in parameters.chosen_coded.values()}
    starts |= {one.start_from for one in parameters.chosen_web.values()}
    if "preprocess" in stages and "raw" in starts:
        from action_units.pipelines.preprocessing.nodes import face_settings

        with error_context("preprocess"):
            face_settings(parameters.preprocess).provenance()


def _check_training(parameters: Parameters, stages: Set[str]) -> None:
    from action_units.models.pretrained import PretrainedWeights
    from action_units.models.registry import build_network, check_network
    from action_units.training.device import check_machine
    from action_units.training.optim import check_unfreezing

    training: TrainingConfig = parameters.to_params()["training"]
    recipe, name = training.recipe, f"recipes.{training.name}"
    if "study" in stages and recipe.student:
        raise ConfigurationError(
            f"{name}.student is {recipe.student:g}, but the study has one pre-training for all "
            "folds; set it to 0."
        )
    with error_context(f"{name}.network with face_size={parameters.face_size}"):
        check_network(recipe.network)
    runs = {
        "pretrain": bool(stages & {"pretrain", "study"}),
        "finetune": False,  # starts from the pre-trained weights
        "from_scratch": "study" in stages
        or (
            "finetune" in stages
            and (parameters.finetune.also_from_scratch or not parameters.pretraining)
        ),
    }
    for stage, starts in runs.items():
        options: Recipe = getattr(recipe, stage)
        with error_context(f"{name}.{stage}"):
            if options.unfreeze:
                check_unfreezing(build_network(recipe.network, 1), options.unfreeze)
            if starts and options.backbone_weights is not None:
                weights = PretrainedWeights.read(options.backbone_weights)
                weights.fitted(build_network(recipe.network, 1).backbone)
    check_machine(training.machine)
    recolours = any(getattr(recipe, stage).augmentation.recolours for stage in runs)
    if recolours and "preprocess" in stages and not parameters.preprocess.crop.colour:
        logger.warning(
            "%s changes the colours of faces, but they will be grey, as preprocess.crop.colour "
            "is false; true keeps colours.",
            name,
        )


@contextmanager
def error_context(name: str) -> Iterator[None]:
    """Put the name of the parameter in front of an error's message."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from error
