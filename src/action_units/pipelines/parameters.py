"""A run's parameters, checked before its first stage."""

from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from typing import Any

from action_units.config import Globals, Parameters, Recipe, TrainingConfig
from action_units.errors import ConfigurationError
from action_units.hints import command, own_settings

# What the catalog reads from files only, and where it is changed.
_IN_FILES = {
    "sample": ("parameters_sample.yml", " and delete the rendered folder"),
    "data": ("globals.yml", ""),
}


def read_parameters(
    parameters: Any, global_values: Mapping[str, Any], given: Mapping[str, Any]
) -> Parameters:
    """All parameters of a run, checked.

    Args:
        parameters: As merged from the files and ``--params``.
        global_values: Those of ``globals.yml``.
        given: Those of ``--params``.

    Raises:
        ConfigurationError: A parameter is unknown, missing or wrong; must be set in a file;
            or differs from the run or protocol of the catalog's paths.
    """
    for name, (file, besides) in _IN_FILES.items():
        if name in given:
            raise ConfigurationError(
                f"{name} is not taken from --params; set it in {own_settings(file)}{besides}."
            )
    paths = {name: global_values.get(name) for name in Globals.model_fields}
    in_paths = Globals.read(paths | {n: given[n] for n in paths if n in given})
    read = Parameters.read(parameters)
    for name in ("run", "protocol"):
        if getattr(read, name) != getattr(in_paths, name):
            raise ConfigurationError(
                f"{name} is {getattr(read, name)} in a file of parameters, but the catalog's "
                f"paths have {getattr(in_paths, name)}; set it in "
                f"{own_settings('globals.yml')} instead."
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
    if stages & {"pretrain", "finetune"}:
        _check_training(parameters, stages)
    if "predict" in stages:
        from action_units.pipelines.prediction.nodes import check_source

        check_source(parameters.source)
    if "preprocess" in stages and parameters.preprocess.start_from == "raw":
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
    with error_context(f"{name}.network with face_size={parameters.face_size}"):
        check_network(recipe.network)
    runs = {
        "pretrain": "pretrain" in stages,
        "finetune": False,  # starts from the pre-trained weights
        "from_scratch": "finetune" in stages
        and (parameters.finetune.also_from_scratch or not parameters.pretraining),
    }
    for stage, starts in runs.items():
        options: Recipe = getattr(recipe, stage)
        with error_context(f"{name}.{stage}"):
            if options.unfreeze:
                check_unfreezing(build_network(recipe.network, 1), options.unfreeze)
            if starts and options.backbone_weights is not None:
                PretrainedWeights.read(options.backbone_weights)
    check_machine(training.machine)


def check_face_size(packed: int, training: TrainingConfig) -> None:
    """Refuse faces that were packed with another ``face_size``.

    Training would resize them without a word: a store of 32 pixels has no more detail at 48.

    Args:
        packed: Side of the faces in the store, in pixels.
        training: Its network has the size that is wanted.

    Raises:
        ConfigurationError: The faces' size is not the network's.
    """
    wanted = training.recipe.network.image_size
    if packed != wanted:
        raise ConfigurationError(
            f"face_size is {wanted}, but the faces were packed with {packed}; run "
            f"{command('preprocess')} first, or set face_size={packed}."
        )


@contextmanager
def error_context(name: str) -> Iterator[None]:
    """Put the name of the parameter in front of an error's message."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from error
