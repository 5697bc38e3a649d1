"""Numbers as text for the pages: three digits, n/a with its reason, intervals."""

import math
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from action_units.evaluation.scores import Estimate, ScoreLine
from action_units.evaluation.subject_statistics import METRICS
from action_units.labels.action_units import au_column

_UNDEFINED = Markup('<span class="na" title="{}">n/a</span>')
_NO_POSITIVES = "no frame tested here shows it"
_FEW_SUBJECTS = "fewer than two subjects tested here show it"


def templates() -> Environment:
    """The pages' templates with these functions as filters."""
    environment = Environment(
        loader=PackageLoader("action_units.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "score": score,
        "signed": signed,
        "percent": percent,
        "ends": ends,
        "fold_range": fold_range,
        "interval": interval,
    }
    environment.globals |= {"au_column": au_column, "registry": METRICS}
    return environment


def score(value: Estimate | float | None, why: str = "") -> str | Markup:
    """A score with three digits, n/a with its reason where it is undefined."""
    number, why = _number(value, why)
    return undefined(why) if math.isnan(number) else f"{number:.3f}".replace("-", "−")


def signed(value: Estimate | float | None, why: str = "") -> str | Markup:
    """A difference with its sign."""
    number, why = _number(value, why)
    return undefined(why) if math.isnan(number) else f"{number:+.3f}".replace("-", "−")


def percent(value: float) -> str | Markup:
    """A share of 1 as percent."""
    return undefined() if math.isnan(value) else f"{value:.1%}"


def ends(value: Estimate | Mapping[str, Any], signs: bool = False) -> str | Markup:
    """Both ends of an interval for a table cell: an estimate's, or an AU table row's F1."""
    if not isinstance(value, Estimate):
        value = Estimate(value["f1"], value["f1_low"], value["f1_high"])
    if math.isnan(value.low):
        return undefined(value.why or _FEW_SUBJECTS)
    if signs:
        return f"{signed(value.low)} to {signed(value.high)}"
    return f"{score(value.low)}–{score(value.high)}"


def fold_range(line: ScoreLine) -> str | Markup:
    """The lowest and the highest score of a fold, of those where it is defined."""
    values = [value for value in line.by_fold.values() if not math.isnan(value)]
    if not values:
        return undefined(next(iter(line.why.values()), ""))
    return f"{score(min(values))}–{score(max(values))}"


def interval(value: Estimate, signs: bool = False) -> str | Markup:
    """An interval in a sentence, with signs where it is a difference."""
    if math.isnan(value.low):
        return Markup("95 % interval ") + undefined(value.why or _FEW_SUBJECTS)
    written = signed if signs else score
    return f"95 %: {written(value.low)} to {written(value.high)}"


def undefined(why: str = "") -> Markup:
    """n/a with its reason."""
    reason = (why or _NO_POSITIVES).removeprefix("no interval: ")
    return _UNDEFINED.format(f"not defined: {reason}")


def _number(value: Estimate | float | None, why: str) -> tuple[float, str]:
    if isinstance(value, Estimate):
        return value.value, why or value.why
    return math.nan if value is None else value, why
