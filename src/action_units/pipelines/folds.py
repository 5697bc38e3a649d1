"""The folds of the pipelines."""

import re
from collections.abc import Callable, Iterable, Set
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Node, Pipeline

from action_units.errors import ConfigurationError
from action_units.hints import command
from action_units.pipelines.namespaces import namespaced


def fold_tag(fold: int) -> str:
    """The tag and namespace of a fold, such as ``fold3``."""
    return f"fold{fold}"


def fold_of(tags: Iterable[str]) -> int | None:
    """The fold that a node's tags name; None for a node of no fold."""
    matches = (re.fullmatch(r"fold(\d+)", tag) for tag in tags)
    return next((int(match[1]) for match in matches if match), None)


def count_subjects(catalog: CatalogProtocol[Any, Any], coded_set: str) -> int:
    """How many subjects a coded set's faces are of.

    Raises:
        ConfigurationError: They have not been made yet.
    """
    name = f"{coded_set}.faces"
    if not catalog.exists(name):
        raise ConfigurationError(
            f"the fold protocol has a fold for each subject of {coded_set}, and who has usable "
            f"faces is not known yet; run {command('preprocess')} first."
        )
    return len(set(catalog.load(name).subjects.tolist()))


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
