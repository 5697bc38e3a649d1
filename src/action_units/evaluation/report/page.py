"""Rendering the page: figures as inline SVG, faces as data URIs, text through a template."""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from action_units.evaluation import metrics
from action_units.evaluation.bootstrap import together
from action_units.evaluation.examples import KINDS, Example
from action_units.evaluation.figures import draw_training_curves
from action_units.evaluation.published import PUBLISHED_DISFA
from action_units.evaluation.results import FoldEvaluation
from action_units.evaluation.scores import Estimate
from action_units.evaluation.summary import RunSummary
from action_units.evaluation.theme import STAND_INS, to_inline_svg
from action_units.facs.action_units import AU_NAMES, EIGHT_AUS, au_column

Examples = Mapping[int, Mapping[str, Sequence[Example]]]

_UNDEFINED = Markup('<span class="na" title="{}">n/a</span>')
_NO_POSITIVES = "not defined: no frame tested here shows it"
_FEW_SUBJECTS = "not defined: fewer than two subjects tested here show it"


@dataclass(frozen=True)
class PageExtras:
    """What the page shows beside the scores; each part may be missing.

    Attributes:
        examples: Faces by AU and kind, from ``gather_examples``.
        quarantine: ``source, path, reason, detail``: what could not be used.
        pretraining_curve: Of the pre-training run.
        title: Heading of the page.
    """

    examples: Examples = field(default_factory=dict)
    quarantine: pd.DataFrame = field(default_factory=pd.DataFrame)
    pretraining_curve: pd.DataFrame = field(default_factory=pd.DataFrame)
    title: str = "Action unit report"


def render_report(summary: RunSummary, extras: PageExtras | None = None) -> str:
    """The whole page as HTML.

    Args:
        summary: The run.
        extras: Faces, quarantine and curves to show.

    Returns:
        A document that loads nothing from anywhere.
    """
    extras = extras or PageExtras()
    scores = summary.scores["finetuned"]
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
    }
    environment.globals["au_column"] = au_column
    return environment.get_template("page.html.j2").render(
        title=extras.title,
        summary=summary,
        scratch=summary.scores.get("scratch"),
        rows=_au_rows(summary),
        averages=_average_rows(summary),
        folds=[_fold(fold) for fold in summary.folds],
        heat=_heat_map(summary),
        faces=_faces(extras.examples),
        kinds=KINDS,
        pretraining=_curve(extras.pretraining_curve),
        quarantine=_quarantine(extras.quarantine),
        published=[] if summary.rendered else PUBLISHED_DISFA,
        eight=EIGHT_AUS,
        ours={au: line.mean_of_folds.value for au, line in scores.aus.items()},
        provenance=_provenance(summary.folds),
    )


def number(value: float | None, why: str = _NO_POSITIVES) -> str | Markup:
    """A score with three digits, n/a with its reason where it is undefined."""
    if value is None or math.isnan(value):
        return _UNDEFINED.format(why)
    return f"{value:.3f}"


def signed(value: float) -> str | Markup:
    """A difference with its sign."""
    return number(value) if math.isnan(value) else f"{value:+.3f}".replace("-", "−")


def percent(value: float) -> str | Markup:
    """A share of 1 as percent."""
    return number(value) if math.isnan(value) else f"{value:.1%}"


def ends(figure: Estimate | Mapping[str, Any]) -> str | Markup:
    """Both ends of an interval for a table cell: an estimate's, or an AU table row's F1."""
    if isinstance(figure, Estimate):
        low, high = figure.low, figure.high
    else:
        low, high = figure["f1_low"], figure["f1_high"]
    return number(low, _FEW_SUBJECTS) if math.isnan(low) else f"{low:.3f}–{high:.3f}"


def interval(figure: Estimate, signs: bool = False) -> str | Markup:
    """An interval in a sentence, with signs where it is a difference."""
    if math.isnan(figure.low):
        return Markup("95 % interval ") + number(figure.low, _FEW_SUBJECTS)
    written = signed if signs else number
    return f"95 %: {written(figure.low)} to {written(figure.high)}"


def _au_rows(summary: RunSummary) -> list[dict[str, Any]]:
    scratch = summary.scores.get("scratch")
    rows = []
    for column, au in enumerate(summary.aus):
        tables = [fold.finetuned.au_table.iloc[column] for fold in summary.folds]
        rows.append(
            {
                "au": au_column(au),
                "name": AU_NAMES[au],
                "line": summary.scores["finetuned"].aus[au],
                "floor": summary.floor.aus[au].mean_of_folds.value,
                "scratch": scratch.aus[au].mean_of_folds.value if scratch else math.nan,
                "difference": summary.au_difference.get(au),
                "support": int(sum(table["support"] for table in tables)),
                "people": int(sum(table["n_subjects_with_positives"] for table in tables)),
            }
        )
    return rows


def _average_rows(summary: RunSummary) -> list[dict[str, Any]]:
    scratch = summary.scores.get("scratch")
    return [
        {
            "name": name,
            "line": line,
            "floor": summary.floor.averages[name],
            "scratch": scratch.averages[name] if scratch else None,
            "difference": summary.difference.get(name),
        }
        for name, line in summary.scores["finetuned"].averages.items()
    ]


def _fold(fold: FoldEvaluation) -> dict[str, Any]:
    curves = {name: model.curve for name, model in fold.models.items() if len(model.curve)}
    svg = Markup()
    if curves:
        figure = draw_training_curves(curves, palette=STAND_INS)
        description = f"Validation F1 and loss by epoch in fold {fold.fold}"
        svg = Markup(to_inline_svg(figure, f"curves{fold.fold}", description))
    models = {
        name: {
            "rows": model.au_table.to_dict(orient="records"),
            "averages": model.averages.to_dict(orient="records"),
            "facts": sorted(_flat(model.provenance).items()),
        }
        for name, model in fold.models.items()
    }
    return {"fold": fold, "curves": svg, "models": models}


def _curve(curve: pd.DataFrame) -> Markup:
    if curve.empty:
        return Markup()
    figure = draw_training_curves({"finetuned": curve}, palette=STAND_INS)
    return Markup(to_inline_svg(figure, "pretraining", "Pre-training by epoch"))


def _heat_map(summary: RunSummary) -> list[tuple[str, list[float]]]:
    """F1 of each test subject, by AU; NaN where the subject never shows it."""
    people = together([fold.finetuned.people for fold in summary.folds])
    values = metrics.f1(people.counts)  # (S, A)
    return sorted(zip(people.subjects, values.tolist(), strict=True))


def _faces(examples: Examples) -> list[dict[str, Any]]:
    return [
        {
            "au": au_column(au),
            "name": AU_NAMES[au],
            "kinds": {kind: [_face(example) for example in kinds[kind]] for kind in KINDS},
        }
        for au, kinds in examples.items()
    ]


def _face(example: Example) -> dict[str, Any]:
    return {
        "src": _jpeg(example),
        "subject": example.subject,
        "frame": example.frame,
        "probability": example.probability,
    }


def _jpeg(example: Example) -> str:
    _, encoded = cv2.imencode(".jpg", example.face, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def _quarantine(table: pd.DataFrame) -> list[dict[str, Any]]:
    if table.empty:
        return []
    grouped = table.groupby(["source", "reason"], sort=True)
    return [
        {"source": source, "reason": reason, "count": len(rows), "first": rows["path"].iloc[0]}
        for (source, reason), rows in grouped
    ]


def _provenance(folds: Sequence[FoldEvaluation]) -> list[tuple[str, str]]:
    """What the folds were made from; a value that differs is given for each fold."""
    rows: list[tuple[str, str]] = []
    flat = [_flat(fold.provenance) for fold in folds]
    for key in sorted({key for one in flat for key in one}):
        values = [one.get(key, "n/a") for one in flat]
        same = len(set(values)) == 1
        each = [f"fold {f.fold}: {value}" for f, value in zip(folds, values, strict=True)]
        rows.append((key, values[0] if same else "; ".join(each)))
    return rows


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            found |= _flat(value, f"{name}: ")
        else:
            found[name] = str(value)
    return found
