"""The model card of a run: what it is, its scores, and what it must not be used for.

Markdown with Hugging Face's front matter. Every number in it comes from the run's own files.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from action_units import __version__
from action_units.errors import ArtifactError
from action_units.evaluation import bootstrap
from action_units.evaluation.postprocessing import thresholds
from action_units.evaluation.report.groups import grouping_rows
from action_units.evaluation.report.tables import (
    au_rows,
    average_rows,
    intensity_rows,
    metric_tables,
    person_table,
    scored,
)
from action_units.evaluation.scores import Estimate
from action_units.evaluation.summary import RunSummary
from action_units.export.fold_models import FoldModel
from action_units.hints import command
from action_units.labels.action_units import AU_NAMES, au_column
from action_units.progress import clock

_WEIGHTS = re.compile(r"^\| \d+ \| `(\w{64})` \|$", re.MULTILINE)
"""The hashes in the card's table of weights."""

_CALIBRATION = ("ece", "brier")
_OTHERS = ("auc", "average_precision", "mcc", "balanced_accuracy", "f1_norm", "f1_event")


def render_card(
    summary: RunSummary,
    models: Mapping[int, FoldModel],
    name: str,
    seconds: float,
    web_rendered: bool | None,
) -> str:
    """The card of a run.

    Args:
        summary: Its scores.
        models: The fine-tuned network of each of its folds.
        name: Such as ``sample/main/disfa/fg2020``.
        seconds: Of pre-training and fine-tuning, all its networks together.
        web_rendered: Whether pre-training saw rendered faces; None where it is unknown.
    """
    first = next(iter(models.values()))
    started_from = first.model.provenance.get("backbone_weights")
    tables = metric_tables(summary)
    return _tidy(
        _templates()
        .get_template("model_card.md.j2")
        .render(
            front_matter=front_matter(summary, name, web_rendered, started_from is not None),
            name=name,
            web_rendered=web_rendered,
            draws=bootstrap.RESAMPLES,
            threshold_draws=thresholds.RESAMPLES,
            summary=summary,
            sets=_set_names(summary),
            models=models,
            spec=first.model.spec,
            colour=first.model.colour,
            parameters=sum(p.numel() for p in first.model.network.parameters()),
            flip=first.flip,
            faces=first.model.provenance.get("faces"),
            started_from=started_from,
            annotators=first.model.provenance.get("annotators", ["OpenFace 2.0"]),
            rows=au_rows(summary),
            scored=scored(summary),
            tested=sum(len(fold.test) for fold in summary.folds),
            averages=average_rows(summary),
            person=person_table(summary),
            groupings=grouping_rows(summary),
            intensity=intensity_rows(summary),
            set_averages={name: average_rows(one) for name, one in summary.sets.items()},
            by_au={
                measure: summary.metrics["finetuned"][measure].aus
                for measure in ("f1_at_half", "auc", "prevalence")
                if measure in summary.metrics["finetuned"]
            },
            metrics={
                average: [row for row in table if row["name"] in _OTHERS]
                for average, table in tables.items()
            },
            calibration={
                average: [row for row in table if row["name"] in _CALIBRATION]
                for average, table in tables.items()
            },
            undefined=_undefined(summary),
            threshold_ranges=_threshold_ranges(models, summary.aus),
            before_thresholds=_before_thresholds(models, summary),
            shared=summary.folds[0].provenance,
            recipe=first.model.provenance.get("training", {}).get("recipe", {}),
            wall_time=clock(seconds),
            version=__version__,
        )
    )


def front_matter(
    summary: RunSummary, name: str, web_rendered: bool | None, others_weights: bool = False
) -> str:
    """The fields that Hugging Face reads, as YAML, without undefined scores.

    Arguments as of ``render_card``; `others_weights` is whether networks started from some.
    """
    rendered = summary.rendered
    named = " and ".join(_set_names(summary))
    data = (
        {"name": f"rendered faces, {named}", "type": "rendered-sample"}
        if rendered
        else {"name": named, "type": "-".join(summary.coded)}
    )
    folds = f"{summary.mean_of_folds} ({summary.protocol})"
    metrics = []
    for kind, measure, title in (("f1", "f1", "F1"), ("roc_auc", "auc", "AUC")):
        if measure not in summary.metrics["finetuned"]:
            continue
        scores = summary.metrics["finetuned"][measure]
        for line in (*scores.averages.values(), *scores.aus.values()):
            value = line.mean_of_folds.value
            if not math.isnan(value):
                text = f"{title}, {line.name}, {folds}"
                metrics.append({"type": kind, "name": text, "value": round(value, 4)})
    licence: dict[str, Any] = (
        {"license": "mit"}
        if rendered and web_rendered and not others_weights
        else {
            "license": "other",
            "license_name": "as-the-training-data-and-first-weights-allow"
            if others_weights
            else "as-the-training-data-allow",
        }
    )
    web = "rendered-web-sample" if web_rendered else "web-photographs"
    content = {
        **licence,
        "library_name": "action-units",
        "pipeline_tag": "image-classification",
        "tags": ["facial-action-units", "facs", "multi-label", "safetensors", "onnx"]
        + (["rendered-data"] if rendered or web_rendered else [])
        + (["demonstration"] if rendered else []),
        "datasets": [data["type"], *([web] if summary.pretrained else [])],
        "metrics": ["f1", "roc_auc"],
        "model-index": [
            {
                "name": name,
                "results": [
                    {
                        "task": {
                            "type": "image-classification",
                            "name": "Facial action unit detection",
                        },
                        "dataset": data,
                        "metrics": metrics,
                    }
                ],
            }
        ],
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=96)


def _set_names(summary: RunSummary) -> list[str]:
    """The coded sets as prose names them."""
    return ["DISFA" if name == "disfa" else name for name in summary.coded]


def with_export(
    card: str,
    name: str,
    models: Sequence[FoldModel],
    hashes: Mapping[str, str],
    facts: Mapping[str, Any],
) -> str:
    """A run's card with a section on its exported folder.

    Args:
        card: From ``render_card``.
        name: Of the export.
        models: The networks in it.
        hashes: SHA-256 by file name.
        facts: Of ``package.onnx_files``.
    """
    shown = {key: facts.get(key) for key in ("onnx", "int8", "left_out", "thresholds")}
    section = (
        _templates()
        .get_template("exported.md.j2")
        .render(name=name, models=models, hashes=hashes, **shown)
    )
    before, mark, after = card.partition("\n## Training and test data\n")
    return _tidy(f"{before}\n{section}{mark}{after}" if mark else f"{card}\n{section}")


def check_card(card: str, models: Sequence[FoldModel]) -> None:
    """Check that a card is of these networks; one that names no weights is accepted.

    Raises:
        ArtifactError: It names other weights. Thresholds are then those of other weights, too.
    """
    named = set(_WEIGHTS.findall(card))
    others = [one.name for one in models if one.sha256 not in named]
    if named and others:
        raise ArtifactError(
            f"{', '.join(others)}: the model card is of other weights, so its scores and the "
            f"thresholds next to the weights do not match; {command('evaluate')} evaluates "
            "them again."
        )


def _tidy(text: str) -> str:
    """Without trailing spaces and repeated empty lines."""
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"


def _undefined(summary: RunSummary) -> list[str]:
    """A sentence for each F1 and AUC without a value or interval, with the reason."""
    sentences = []
    for measure in ("f1", "auc"):
        scores = summary.metrics["finetuned"].get(measure)
        for line in scores.lines if scores else ():
            title = f"{measure.upper()} of {line.name}"
            if line.why:
                sentences.append(f"{title} is not defined {_where(line.why, summary)}.")
            elif math.isnan(line.mean_of_folds.low):
                sentences.append(f"{title} has no interval ({line.mean_of_folds.why}).")
    return sentences


def _threshold_ranges(
    models: Mapping[int, FoldModel], aus: Sequence[int]
) -> dict[int, list[float]]:
    """The lowest, the median and the highest threshold of each AU."""
    values = np.array([one.postprocessing.thresholds.values for one in models.values()])
    ranges = [values.min(axis=0), np.median(values, axis=0), values.max(axis=0)]  # (A,) each
    return dict(zip(aus, np.stack(ranges, axis=1).tolist(), strict=True))


def _before_thresholds(
    models: Mapping[int, FoldModel], summary: RunSummary
) -> list[tuple[str, str]]:
    """Smoothing and calibration of each fold; many folds that have the same in one entry."""
    folds_of: dict[str, list[int]] = {}
    entries = []
    for fold, one in models.items():
        smoothing, calibration = one.postprocessing.smoothing, one.postprocessing.calibration
        kind = one.postprocessing.to_json(summary.aus)["calibration"]
        steps = (
            "no smoothing"
            if smoothing.kind == "none"
            else f"{smoothing.kind} smoothing over {smoothing.window} frames"
        ) + (
            " and no calibration"
            if calibration is None
            else f" and calibration ({kind['kind']})"
        )
        entries.append((f"fold {fold}", steps))
        folds_of.setdefault(steps, []).append(fold)
    if summary.few_folds:
        return entries
    if len(folds_of) == 1:
        return [("in every fold", next(iter(folds_of)))]
    return [(f"folds {', '.join(map(str, of))}", steps) for steps, of in folds_of.items()]


def _where(why: Mapping[int, str], summary: RunSummary) -> str:
    """In which folds something is undefined, and why; of many folds, in how many."""
    if summary.few_folds:
        each = "; ".join(f"fold {fold}: {reason}" for fold, reason in why.items())
        return f"in some folds ({each})"
    reasons = Counter(why.values()).most_common()
    each = "; ".join(f"{n}: {reason}" for reason, n in reasons) if len(reasons) > 1 else ""
    return f"in {len(why)} of {len(summary.folds)} folds ({each or reasons[0][0]})"


def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("action_units.export", "templates"),
        autoescape=False,  # Markdown, made of our own numbers
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "score": _score,
        "with_interval": _with_interval,
        "cell": lambda text: text.replace("|", "\\|"),
    }
    environment.globals |= {"au_column": au_column, "au_names": AU_NAMES}
    return environment


def _score(value: Estimate | float | None, signed: bool = False) -> str:
    """Three digits, or n/a."""
    number = value.value if isinstance(value, Estimate) else value
    if number is None or math.isnan(number):
        return "n/a"
    return f"{number:+.3f}".replace("-", "−") if signed else f"{number:.3f}"


def _with_interval(value: Estimate, signed: bool = False) -> str:
    """A score and its interval."""
    text = _score(value, signed)
    if math.isnan(value.value):
        return text
    if math.isnan(value.low):
        return f"{text} (no interval)"
    return f"{text} [{_score(value.low, signed)}, {_score(value.high, signed)}]"
