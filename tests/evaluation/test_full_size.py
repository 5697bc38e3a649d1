"""Every metric at full size on the real labels of DISFA, with simulated predictions."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from action_units.evaluation.fold import FoldEvaluation, evaluate_predictions
from action_units.evaluation.report.report import render_report
from action_units.evaluation.subject_statistics import METRICS
from action_units.evaluation.summary import summarise
from action_units.labels.action_units import DISFA_AUS, EIGHT_AUS, au_columns
from action_units.labels.folds import DISFA_SUBJECTS, FG2020, split_subjects
from action_units.labels.tables import read_finetune_labels
from tests.evaluation.made_up import thresholds_at
from tests.evaluation.report.test_report import Page

DATA = Path(__file__).parents[2].parent / "shared/data"
FILES = {fold: DATA / f"fold{fold}_test.csv.gz" for fold in (1, 2)}
FRAMES = {1: 43_605, 2: 43_604}

pytestmark = pytest.mark.skipif(
    not all(path.is_file() for path in FILES.values()), reason="no real label files here"
)


def simulated(fold: int) -> pd.DataFrame:
    """Probabilities that lean towards the real labels, a little in keeping with time."""
    table = read_finetune_labels(FILES[fold])
    columns = au_columns(DISFA_AUS)
    noise = np.random.default_rng([8, fold]).random((len(table), 12))
    table[[f"{c}_p" for c in columns]] = (0.4 * table[columns] + 0.6 * noise).to_numpy()
    return table


@pytest.fixture(scope="module")
def run():
    predictions = {fold: simulated(fold) for fold in FILES}
    folds = []
    for fold, table in predictions.items():
        split = split_subjects(FG2020, fold, DISFA_SUBJECTS, 3, 0)
        model = evaluate_predictions(table, thresholds_at(0.5))
        folds.append(
            FoldEvaluation(
                fold, "fg2020", False, split.train, split.validation, split.test, model
            )
        )
    return summarise(folds, predictions={"finetuned": predictions})


@pytest.fixture(scope="module")
def counted() -> dict[int, tuple[int, list[int], list[int]]]:
    """Frames, positive frames and subjects with any, by AU, straight from the files."""
    found = {}
    for fold, path in FILES.items():
        frames, positives = 0, [0] * 12
        shown: list[set[str]] = [set() for _ in range(12)]
        with gzip.open(path, "rt", newline="") as file:
            for image, _, *labels in csv.reader(file):
                frames += 1
                for au, label in enumerate(labels):
                    if label == "1":
                        positives[au] += 1
                        shown[au].add(image[len("RightVideo") : len("RightVideoSN001")])
        found[fold] = frames, positives, [len(who) for who in shown]
    return found


def test_each_folds_prevalence_and_baseline_are_those_counted_in_its_file(run, counted):
    for fold in run.folds:
        frames, positives, shown = counted[fold.fold]
        assert frames == FRAMES[fold.fold]
        table = fold.finetuned.au_table
        assert (table["n"] == frames).all()
        assert (table["n_subjects"] == 9).all()
        assert table["support"].tolist() == positives
        assert table["n_subjects_with_positives"].tolist() == shown
        np.testing.assert_allclose(
            table["prevalence"], np.array(positives) / frames, atol=1e-15
        )
        floors = [2 * p / (frames + p) for p in positives]
        np.testing.assert_allclose(table["floor_f1"], floors, atol=1e-15)


def test_baselines_across_folds_are_averaged_and_pooled_apart(run, counted):
    floors = np.array(
        [[2 * p / (n + p) for p in positives] for n, positives, _ in counted.values()]
    )
    frames = sum(n for n, _, _ in counted.values())
    together = np.sum([positives for _, positives, _ in counted.values()], axis=0)
    for column, au in enumerate(DISFA_AUS):
        line = run.all_positive.aus[au]
        assert line.mean_of_folds.value == pytest.approx(floors[:, column].mean(), abs=1e-15)
        pooled = 2 * together[column] / (frames + together[column])
        assert line.pooled.value == pytest.approx(pooled, abs=1e-15)
    eight = [DISFA_AUS.index(au) for au in EIGHT_AUS]
    for name, columns in {"8 AUs": eight, "12 AUs": range(12)}.items():
        expected = floors[:, list(columns)].mean()
        assert run.all_positive.averages[name].mean_of_folds.value == pytest.approx(
            expected, abs=1e-15
        )


def test_every_metric_of_frames_has_a_value_and_an_interval(run):
    table = run.metrics_table().set_index(["measure", "name"])
    # These files have no intensities.
    absent = {name for name, metric in METRICS.items() if metric.source == "agreement"}
    for measure in run.metrics["finetuned"]:
        rows = table.loc[measure]
        assert rows["mean_of_folds"].isna().all() == (measure in absent), measure
        assert rows["pooled_low"].isna().all() == (measure in absent), measure
    known = table[~table.index.get_level_values(0).isin(absent)]
    assert known[["mean_low", "mean_high", "pooled"]].notna().all(axis=None)
    assert (known["kept"] > 900).all()
    assert (table.loc["icc", "why"] == "no intensities, coded or estimated").all()
    json.dumps(run.to_json(), allow_nan=False)


def test_the_page_prints_the_baselines(run):
    printed = Page(render_report(run)).rows
    header = next(row for row in printed if "pooled" in row)
    for au, row in zip(DISFA_AUS, printed[1:13], strict=True):
        baseline = run.all_positive.aus[au].mean_of_folds.value
        assert row[header.index("all-positive")] == f"{baseline:.3f}"
