"""The page that sets runs side by side."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from action_units.errors import ConfigurationError
from action_units.evaluation.comparison import Comparison
from action_units.evaluation.measures import METRICS
from action_units.evaluation.report.formatting import templates
from action_units.evaluation.report.provenance import text_of
from action_units.evaluation.scores import Estimate
from action_units.labels.action_units import AU_NAMES

_HEADLINE = "f1"


def render_comparison(
    comparisons: Sequence[Comparison],
    about: Mapping[str, Mapping[str, Any]] | None = None,
    rendered: bool = False,
    title: str = "Runs side by side",
) -> str:
    """Runs beside one that all are compared with, as one HTML document.

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
            names=[base, *(c.names[0] for c in comparisons)],
            about=_about([base, *(c.names[0] for c in comparisons)], about or {}),
        )
    )


def _part(comparison: Comparison) -> dict[str, Any]:
    apart = comparison.differences[_HEADLINE]
    reach = max(
        (
            abs(end)
            for line in apart.lines
            for end in (line.mean_of_folds.low, line.mean_of_folds.high)
            if not math.isnan(end)
        ),
        default=1.0,
    )
    return {
        "name": comparison.names[0],
        "averages": [_row(comparison, _HEADLINE, key) for key in apart.averages],
        "aus": [_row(comparison, _HEADLINE, key) for key in apart.aus],
        "measures": {
            average: [
                _row(comparison, name, average) | {"measure": measure}
                for name, measure in METRICS.items()
                if name in comparison.differences
            ]
            for average in apart.averages
        },
        "reach": max(reach, 1e-9),
    }


def _row(comparison: Comparison, measure: str, key: int | str) -> dict[str, Any]:
    part = "aus" if isinstance(key, int) else "averages"
    one, two, apart = (
        getattr(scores[measure], part)[key]
        for scores in (comparison.first, comparison.second, comparison.differences)
    )
    return {
        "name": apart.name,
        "title": AU_NAMES[key] if isinstance(key, int) else "mean",
        "one": one,
        "two": two,
        "apart": apart,
        "mark": _mark(apart.mean_of_folds),
    }


def _mark(figure: Estimate) -> str:
    return "" if math.isnan(figure.value) else "worse" if figure.value < 0 else "better"


def _about(
    names: Sequence[str], about: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, list[str], bool]]:
    """What was recorded, a row each: its name, its text for each run, whether they differ."""
    keys = sorted({key for name in names for key in about.get(name, {})})
    rows = []
    for key in keys:
        values = [text_of(about.get(name, {}).get(key)) for name in names]
        rows.append((key.replace("_", " "), values, len(set(values)) > 1))
    return rows
