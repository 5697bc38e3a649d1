"""What was set aside, lost and recorded."""

import pandas as pd

from action_units.evaluation.report import provenance
from tests.evaluation.made_up import made_up_fold


def test_subjects_who_lost_most_come_first_and_the_others_are_counted():
    table = pd.DataFrame(
        {
            "subject": ["a", "b", "c", "d"],
            "frames": [10, 20, 30, 40],
            "lost": [1, 0, 3, 3],
            "reasons": ["x", "", "y", "z"],
        }
    )
    found = provenance.lost_rows(table)
    assert [row["subject"] for row in found["rows"]] == ["c", "d", "a"]
    assert (found["subjects"], found["frames"], found["lost"]) == (4, 100, 7)
    assert provenance.lost_rows(pd.DataFrame()) is None


def test_pictures_are_counted_by_source_and_reason():
    table = pd.DataFrame({"source": ["w", "w", "d"], "path": ["1", "2", "3"], "reason": "r"})
    assert provenance.quarantine_rows(table) == [
        {"source": "d", "reason": "r", "count": 1, "first": "3"},
        {"source": "w", "reason": "r", "count": 2, "first": "1"},
    ]
    assert provenance.quarantine_rows(pd.DataFrame()) == []


def test_what_is_given_wins_over_what_the_folds_recorded_and_gaps_are_na():
    folds = [made_up_fold(n, provenance={"seed": 3, "recipe": "r", "n": n}) for n in (1, 2)]
    found = provenance.provenance({"seed": 4, "own": {"a": [1, 2]}, "empty": None}, folds)
    facts = dict(found["facts"])
    assert (facts["seed"], facts["recipe"], facts["fold protocol"]) == ("4", "r", "standard")
    assert facts["git commit"] == facts["wall time"] == facts["empty"] == "n/a"
    ((title, text),) = found["unfolded"]
    assert (title, '"a"' in text) == ("own", True)
    shared = dict(dict(found["by_fold"])["What the networks share"])
    assert shared == {"n": "fold 1: 1; fold 2: 2", "recipe": "r", "seed": "3"}
