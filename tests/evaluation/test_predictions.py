"""Predictions tables in memory, and planted leaks that are refused."""

import numpy as np
import pandas as pd
import pytest

from action_units.errors import ConfigurationError
from action_units.evaluation.predictions import (
    PredictionError,
    Predictions,
    check_arrays,
    check_no_duplicate_images,
    check_no_shared_subjects,
    check_not_fitted_on_test,
    check_not_trained_on_test,
    pool,
    prediction_arrays,
)
from action_units.labels.action_units import DISFA_AUS
from tests.evaluation.made_up import GROUPS, made_up_predictions


def test_a_table_is_taken_apart():
    table = made_up_predictions()
    limits = np.linspace(0.2, 0.8, 12)
    found = Predictions.read(table, limits)
    assert found.aus == DISFA_AUS
    np.testing.assert_array_equal(found.subjects, table["subject"])
    np.testing.assert_array_equal(found.frames, table["frame"])
    np.testing.assert_array_equal(found.recordings, table["subject"])
    np.testing.assert_array_equal(found.predicted, found.probabilities >= limits)
    assert found.intensities is None
    assert found.estimates is found.training_means is None


def test_what_the_data_has_is_taken_too():
    table = made_up_predictions(aus=(1, 12)).assign(
        AU01_r=[0.0, -1.0, 5.0] * 40,
        AU12_e=1.5,
        AU01_m=0.25,
        recording=["left", "right"] * 60,
        set="disfa",
    )
    found = Predictions.read(table, [0.5, 0.5])
    assert table["AU01_r"].tolist() == [0.0, -1.0, 5.0] * 40  # not changed by reading it
    np.testing.assert_array_equal(found.intensities[:3, 0], [0.0, np.nan, 5.0])
    assert np.isnan(found.intensities[:, 1]).all()  # this AU has none
    np.testing.assert_array_equal(found.estimates, [[np.nan, 1.5]] * 120)
    np.testing.assert_array_equal(found.training_means, [[0.25, np.nan]] * 120)
    assert set(found.recordings) == {f"{s}/{e}" for s in GROUPS[0] for e in ("left", "right")}
    two = Predictions.read(table.assign(set=["disfa"] * 60 + ["plus"] * 60), [0.5, 0.5])
    assert two.recordings[[0, -1]].tolist() == ["SN001/disfa/left", "SN003/plus/right"]
    assert two.sets[[0, -1]].tolist() == ["disfa", "plus"]


def test_frames_without_numbers_have_none():
    table = made_up_predictions()
    assert Predictions.read(table.drop(columns="frame"), [0.5] * 12).frames is None
    named = table.assign(frame=["x.jpg", *table["frame"][1:]])
    assert Predictions.read(named, [0.5] * 12).frames is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.drop(columns="subject"), "no column 'subject'"),
        (lambda t: t.drop(columns="AU12_p"), "no column 'AU12_p'"),
        (lambda t: t.assign(AU01_r=5.5), "intensity 5.5 in row 0, AU column 0"),
        (lambda t: t.assign(AU02_r=-2.0), "intensity -2 in row 0, AU column 1"),
    ],
)
def test_what_is_no_prediction_is_refused(change, sentence):
    with pytest.raises(PredictionError, match=sentence):
        Predictions.read(change(made_up_predictions()), [0.5] * 12)


def test_thresholds_of_another_number_of_aus_are_refused():
    with pytest.raises(PredictionError, match="3 thresholds for 12 AUs"):
        Predictions.read(made_up_predictions(), [0.5] * 3)


def test_a_pool_keeps_each_folds_own_calls():
    one, two = (made_up_predictions(group, seed=i) for i, group in enumerate(GROUPS[:2]))
    parts = [Predictions.read(one, [0.2] * 12), Predictions.read(two, [0.8] * 12)]
    found = pool(parts)
    assert len(found.labels) == 240
    np.testing.assert_array_equal(found.predicted[:120], parts[0].probabilities >= 0.2)
    np.testing.assert_array_equal(found.predicted[120:], parts[1].probabilities >= 0.8)
    assert set(found.subjects) == {*GROUPS[0], *GROUPS[1]}


def test_a_pool_has_only_what_all_folds_have():
    numbered = Predictions.read(made_up_predictions(GROUPS[0]), [0.5] * 12)
    other = made_up_predictions(GROUPS[1]).drop(columns="frame")
    assert pool([numbered, Predictions.read(other, [0.5] * 12)]).frames is None
    assert pool([numbered]).frames is not None


def test_a_subject_on_both_sides_is_refused():
    with pytest.raises(ConfigurationError) as caught:
        check_no_shared_subjects(["SN001", "SN005", "SN004"], ["SN005", "SN004"], "fold 2")
    assert str(caught.value) == (
        "fold 2 tests on SN004, who is also among its training or validation subjects "
        "(2 subjects in all): test subjects must be new."
    )
    check_no_shared_subjects(["SN001"], ["SN002"])


def test_a_choice_on_test_subjects_is_refused():
    with pytest.raises(
        ConfigurationError, match=r"the window: chosen on SN002, .*\(1 subject in"
    ):
        check_not_fitted_on_test(("SN001", "SN002"), ("SN002",), "the window")
    check_not_fitted_on_test((), ("SN002",))


def test_a_network_is_asked_where_it_comes_from():
    told = {"subjects": {"train": ["SN001"], "validation": ["SN002"], "test": ["SN003"]}}
    check_not_trained_on_test(told, ["SN003"])
    check_not_trained_on_test({}, ["SN001"])
    with pytest.raises(ConfigurationError, match="tests on SN001"):
        check_not_trained_on_test(told, ["SN003", "SN001"])
    with pytest.raises(ConfigurationError, match="the network's epoch: chosen on SN002"):
        check_not_trained_on_test(told, ["SN003", "SN002"])


def pictures() -> tuple[pd.DataFrame, np.ndarray]:
    """Three subjects with four pictures each, all different."""
    who = np.repeat(["SN001", "SN002", "SN003"], 4)
    table = pd.DataFrame(
        {
            "image": [f"RightVideo{s}_{i:08d}.jpg" for i, s in enumerate(who)],
            "subject": who,
            "sha256": [f"{i:064x}" for i in range(12)],
        }
    )
    return table, np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)


def plant(table: pd.DataFrame, faces: np.ndarray, copy: int, of: int) -> None:
    table.loc[copy, "sha256"] = table.loc[of, "sha256"]
    faces[copy] = faces[of]


def test_pictures_that_differ_are_let_pass():
    table, faces = pictures()
    check_no_duplicate_images(table, ["SN001", "SN002"], ["SN003"], faces)


def test_a_picture_on_both_sides_is_refused_and_the_pair_named():
    table, faces = pictures()
    plant(table, faces, 9, 2)
    plant(table, faces, 11, 2)
    with pytest.raises(ConfigurationError) as caught:
        check_no_duplicate_images(table, ["SN001", "SN002"], ["SN003"], faces)
    assert str(caught.value) == (
        "RightVideoSN003_00000009.jpg of SN003, who is tested on, is the same picture as "
        "RightVideoSN001_00000002.jpg of SN001, who is trained or validated on (SHA-256 "
        "000000000000…; such test pictures: 2): remove one of the copies, or put both subjects "
        "on one side."
    )


def test_neighbouring_frames_of_one_side_may_be_one_picture():
    table, faces = pictures()
    plant(table, faces, 1, 0)  # of one video
    plant(table, faces, 5, 0)  # of two training subjects
    check_no_duplicate_images(table, ["SN001", "SN002"], ["SN003"], faces)


def test_a_subject_of_neither_side_does_not_matter():
    table, faces = pictures()
    plant(table, faces, 9, 2)
    check_no_duplicate_images(table, ["SN002"], ["SN003"], faces)


def test_a_crop_of_one_tone_shows_nobody():
    table, faces = pictures()
    faces[2] = 0
    plant(table, faces, 9, 2)
    check_no_duplicate_images(table, ["SN001"], ["SN003"], faces)
    with pytest.raises(ConfigurationError, match="such test pictures: 1"):
        check_no_duplicate_images(
            table, ["SN001"], ["SN003"]
        )  # without the pictures, who knows
    plant(table, faces, 10, 3)  # the black one does not hide it
    with pytest.raises(ConfigurationError, match="RightVideoSN003_00000010"):
        check_no_duplicate_images(table, ["SN001"], ["SN003"], faces)


def test_pictures_without_a_hash_cannot_be_told_apart():
    table, faces = pictures()
    table.loc[[2, 9], "sha256"] = ""
    check_no_duplicate_images(table, ["SN001"], ["SN003"], faces)


def test_predictions_are_taken_apart_by_column_name():
    predictions = made_up_predictions(aus=(1, 12))
    shuffled = predictions[["AU12_p", "AU01", "frame", "AU01_p", "AU12", "subject", "image"]]
    aus, labels, probabilities = prediction_arrays(shuffled, [12, 1])
    assert aus == (12, 1)
    np.testing.assert_array_equal(labels[:, 0], predictions["AU12"])
    np.testing.assert_array_equal(probabilities[:, 1], predictions["AU01_p"].astype(float))


@pytest.mark.parametrize("column", ["AU12", "AU12_p"])
def test_a_missing_column_is_named(column):
    predictions = made_up_predictions().drop(columns=column)
    with pytest.raises(PredictionError, match=f"no column '{column}'"):
        prediction_arrays(predictions, DISFA_AUS)


def test_a_label_that_is_nan_is_missing():
    labels, _ = check_arrays([[1.0, np.nan], [np.nan, 0.0]], np.full((2, 2), 0.5))
    assert labels.tolist() == [[1, -1], [-1, 0]]
    assert labels.dtype == np.int8


@pytest.mark.parametrize(
    ("labels", "probabilities", "sentence"),
    [
        ([[0, 1]], [[0.5, np.nan]], r"probability nan in row 0, AU column 1"),
        ([[0], [1]], [[0.5], [1.5]], r"probability 1\.5 in row 1, AU column 0"),
        ([[0], [1]], [[-0.1], [0.5]], r"probability -0\.1 in row 0"),
        ([[0], [2]], [[0.5], [0.5]], r"label 2 in row 1, AU column 0"),
        ([[0.0], [0.5]], [[0.5], [0.5]], r"label 0.5 in row 1"),
        ([[0.0], [np.inf]], [[0.5], [0.5]], r"label inf in row 1"),
        ([[0, 1]], [[0.5]], r"shape \(1, 2\) .* shape \(1, 1\)"),
        ([0, 1], [0.5, 0.5], r"must be \(frames, AUs\)"),
    ],
)
def test_what_is_no_label_or_probability_is_refused_with_its_place(
    labels, probabilities, sentence
):
    with pytest.raises(PredictionError, match=sentence):
        check_arrays(labels, probabilities)
