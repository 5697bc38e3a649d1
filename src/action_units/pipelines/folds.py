"""The folds of the pipelines."""

from collections.abc import Callable, Set

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.namespaces import namespaced


def fold_tag(fold: int) -> str:
    """The tag and namespace of a fold, such as ``fold3``."""
    return f"fold{fold}"


def fold_pipelines(
    build: Callable[[int], list[Node]], n_folds: int, shared: Set[str], tag: str
) -> Pipeline:
    """The same nodes for each fold, in a namespace and with a tag of its own.

    Args:
        build: Gives a fold's nodes, with dataset names without the fold.
        n_folds: How many folds there are.
        shared: Datasets that belong to no fold and keep their names.
        tag: The name of the stage.
    """
    folds = [
        namespaced(build(fold), fold_tag(fold), shared, [tag, fold_tag(fold)])
        for fold in range(1, n_folds + 1)
    ]
    return sum(folds, Pipeline([]))
