"""Two networks side by side, and the pairs that are refused."""

import numpy as np
import pytest

from action_units.errors import ConfigurationError
from action_units.evaluation.comparison import compare
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.subject_statistics import METRICS, subject_statistics
from tests.evaluation.made_up import GROUPS, made_up_predictions


def run(skill: float, change=lambda table: table) -> dict[int, Predictions]:
    return {
        fold: Predictions.read(
            change(made_up_predictions(GROUPS[fold - 1], seed=fold, skill=skill, absent=[5])),
            [0.5] * 12,
        )
        for fold in (1, 2)
    }


def test_every_figure_is_compared_pair_by_pair():
    first, second = run(0.5), run(0.2)
    found = compare(first, second, names=("ours", "theirs"))
    table = found.table().set_index(["measure", "name"])
    assert list(dict.fromkeys(table.index.get_level_values(0))) == list(METRICS)
    both = [
        np.mean([subject_statistics(part).values["auc"][0] for part in each.values()])
        for each in (first, second)
    ]
    row = table.loc[("auc", "AU01")]
    assert (row["ours"], row["theirs"]) == pytest.approx(both, abs=1e-12)
    assert row["difference"] == pytest.approx(both[0] - both[1], abs=1e-12)
    assert 0 < row["low"] < row["difference"] < row["high"]
    assert row["pooled_low"] < row["pooled_difference"] < row["pooled_high"]
    assert table.loc[("brier", "12 AUs"), "high"] < 0  # lower is better there
    assert table.loc[("f1", "AU05"), "why"] == "no positive frame"


def test_a_network_does_not_differ_from_itself():
    table = compare(run(0.4), run(0.4)).table()
    known = table[table["difference"].notna()]
    assert len(known) > 150
    assert (known["difference"] == 0).all()
    assert (known[["low", "high"]].fillna(0) == 0).all(axis=None)


def test_frames_may_come_in_another_order():
    mixed = run(0.2, lambda table: table.sample(frac=1, random_state=1))
    one, two = compare(run(0.5), run(0.2)).table(), compare(run(0.5), mixed).table()
    np.testing.assert_allclose(one["low"], two["low"], atol=1e-12)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda t: t.iloc[1:],
            r"a was tested on SN001, frame 1, labels [01?]{12}, where b has SN001, frame 2",
        ),
        (lambda t: t.assign(subject=t["subject"].replace("SN002", "SN020")), "SN002, frame 1"),
        (lambda t: t.assign(AU01=1 - t["AU01"].clip(0)), "SN001, frame"),
        (lambda t: t.iloc[:-1], r"SN003, frame 40, labels [01?]{12}, where b has no subject"),
        (lambda t: t.drop(columns=["AU26", "AU26_p"]), "fold 1: AUs"),
    ],
    ids=["frames", "subjects", "labels", "the last frame", "AUs"],
)
def test_different_tests_are_refused_with_the_first_difference(change, sentence):
    other = {
        fold: Predictions.read(
            table := change(part), [0.5] * (11 if "AU26" not in table else 12)
        )
        for fold, part in {
            f: made_up_predictions(GROUPS[f - 1], seed=f, absent=[5]) for f in (1, 2)
        }.items()
    }
    with pytest.raises(ConfigurationError, match=sentence):
        compare(run(0.5), other)


def test_other_folds_are_refused():
    with pytest.raises(ConfigurationError, match=r"a has folds \[1, 2\], b has folds \[1\]"):
        compare(run(0.5), {1: run(0.2)[1]})
