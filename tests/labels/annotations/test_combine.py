"""Two annotators of the same faces: the mean of their votes, and what they agree on."""

import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_units.labels.annotations.combine import combine

NAMES = ("OpenFace", "Py-Feat")
FIRST = pd.DataFrame(
    {
        "image": ["a", "b", "c", "d"],
        "gender": [0, 1, 0, 1],
        "AU01": np.array([1, 0, 1, 0], np.int8),
        "AU28": np.array([1, 0, -1, 1], np.int8),
        "AU01_r": np.array([3, 0.5, 1.2, 0], np.float32),
    }
)
SECOND = pd.DataFrame(
    {
        "image": ["c", "b", "a", "e"],
        "AU01": np.array([0, 0, 1, 1], np.int8),
        "AU24": np.array([1, -1, 0, 0], np.int8),
        "AU01_p": np.array([0.4, 0.1, 0.8, 0.9], np.float32),
        "AU24_p": np.array([0.7, np.nan, 0.2, 0.2], np.float32),
    }
)


def test_the_mean_of_two_votes_is_a_soft_target(caplog):
    caplog.set_level(logging.INFO)
    table = combine(FIRST, SECOND, "mean", NAMES)
    assert table["image"].tolist() == ["a", "b", "c"]
    assert table["gender"].tolist() == [0, 1, 0]
    assert table["AU01_p"].tolist() == pytest.approx([0.9, 0.05, 0.7])
    assert table["AU01"].tolist() == [1, 0, 1]
    assert "AU01_r" not in table  # it is not the mean's
    # What one annotator gives is its alone.
    assert table["AU28"].tolist() == [1, 0, -1]
    assert table["AU28_p"].iloc[:2].tolist() == [1, 0]
    assert table["AU24"].tolist() == [0, -1, 1]
    assert np.isnan(table["AU24_p"].iloc[1])
    assert "OpenFace and Py-Feat differ in AU01 1 of 3, AU24 0 of 0, AU28 0 of 0" in caplog.text


def test_labels_that_differ_are_missing():
    table = combine(FIRST, SECOND, "agreement", NAMES)
    assert table["AU01"].tolist() == [1, 0, -1]
    assert table["AU01_r"].tolist() == pytest.approx([3, 0.5, 1.2])
    assert table["AU28"].tolist() == [1, 0, -1]
    assert table["AU24"].tolist() == [0, -1, 1]
    assert {str(table[au].dtype) for au in ("AU01", "AU24", "AU28")} == {"int8"}


codes = st.lists(st.sampled_from([-1, 0, 1]), min_size=5, max_size=5)


@given(first=codes, second=codes)
@settings(deadline=None)
def test_either_way_it_does_not_matter_who_comes_first(first, second):
    tables = [
        pd.DataFrame({"image": list("abcde"), "AU12": np.array(one, np.int8)})
        for one in (first, second)
    ]
    for how in ("mean", "agreement"):
        one = combine(*tables, how, NAMES)
        other = combine(*tables[::-1], how, NAMES)
        pd.testing.assert_frame_equal(one, other)
        for label, a, b in zip(one["AU12"], first, second, strict=True):
            if a == b or -1 in (a, b):
                assert label == max(a, b)
            else:
                assert label == (1 if how == "mean" else -1)
