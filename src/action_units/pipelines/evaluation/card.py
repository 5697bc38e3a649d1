"""Node that writes a run's model card."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from action_units.config import WebSetSettings
from action_units.datasets.folds import EvaluatedFold
from action_units.evaluation.summary import RunSummary
from action_units.hints import command

if TYPE_CHECKING:
    from action_units.export.fold_models import FoldModel

logger = logging.getLogger(__name__)


def write_model_card(
    folds: Mapping[int, EvaluatedFold],
    summary: RunSummary,
    models: Path,
    pretraining_curve: pd.DataFrame | None,
    web_sets: Mapping[str, WebSetSettings],
) -> str:
    """Say what the run's networks are, how they did, and what they must not be used for.

    Args:
        folds: All folds on disk.
        summary: Their summary.
        models: Folder of the run's models.
        pretraining_curve: Of the pre-trained network, if there is one.
        web_sets: The settings of the web sets.

    Returns:
        Markdown with Hugging Face's front matter.
    """
    from action_units.evaluation.run_folder import MODEL
    from action_units.export.fold_models import read_fold_model
    from action_units.export.model_card import render_card
    from action_units.export.package import web_rendered

    members = {
        fold: _as_evaluated(read_fold_model(models / f"fold{fold}" / MODEL), fold)
        for fold in folds
    }
    pretraining = pd.DataFrame() if pretraining_curve is None else pretraining_curve
    curves = [pretraining, *(fold.finetuned.curve for fold in summary.folds)]
    seconds = sum(float(curve["seconds"].sum()) for curve in curves if "seconds" in curve)
    name = "/".join(models.resolve().parts[-4:])
    rendered = web_rendered(models, web_sets) if summary.pretrained else summary.rendered
    return render_card(summary, members, name, seconds, rendered)


def _as_evaluated(member: "FoldModel", fold: int) -> "FoldModel":
    """Mark a fold's weights if they were trained again after the evaluation."""
    if member.fitted_to in ("", member.sha256):
        return member
    logger.warning(
        "fold %s was trained again after it was evaluated: the model card has the scores of "
        "its earlier network; %s evaluates it.",
        fold,
        command("evaluate", fold=fold),
    )
    return replace(member, sha256="trained again after it was evaluated")
