"""The whole report at full size on the real labels of DISFA, with simulated predictions."""

import csv
import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from action_units.evaluation.fold import FoldEvaluation, evaluate_predictions
from action_units.evaluation.report.report import render_report
from action_units.evaluation.summary import summarise
from action_units.labels.action_units import DISFA_AUS, au_columns
from action_units.labels.folds import DISFA_SUBJECTS, split_subjects
from tests.evaluation.made_up import thresholds_at
from tests.evaluation.test_page import Page

DATA = Path(__file__).parents[2].parent / "shared/data"
FILES = {fold: DATA / f"fold{fold}_test.csv.gz" for fold in (1, 2)}

pytestmark = pytest.mark.skipif(
    not all(path.is_file() for path in FILES.values()), reason="no real label files here"
)


def rows(fold: int) -> list[list[str]]:
    with gzip.open(FILES[fold], "rt", newline="") as file:
        return list(csv.reader(file))


def simulated_fold(fold: int) -> FoldEvaluation:
    """Probabilities that lean towards the labels."""
    read = rows(fold)
    labels = np.array([row[2:] for row in read], np.int8)
    noise = np.random.default_rng([7, fold]).random(labels.shape)
    columns = au_columns(DISFA_AUS)
    table = pd.DataFrame(labels, columns=columns)
    table[[f"{c}_p" for c in columns]] = (0.4 * labels + 0.6 * noise).astype(np.float32)
    table["subject"] = [row[0][len("RightVideo") :].split("_")[0] for row in read]
    split = split_subjects("fg2020", fold, DISFA_SUBJECTS, 3, 0)
    model = evaluate_predictions(table, thresholds_at(0.5))
    return FoldEvaluation(
        fold=fold,
        protocol="fg2020",
        rendered=False,
        train=split.train,
        validation=split.validation,
        test=split.test,
        finetuned=model,
    )


def test_prevalences_and_floors_are_those_counted_in_the_files():
    summary = summarise([simulated_fold(fold) for fold in FILES])
    floors: dict[int, list[float]] = {au: [] for au in DISFA_AUS}
    for evaluated in summary.folds:
        read = rows(evaluated.fold)
        positives = Counter(
            au
            for row in read
            for au, label in zip(DISFA_AUS, row[2:], strict=True)
            if label == "1"
        )
        assert len(read) == {1: 43_605, 2: 43_604}[evaluated.fold]
        table = evaluated.finetuned.au_table.set_index("au")
        for au in DISFA_AUS:
            share = positives[au] / len(read)
            assert table.loc[au, "support"] == positives[au]
            assert table.loc[au, "prevalence"] == pytest.approx(share, abs=1e-15)
            # Calling all N frames positive: precision is the prevalence, recall is 1.
            floor = 2 * positives[au] / (len(read) + positives[au])
            assert table.loc[au, "floor_f1"] == pytest.approx(floor, abs=1e-15)
            floors[au].append(floor)
    printed = Page(render_report(summary)).rows
    header = next(row for row in printed if "pooled" in row)
    for au, line in zip(DISFA_AUS, printed[1:13], strict=True):
        assert line[header.index("floor")] == f"{np.mean(floors[au]):.3f}"
