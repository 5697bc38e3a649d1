"""A run's parameters, checked before its first stage."""

from collections.abc import Mapping, Set
from typing import Any

from action_units.config import Globals, Parameters, PreprocessSettings
from action_units.errors import ConfigurationError
from action_units.hints import own_settings
from action_units.pipelines.settings import TrainingSettings, told

# What the catalog reads before --params is heard, and where it is changed instead.
_IN_FILES = {
    "sample": ("parameters_sample.yml", " and delete the rendered folder"),
    "data": ("globals.yml", ""),
}


def read_parameters(
    parameters: Any, global_values: Mapping[str, Any], given: Mapping[str, Any]
) -> Parameters:
    """All parameters of a run, each of its type and in its range.

    Args:
        parameters: As Kedro has put them together from the files and ``--params``.
        global_values: Those of ``globals.yml``.
        given: What ``--params`` said.

    Raises:
        ConfigurationError: One is unknown, missing or wrong; belongs into a file; or says
            another run or protocol than the catalog's paths.
    """
    for name, (file, besides) in _IN_FILES.items():
        if name in given:
            raise ConfigurationError(
                f"{name} is not taken from --params; put it into {own_settings(file)}{besides}."
            )
    paths = {name: global_values.get(name) for name in Globals.model_fields}
    in_paths = Globals.read(paths | {n: given[n] for n in paths if n in given})
    read = Parameters.read(parameters)
    for name in ("run", "protocol"):
        if getattr(read, name) != getattr(in_paths, name):
            raise ConfigurationError(
                f"{name} is {getattr(read, name)} in a file of parameters, and paths are made "
                f"with {getattr(in_paths, name)}; put it into {own_settings('globals.yml')} "
                "instead."
            )
    return read


def refuse_impossible(parameters: Mapping[str, Any], stages: Set[str]) -> None:
    """Refuse what a later stage could not do, which may be hours away.

    Args:
        parameters: The whole of a run's parameters.
        stages: The stages that it goes through, by the tags of their nodes.

    Raises:
        ConfigurationError: A value is none that its stage can take.
        ArtifactError: The detector's weights are missing or others.
    """
    if stages & {"pretrain", "finetune"}:
        _check_training(parameters, stages)
    if "predict" in stages:
        from action_units.pipelines.prediction.nodes import check_source

        check_source(parameters["source"])
    preprocess = PreprocessSettings.model_validate(parameters["preprocess"])
    if "preprocess" in stages and preprocess.start_from == "raw":
        from action_units.pipelines.preprocessing.nodes import face_settings

        with told("preprocess"):
            face_settings(preprocess).provenance()


def _check_training(parameters: Mapping[str, Any], stages: Set[str]) -> None:
    from action_units.models.pretrained import PretrainedWeights

    settings = TrainingSettings.read(parameters)
    begin = {
        "pretrain": "pretrain" in stages,
        "from_scratch": "finetune" in stages
        and (parameters["finetune"]["also_from_scratch"] or not parameters["pretraining"]),
    }
    for part in (part for part, runs in begin.items() if runs):
        weights = getattr(settings.recipe, part).backbone_weights
        if weights is not None:
            with told(f"recipes.{settings.name}.{part}"):
                PretrainedWeights.read(weights)
