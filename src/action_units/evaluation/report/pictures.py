"""What the page shows in pictures: inline SVG of figures, faces as data URIs."""

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from action_units.evaluation import metrics
from action_units.evaluation.figures.calibration import draw_reliability
from action_units.evaluation.figures.confusion import (
    CO_OCCURRENCES,
    draw_confusion,
    draw_one_co_occurrence,
)
from action_units.evaluation.figures.intensity import draw_intensity
from action_units.evaluation.figures.ranking import draw_precision_recall
from action_units.evaluation.figures.scores import draw_prevalence
from action_units.evaluation.figures.timeline import draw_timeline, median_video
from action_units.evaluation.figures.training import draw_training_curves
from action_units.evaluation.fold import FoldEvaluation
from action_units.evaluation.predictions import Predictions, pool
from action_units.evaluation.report.examples import KINDS, Example
from action_units.evaluation.report.theme import STAND_INS, to_inline_svg
from action_units.evaluation.summary import RunSummary
from action_units.evaluation.tables import reasons
from action_units.labels.action_units import AU_NAMES, au_column

Examples = Mapping[int, Mapping[str, Sequence[Example]]]


def fold_parts(fold: FoldEvaluation) -> dict[str, Any]:
    """One fold's curves and tables."""
    curves = {name: model.curve for name, model in fold.models.items() if len(model.curve)}
    picture = Markup()
    if curves:
        best = {
            name: float(curve["validation_macro_f1"].max()) for name, curve in curves.items()
        }
        said = ", ".join(f"{name} reaches {value:.2f}" for name, value in best.items())
        picture = _svg(
            draw_training_curves(curves, palette=STAND_INS),
            f"curves{fold.fold}",
            f"Validation F1 and loss by epoch in fold {fold.fold}: {said}",
        )
    models = {
        name: {
            "rows": [row | {"why": reasons(row)} for row in _records(model.au_table)],
            "averages": _records(model.averages),
        }
        for name, model in fold.models.items()
    }
    return {"fold": fold, "curves": picture, "models": models}


def pretraining_curve(curve: pd.DataFrame) -> Markup:
    """The curve of pre-training; nothing where there is none."""
    if curve.empty:
        return Markup()
    figure = draw_training_curves({"finetuned": curve}, palette=STAND_INS)
    return _svg(figure, "pretraining", "Validation F1 and loss of pre-training by epoch")


def prevalence(summary: RunSummary) -> Markup:
    """How common each AU is in each fold."""
    said = "Share of frames that show each action unit, by fold; the table by fold has them"
    return _svg(draw_prevalence(summary, STAND_INS), "prevalence", said)


def au_pictures(answers: Mapping[int, Predictions]) -> list[dict[str, Any]]:
    """Each AU's precision against recall, confusion, reliability and intensities.

    Args:
        answers: The network's test subjects, by fold; may be empty.
    """
    if not answers:
        return []
    return list(_au_pictures(pool(list(answers.values()))))


def co_occurrences(answers: Mapping[int, Predictions]) -> list[Markup]:
    """As coded, as called, and their difference; nothing without answers."""
    if not answers:
        return []
    whole = pool(list(answers.values()))
    said = (
        "How often the action unit of a column is shown in frames that show that of a row: {}"
    )
    return [
        _svg(
            draw_one_co_occurrence(kind, whole.labels, whole.predicted, whole.aus, STAND_INS),
            f"together-{kind}",
            said.format(heading.lower()),
        )
        for kind, heading in CO_OCCURRENCES.items()
    ]


def timeline(summary: RunSummary, answers: Mapping[int, Predictions]) -> dict[str, Any] | None:
    """The video of the subject nearest the median F1; nothing without frame numbers."""
    video = median_video(summary.folds, answers)
    if video is None:
        return None
    figure = draw_timeline(answers[video.fold], video, palette=STAND_INS)
    names = ", ".join(au_column(au) for au in video.aus)
    said = (
        f"Probabilities of {names} by frame for subject {video.subject}, coded events shaded, "
        "thresholds dashed"
    )
    return {"video": video, "picture": _svg(figure, "timeline", said)}


def faces(examples: Examples) -> list[dict[str, Any]]:
    """Faces by AU and kind."""
    return [
        {
            "au": au_column(au),
            "name": AU_NAMES[au],
            "kinds": {kind: [_face(example) for example in kinds[kind]] for kind in KINDS},
        }
        for au, kinds in examples.items()
    ]


def _au_pictures(whole: Predictions) -> Iterator[dict[str, Any]]:
    for column, au in enumerate(whole.aus):
        one = [column]
        y, p = whole.labels[:, one], whole.probabilities[:, one]
        name = au_column(au)
        ranking = metrics.rank(y[:, 0], p[:, 0])
        precision = ranking.average_precision()
        counts = metrics.confusion(y, whole.predicted[:, one])
        base = ranking.positives / max(ranking.positives + ranking.negatives, 1)
        found = "undefined, no frame shows it" if math.isnan(precision) else f"{precision:.2f}"
        pictures = {
            "au": name,
            "name": AU_NAMES[au],
            "recall": _svg(
                draw_precision_recall(y, p, [au], palette=STAND_INS),
                f"recall{au}",
                f"{name}, precision against recall: average precision {found}, "
                f"share of positive frames {base:.2f}",
            ),
            "confusion": _svg(
                draw_confusion(counts, [au], STAND_INS),
                f"confusion{au}",
                f"{name}: {counts.tp[0]} frames found, {counts.fn[0]} missed, "
                f"{counts.fp[0]} called falsely, {counts.tn[0]} rightly not called",
            ),
            "reliability": _svg(
                draw_reliability(y, p, [au], palette=STAND_INS),
                f"reliability{au}",
                f"{name}, share of positive frames against probability",
            ),
            "intensity": None,
        }
        if whole.intensities is not None:
            head = whole.head is not None
            said = whole.estimates if head else whole.probabilities
            figure = draw_intensity(
                whole.intensities[:, one], said[:, one], [au], head, palette=STAND_INS
            )
            what = "predicted intensity" if head else "probability"
            pictures["intensity"] = _svg(
                figure, f"intensity{au}", f"{name}, {what} against coded intensity"
            )
        yield pictures


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): value for name, value in row.items()}
        for row in table.to_dict(orient="records")
    ]


def _svg(figure: Figure, name: str, description: str) -> Markup:
    return Markup(to_inline_svg(figure, name, description))


def _face(example: Example) -> dict[str, Any]:
    _, encoded = cv2.imencode(".jpg", example.face, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return {
        "src": "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode(),
        "subject": example.subject,
        "frame": example.frame,
        "probability": example.probability,
    }
