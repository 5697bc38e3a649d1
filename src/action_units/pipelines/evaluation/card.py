"""Node that writes a run's model card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from action_units.datasets.folds import EvaluatedFold
from action_units.evaluation.summary import RunSummary


def write_model_card(
    folds: Mapping[int, EvaluatedFold],
    summary: Mapping[str, Any],
    models: Path,
    pretraining_curve: pd.DataFrame,
) -> str:
    """Say what the run's networks are, how they did, and what they must not be used for.

    Args:
        folds: All folds on disk.
        summary: Their summary.
        models: Folder of the run's models.
        pretraining_curve: Of the pre-trained network.

    Returns:
        Markdown with Hugging Face's front matter.
    """
    from action_units.export.members import MODEL, read_member
    from action_units.export.model_card import render_card

    whole = RunSummary.from_json(summary, [fold.evaluation for fold in folds.values()])
    members = {fold: read_member(models / f"fold{fold}" / MODEL) for fold in folds}
    curves = [pretraining_curve, *(fold.finetuned.curve for fold in whole.folds)]
    seconds = sum(float(curve["seconds"].sum()) for curve in curves if "seconds" in curve)
    return render_card(whole, members, "/".join(models.resolve().parts[-3:]), seconds)
