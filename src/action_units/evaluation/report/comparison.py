"""The page that compares runs."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from action_units.errors import ConfigurationError
from action_units.evaluation.comparison import Comparison
from action_units.evaluation.report.formatting import templates
from action_units.evaluation.report.provenance import text_of
from action_units.evaluation.subject_statistics import METRICS
from action_units.labels.action_units import AU_NAMES


def render_comparison(
    comparisons: Sequence[Comparison],
    about: Mapping[str, Mapping[str, Any]] | None = None,
    rendered: bool = False,
    title: str = "Runs side by side",
) -> str:
    """Runs compared with one of them, as one HTML document.

    Args:
        comparisons: Each of another run (its first) with the same run (its second).
        about: What was recorded of each run, by its name, any JSON values.
        rendered: The faces are rendered, not people's.
        title: Heading of the page.

    Returns:
        A document that loads nothing from anywhere.

    Raises:
        ConfigurationError: No comparison, or comparisons with different runs.
    """
    if not comparisons:
        raise ConfigurationError("nothing to compare: name two runs or more.")
    base = comparisons[0].names[1]
    names = [base, *(comparison.names[0] for comparison in comparisons)]
    if other := next((c.names[1] for c in comparisons if c.names[1] != base), None):
        raise ConfigurationError(
            f"comparisons with {base} and with {other} do not fit on one page: all runs must "
            "be compared with the same one."
        )
    return (
        templates()
        .get_template("comparison.html.j2")
        .render(
            title=title,
            rendered=rendered,
            base=base,
            folds=comparisons[0].folds,
            parts=[_part(comparison) for comparison in comparisons],
            names=names,
            about=_about(names, about or {}),
        )
    )


def _part(comparison: Comparison) -> dict[str, Any]:
    f1 = comparison.differences["f1"]
    means = [line.mean_of_folds for line in f1.lines]
    ends = [abs(end) for mean in means for end in (mean.low, mean.high) if not math.isnan(end)]
    return {
        "name": comparison.names[0],
        "averages": [_row(comparison, "f1", key) for key in f1.averages],
        "aus": [_row(comparison, "f1", key) for key in f1.aus],
        "metrics": {
            average: [_row(comparison, name, average) for name in comparison.differences]
            for average in f1.averages
        },
        "reach": max(ends, default=1.0) or 1e-9,
    }


def _row(comparison: Comparison, metric: str, key: int | str) -> dict[str, Any]:
    part = "aus" if isinstance(key, int) else "averages"
    one, two, difference = (
        getattr(scores[metric], part)[key]
        for scores in (comparison.first, comparison.second, comparison.differences)
    )
    value = difference.mean_of_folds.value
    return {
        "name": difference.name,
        "title": AU_NAMES[key] if isinstance(key, int) else "mean",
        "metric": METRICS[metric],
        "one": one,
        "two": two,
        "difference": difference,
        "mark": "" if math.isnan(value) else "worse" if value < 0 else "better",
    }


def _about(
    names: Sequence[str], about: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, list[str], bool]]:
    """What was recorded, a row each: its name, its text for each run, whether they differ."""
    rows = []
    for key in sorted({key for name in names for key in about.get(name, {})}):
        values = [text_of(about.get(name, {}).get(key)) for name in names]
        rows.append((key.replace("_", " "), values, len(set(values)) > 1))
    return rows
