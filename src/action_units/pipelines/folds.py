"""The folds of the pipelines."""

from collections.abc import Callable

from kedro.pipeline import Node, Pipeline

from action_units.labels.folds import PROTOCOLS

FOLDS = tuple(sorted({fold for protocol in PROTOCOLS.values() for fold in protocol.folds}))
"""The folds that the pipelines are built for: those of the protocol that has the most."""


def fold_tag(fold: int) -> str:
    """The tag and namespace of a fold, such as ``fold3``."""
    return f"fold{fold}"


def fold_pipelines(build: Callable[[int], list[Node]], shared: set[str], tag: str) -> Pipeline:
    """The same nodes for each fold, in a namespace and with a tag of its own.

    Args:
        build: Gives a fold's nodes, with dataset names without the fold.
        shared: Datasets that belong to no fold and keep their names.
        tag: The name of the stage.
    """
    folds = []
    for fold in FOLDS:
        pipeline = Pipeline(build(fold))
        free = pipeline.inputs()
        folds.append(
            Pipeline(
                pipeline,
                namespace=fold_tag(fold),
                inputs=shared & free,
                parameters={name for name in free if name.startswith("params:")},
                tags=[tag, fold_tag(fold)],
            )
        )
    return sum(folds, Pipeline([]))
