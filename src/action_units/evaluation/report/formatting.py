"""Figures as text for the pages: three digits, n/a with its reason, intervals."""

import math
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from action_units.evaluation.scores import Estimate
from action_units.labels.action_units import au_column

_UNDEFINED = Markup('<span class="na" title="{}">n/a</span>')
_NO_POSITIVES = "no frame tested here shows it"
_FEW_SUBJECTS = "fewer than two subjects tested here show it"


def templates() -> Environment:
    """The pages' templates with these functions as filters."""
    environment = Environment(
        loader=PackageLoader("action_units.evaluation", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": number,
        "signed": signed,
        "percent": percent,
        "ends": ends,
        "interval": interval,
        "firm": firm,
    }
    environment.globals["au_column"] = au_column
    return environment


def number(figure: Estimate | float | None, why: str = "") -> str | Markup:
    """A score with three digits, n/a with its reason where it is undefined."""
    value, why = _taken(figure, why)
    return undefined(why) if math.isnan(value) else f"{value:.3f}"


def signed(figure: Estimate | float | None, why: str = "") -> str | Markup:
    """A difference with its sign."""
    value, why = _taken(figure, why)
    return undefined(why) if math.isnan(value) else f"{value:+.3f}".replace("-", "−")


def percent(value: float) -> str | Markup:
    """A share of 1 as percent."""
    return undefined() if math.isnan(value) else f"{value:.1%}"


def ends(figure: Estimate | Mapping[str, Any], signs: bool = False) -> str | Markup:
    """Both ends of an interval for a table cell: an estimate's, or an AU table row's F1."""
    if isinstance(figure, Estimate):
        low, high, why = figure.low, figure.high, figure.why
    else:
        low, high, why = figure["f1_low"], figure["f1_high"], ""
    if math.isnan(low):
        return undefined(why or _FEW_SUBJECTS)
    if signs:
        return f"{signed(low)} to {signed(high)}"
    return f"{low:.3f}–{high:.3f}"


def interval(figure: Estimate, signs: bool = False) -> str | Markup:
    """An interval in a sentence, with signs where it is a difference."""
    if math.isnan(figure.low):
        return Markup("95 % interval ") + undefined(figure.why or _FEW_SUBJECTS)
    written = signed if signs else number
    return f"95 %: {written(figure.low)} to {written(figure.high)}"


def firm(figure: Estimate) -> bool:
    """The interval of a difference holds no zero."""
    return figure.low > 0 or figure.high < 0


def undefined(why: str = "") -> Markup:
    """n/a that says why."""
    reason = (why or _NO_POSITIVES).removeprefix("no interval: ")
    return _UNDEFINED.format(f"not defined: {reason}")


def _taken(figure: Estimate | float | None, why: str) -> tuple[float, str]:
    if isinstance(figure, Estimate):
        return figure.value, why or figure.why
    return math.nan if figure is None else figure, why
