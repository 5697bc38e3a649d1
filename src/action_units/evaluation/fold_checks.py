"""Which folds may be averaged, and what their reader must be told."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from action_units.errors import ConfigurationError
from action_units.evaluation.fold import FoldEvaluation
from action_units.hints import command

_SHARED = {
    "config_hash": "configurations",
    "recipe": "recipes",
    "data_sha256": "data",
    "packages": "package versions",
}
"""The entries of a fold's provenance that all folds of a run should share."""


def check_folds_agree(folds: Sequence[FoldEvaluation]) -> None:
    """Refuse folds that must not be averaged.

    Args:
        folds: By number.

    Raises:
        ConfigurationError: No fold, a fold twice, another protocol, other AUs, rendered
            faces beside people's, a pre-trained network beside one that is not, or a
            subject tested in two folds.
    """
    if not folds:
        raise ConfigurationError(f"no fold has been evaluated yet: run {command('evaluate')}.")
    for fold, following in pairwise(folds):
        if fold.fold == following.fold:
            raise ConfigurationError(
                f"fold {fold.fold} is given twice: each fold is averaged once."
            )
    first = folds[0]
    tested: dict[str, int] = {}
    for fold in folds:
        for what in ("protocol", "rendered", "aus", "pretrained"):
            if getattr(fold, what) != getattr(first, what):
                raise ConfigurationError(
                    f"folds {first.fold} and {fold.fold} cannot be averaged: their {what} "
                    f"differs, {getattr(first, what)} and {getattr(fold, what)}."
                )
        for subject in fold.test:
            if subject in tested:
                raise ConfigurationError(
                    f"{subject} is tested in fold {tested[subject]} and in fold {fold.fold}: "
                    "each subject is tested once."
                )
            tested[subject] = fold.fold


def warnings_of(folds: Sequence[FoldEvaluation], n_folds: int) -> Iterable[str]:
    """Sentences on what a reader of these folds must know.

    Args:
        folds: By number.
        n_folds: How many the protocol has.
    """
    if len(folds) < n_folds:
        there = ", ".join(str(fold.fold) for fold in folds)
        yield (
            f"{len(folds)} of {n_folds} folds are evaluated (fold {there}): "
            "the averages run over these alone."
        )
    for key, what in _SHARED.items():
        if any(fold.provenance.get(key) != folds[0].provenance.get(key) for fold in folds):
            yield f"The folds were run with different {what}, so their average mixes them."
    if 0 < sum(fold.scratch is not None for fold in folds) < len(folds):
        yield "Not every fold has a network trained from scratch, so none is compared."
