"""The page's numbers against an independent computation, and what the page says."""

import csv
import io
import json
from html.parser import HTMLParser

import numpy as np
import pytest

from action_units.csv_text import to_csv
from action_units.evaluation.bootstrap import resample
from action_units.study.cells import RESULT
from action_units.study.page import render_study
from action_units.study.result import StudyResult, score_cells
from tests.study.small import small_study
from tests.training.blobs import AUS

DATA, PRETRAININGS, CELLS = small_study()


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """Made-up confusion counts of each training, in files and by key."""
    folder = tmp_path_factory.mktemp("trainings")
    random, known = np.random.default_rng(0), {}
    for one in (one for cell in CELLS for one in cell.trainings.values()):
        if one.key in known:
            continue
        subjects = sorted(one.split["test"])
        kinds = {kind: random.integers(1, 30, (4, 3)) for kind in ("tp", "fp", "fn", "tn")}
        known[one.key] = kinds
        content = {
            "subjects": subjects,
            "counts": {kind: values.tolist() for kind, values in kinds.items()},
        }
        (folder / one.key).mkdir()
        (folder / one.key / RESULT).write_text(json.dumps(content))
    return folder, known


@pytest.fixture(scope="module")
def result(counts):
    rows, trainings = score_cells(counts[0], CELLS, AUS, seed=3)
    made = StudyResult(
        rows=rows,
        seeds=2,
        folds=(1, 2),
        steps=(PRETRAININGS[0].steps, 6),
        left_out=("The axis people is left out: <why>.",),
        rendered=True,
    )
    return made, trainings


def f1(kinds, times):
    """F1 of each resample and AU, (R, 3), by its textbook form."""
    tp, fp, fn = (times @ kinds[kind] for kind in ("tp", "fp", "fn"))
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    return 2 * precision * recall / (precision + recall)


def mean_f1(cell, known, times):
    """Mean over seeds of the mean of folds of the mean over AUs, (R,)."""
    by_seed = [
        np.mean(
            [f1(known[cell.trainings[seed, fold].key], times[fold]).mean(1) for fold in (1, 2)],
            axis=0,
        )
        for seed in (7, 8)
    ]
    return np.mean(by_seed, axis=0), [float(one[0]) for one in by_seed]


def test_scores_intervals_and_gains_equal_an_independent_computation(counts, result):
    known = counts[1]
    once = dict.fromkeys((1, 2), np.ones((1, 4)))
    drawn = {fold: resample(4, [3, fold]) for fold in (1, 2)}
    scratch = {cell.point.subjects: cell for cell in CELLS if cell.point.web is None}
    for cell, row in zip(CELLS, result[0].rows, strict=True):
        score = row.scores["3 AUs"]
        value, by_seed = mean_f1(cell, known, once)
        several, _ = mean_f1(cell, known, drawn)
        assert score.f1.value == pytest.approx(float(value[0]), abs=1e-12)
        assert score.by_seed == pytest.approx(by_seed, abs=1e-12)
        ends = np.quantile(several, [0.025, 0.975])
        assert [score.f1.low, score.f1.high] == pytest.approx(ends, abs=1e-12)
        if cell.point.web is None:
            assert score.gain is None
            continue
        other = scratch[cell.point.subjects]
        gain = value - mean_f1(other, known, once)[0]
        assert score.gain.value == pytest.approx(float(gain[0]), abs=1e-12)
        ends = np.quantile(several - mean_f1(other, known, drawn)[0], [0.025, 0.975])
        assert [score.gain.low, score.gain.high] == pytest.approx(ends, abs=1e-12)


def test_the_table_has_a_row_for_each_training_of_each_point(counts, result):
    trainings = result[1]
    assert len(trainings) == sum(len(cell.trainings) for cell in CELLS)
    one = trainings.iloc[5]
    cell = next(c for c in CELLS if any(t.key.startswith(one.training) for t in
                                        c.trainings.values()))  # fmt: skip
    training = cell.trainings[one.seed, one.fold]
    expected = f1(counts[1][training.key], np.ones((1, 4))).mean()
    assert one.f1_3_aus == pytest.approx(expected, abs=1e-12)
    assert training.initial.startswith(one.started_from)


class _Cells(HTMLParser):
    """The texts of the cells of all tables."""

    def __init__(self):
        super().__init__()
        self.rows, self._open = [], False

    def handle_starttag(self, tag, attributes):
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._open = True
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._open = False

    def handle_data(self, data):
        if self._open:
            self.rows[-1][-1] += data.strip()


def test_the_page_shows_the_numbers_of_the_table(result):
    page = render_study(result[0], {"recipe": "small"})
    parser = _Cells()
    parser.feed(page)
    shown = {tuple(row) for row in parser.rows if row and not row[0].startswith(("web", "p"))}
    table = list(csv.DictReader(io.StringIO(to_csv(result[0].table(), undefined="n/a"))))
    assert len(table) == len(CELLS)
    for row in table:
        f1, gain = float(row["f1"]), row["gain"]
        signed = "" if gain == "n/a" else f"{float(gain):+.3f}".replace("-", "−")
        matching = [cells for cells in shown if cells[1] == f"{f1:.3f}" and cells[4] == signed]
        assert len(matching) >= 1, row
        assert any(
            cells[2] == f"{float(row['low']):.3f}–{float(row['high']):.3f}"
            for cells in matching
        )


def test_the_page_says_what_it_is(result):
    page = render_study(result[0], {"recipe": "small"})
    assert page.count("<svg") == 4
    assert "Rendered sample." in page
    assert "The axis people is left out: &lt;why&gt;." in page
    assert f"Every pre-training has {PRETRAININGS[0].steps} steps" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert render_study(result[0], {"recipe": "small"}) == page
