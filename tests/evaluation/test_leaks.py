"""Planted leaks are refused, each with a sentence that names the place."""

import numpy as np
import pandas as pd
import pytest

from action_units.errors import ConfigurationError
from action_units.evaluation.leaks import (
    check_no_duplicate_images,
    check_no_shared_subjects,
    check_not_fitted_on_test,
    check_not_trained_on_test,
)


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
