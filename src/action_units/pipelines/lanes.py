"""Which lanes the pipelines have: chosen by parameters, before they are built."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kedro.pipeline import Node, Pipeline

from action_units.errors import ConfigurationError
from action_units.facs.protocols import fold_protocol

_STARTS = ("raw", "crops")


@dataclass(frozen=True)
class Lanes:
    """The shape of the pipelines of one run.

    Attributes:
        folds: The folds that are trained and evaluated, a lane each.
        start_from: ``raw`` detects and crops faces; ``crops`` starts from the
            interchange format, as the authors of the method published it.
        from_scratch: Whether each fold is also trained without pre-training.
    """

    folds: tuple[int, ...] = (1, 2, 3)
    start_from: str = "raw"
    from_scratch: bool = True


current = Lanes()


def choose(parameters: Mapping[str, Any]) -> bool:
    """Take the lanes from a run's parameters.

    Args:
        parameters: The whole of the run's parameters.

    Returns:
        Whether they differ from the last run's in this process.

    Raises:
        ConfigurationError: An unknown protocol, fold or start.
    """
    global current
    chosen = read(parameters)
    changed = chosen != current
    current = chosen
    return changed


def read(parameters: Mapping[str, Any]) -> Lanes:
    """The lanes that parameters ask for; raises as ``choose``."""
    protocol = fold_protocol(parameters.get("protocol", "fg2020"))
    fold = parameters.get("fold")
    if fold is not None:
        protocol.test_subjects(fold)
    folds = protocol.folds if fold is None else (fold,)
    run = parameters.get("run", "main")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", str(run)) or run == "comparisons":
        raise ConfigurationError(
            f"run={run!r} cannot name a run: letters, digits, points and hyphens can."
        )
    start = parameters.get("preprocess", {}).get("start_from", "raw")
    if start not in _STARTS:
        raise ConfigurationError(
            f"preprocess.start_from={start!r} is unknown; choose one of {', '.join(_STARTS)}."
        )
    from_scratch = parameters.get("finetune", {}).get("also_from_scratch", True)
    if not isinstance(from_scratch, bool):
        raise ConfigurationError(
            f"finetune.also_from_scratch={from_scratch!r} must be true or false."
        )
    return Lanes(folds=folds, start_from=start, from_scratch=from_scratch)


def lane(nodes: list[Node], fold: int, shared: set[str], tag: str) -> Pipeline:
    """Put nodes in a fold's own lane.

    Args:
        nodes: Nodes whose datasets are named without the fold.
        fold: The fold.
        shared: Datasets that belong to no fold and keep their names.
        tag: The name of the stage.

    Returns:
        A pipeline in the namespace ``fold1``, ``fold2`` or ``fold3``.
    """
    pipeline = Pipeline(nodes)
    parameters = {name for name in pipeline.inputs() if name.startswith("params:")}
    return Pipeline(
        pipeline,
        namespace=f"fold{fold}",
        inputs=shared & pipeline.inputs(),
        parameters=parameters,
        tags=[tag, f"fold{fold}"],
    )
