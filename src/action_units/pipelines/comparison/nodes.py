"""Node that sets finished runs side by side."""

import logging
from collections.abc import Callable, Mapping

import pandas as pd

from action_units.datasets.folds import EvaluatedFold
from action_units.errors import ConfigurationError
from action_units.hints import command

logger = logging.getLogger(__name__)

Folds = dict[int, EvaluatedFold]


def compare_runs(
    finished: Mapping[str, Callable[[], Folds]], runs: str | None, seed: int
) -> tuple[pd.DataFrame, str]:
    """Compare runs with the first of them, paired over subjects.

    Args:
        finished: What reads each run that has evaluated folds.
        runs: Names with colons between them; None takes all there are.
        seed: Of the bootstrap.

    Returns:
        Every metric of each run and of the first, and one HTML document.

    Raises:
        ConfigurationError: There are not two, one is not there, or they were not tested
            on the same frames.
    """
    from action_units.evaluation.comparison import compare
    from action_units.evaluation.report.comparison import render_comparison

    names = _chosen(finished, runs)
    folds = {name: finished[name]() for name in names}
    predictions = {
        name: {number: fold.read_predictions() for number, fold in read.items()}
        for name, read in folds.items()
    }
    first = names[0]
    comparisons = [
        compare(predictions[name], predictions[first], seed, (name, first))
        for name in names[1:]
    ]
    tables = []
    for name, comparison in zip(names[1:], comparisons, strict=True):
        table = comparison.table().rename(columns={name: "value", first: "first"})
        tables.append(table.assign(run=name, against=first))
        differences = comparison.differences["f1"].averages
        for average, line in differences.items():
            change = line.mean_of_folds
            logger.info(
                "%s against %s, %s: F1 %+.3f (95 %% over subjects %+.3f to %+.3f)",
                name,
                first,
                average,
                change.value,
                change.low,
                change.high,
            )
    about = {name: _about(read) for name, read in folds.items()}
    rendered = all(
        fold.evaluation.rendered for read in folds.values() for fold in read.values()
    )
    table = pd.concat(tables, ignore_index=True)
    table = table[["run", "against", *table.columns.drop(["run", "against"])]]
    return table, render_comparison(comparisons, about, rendered)


def _chosen(finished: Mapping[str, object], runs: str | None) -> list[str]:
    listed = f"finished are {', '.join(finished)}" if finished else "no run is finished"
    names = list(finished) if runs is None else [name.strip() for name in str(runs).split(":")]
    if missing := [name for name in names if name not in finished]:
        raise ConfigurationError(
            f"run {missing[0]!r} does not exist or is not finished; {listed}."
        )
    if len(set(names)) < 2 or len(set(names)) != len(names):
        raise ConfigurationError(
            f"two different runs or more can be compared, but runs={runs!r} names "
            f"{len(set(names))}; {listed}. `--params runs=A:B` chooses, and "
            f"{command(run='NAME')} makes one more."
        )
    return names


def _about(folds: Folds) -> dict[str, object]:
    """What was recorded of a run, of its first fold."""
    return dict(next(iter(folds.values())).evaluation.provenance)
