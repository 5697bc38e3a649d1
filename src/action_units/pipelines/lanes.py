"""Which lanes the pipelines have: chosen by parameters, before they are built."""

from dataclasses import dataclass

from kedro.pipeline import Node, Pipeline

from action_units.config import Parameters
from action_units.labels.folds import fold_protocol


@dataclass(frozen=True)
class Lanes:
    """The shape of the pipelines of one run.

    Attributes:
        folds: The folds that are trained and evaluated, a lane each.
        start_from: ``raw`` detects and crops faces; ``crops`` starts from the
            interchange format, as the authors of the method published it.
        from_scratch: Whether each fold is also trained without pre-training.
        pretraining: Whether there is any pre-training; without, the one network of a fold
            begins at random weights, and there is no web set.
    """

    folds: tuple[int, ...] = (1, 2, 3)
    start_from: str = "raw"
    from_scratch: bool = True
    pretraining: bool = True


current = Lanes()


def choose(parameters: Parameters) -> bool:
    """Take the lanes from a run's parameters.

    Args:
        parameters: The whole of the run's parameters.

    Returns:
        Whether they differ from the last run's in this process.
    """
    global current
    chosen = read(parameters)
    changed = chosen != current
    current = chosen
    return changed


def read(parameters: Parameters) -> Lanes:
    """The lanes that parameters ask for."""
    fold = parameters.fold
    return Lanes(
        folds=fold_protocol(parameters.protocol).folds if fold is None else (fold,),
        start_from=parameters.preprocess.start_from,
        from_scratch=parameters.finetune.also_from_scratch and parameters.pretraining,
        pretraining=parameters.pretraining,
    )


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
