"""Every figure of a resample against the figure of the repeated frames, and its reasons."""

from dataclasses import replace

import numpy as np
import pytest

from action_units.evaluation.measures import METRICS
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.subject_statistics import (
    SubjectStatistics,
    enough,
    subject_statistics,
)

AUS = (1, 2, 4, 12)


def answers(n_subjects: int = 5, frames: int = 60, seed: int = 0) -> Predictions:
    random = np.random.default_rng([n_subjects, frames, seed])
    n = n_subjects * frames
    who = np.repeat([f"SN{i:03d}" for i in range(n_subjects)], frames)
    hold = np.repeat(random.random((n // 5, len(AUS))), 5, axis=0)  # events of some length
    labels = (hold < 0.35).astype(np.int8)
    labels[random.random(labels.shape) < 0.05] = -1
    probabilities = np.round(0.4 * (labels == 1) + 0.6 * random.random(labels.shape), 2)
    intensities = np.where(labels == 1, random.integers(2, 6, labels.shape), 0).astype(float)
    intensities[labels == -1] = np.nan
    order = random.permutation(n)
    return Predictions(
        aus=AUS,
        labels=labels[order],
        probabilities=probabilities[order],
        predicted=(probabilities >= [0.3, 0.4, 0.5, 0.6])[order],
        subjects=who[order],
        frames=np.tile(np.arange(frames), n_subjects)[order],
        recordings=who[order],
        intensities=intensities[order],
    )


def repeated(given: Predictions, times: np.ndarray) -> Predictions:
    """The frames of each subject as often as it is drawn, each time as somebody else."""
    ids = sorted(set(given.subjects))
    parts = [
        (np.flatnonzero(given.subjects == subject), f"{subject}-{again}")
        for subject, often in zip(ids, times.astype(int), strict=True)
        for again in range(often)
    ]
    rows = np.concatenate([rows for rows, _ in parts])
    names = np.concatenate([np.full(len(rows), name) for rows, name in parts])
    columns = ("labels", "probabilities", "predicted", "frames", "intensities")
    chosen = {name: getattr(given, name)[rows] for name in columns}
    return replace(given, **chosen, subjects=names, recordings=names)


def test_every_figure_of_a_resample_is_that_of_the_repeated_frames():
    given = answers()
    times = np.random.default_rng(3).multinomial(5, [0.2] * 5, 12).astype(float)
    found = subject_statistics(given).weighed(times)
    assert list(found) == list(METRICS)
    for row, drawn in enumerate(times):
        expected = subject_statistics(repeated(given, drawn)).values
        for name in METRICS:
            np.testing.assert_allclose(
                found[name][row], expected[name], rtol=0, atol=1e-12, err_msg=name
            )
            assert not np.isnan(found[name][row]).any(), name


def test_the_values_are_those_of_each_subject_drawn_once():
    statistics = subject_statistics(answers())
    once = statistics.weighed(np.ones((1, 5)))
    for name, value in statistics.values.items():
        np.testing.assert_array_equal(value, once[name][0])


def test_the_order_of_the_frames_does_not_matter():
    given = answers()
    turned = replace(
        given,
        **{
            name: getattr(given, name)[::-1]
            for name in ("labels", "probabilities", "predicted", "subjects", "frames",
                         "recordings", "intensities")
        },
    )  # fmt: skip
    first, second = (subject_statistics(part).resampled([0], 50) for part in (given, turned))
    for name in METRICS:
        np.testing.assert_allclose(first[name], second[name], atol=1e-12)


def test_counts_alone_give_their_figures_and_no_others():
    statistics = subject_statistics(answers())
    counted = SubjectStatistics(statistics.people).values
    assert "auc" not in counted
    assert "f1_at_half" not in counted
    for name, value in counted.items():
        np.testing.assert_array_equal(value, statistics.values[name])


def reasons(given: Predictions) -> list[dict[str, str]]:
    statistics = subject_statistics(given)
    return statistics.why_undefined(statistics.values)


def test_what_is_undefined_says_why():
    given = answers()
    labels, predicted = given.labels.copy(), given.predicted.copy()
    labels[:, 0] = np.where(labels[:, 0] == 1, 0, labels[:, 0])  # never shown
    labels[:, 1] = 1  # always shown
    labels[:, 2] = -1
    predicted[:, 3] = False
    said = reasons(replace(given, labels=labels, predicted=predicted))
    assert said[0]["f1"] == said[0]["auc"] == said[0]["f1_event"] == "no positive frame"
    assert said[1] == dict.fromkeys(
        ["f1_norm", "balanced_accuracy", "mcc", "auc"], "no negative frame"
    )
    assert set(said[2].values()) == {"no frame with a label"}
    assert said[3] == {"precision": "never called present", "mcc": "never called present"}
    always = np.ones_like(predicted)
    assert reasons(replace(given, predicted=always))[0] == {"mcc": "always called present"}


def test_what_the_data_lacks_is_told():
    given = answers()
    bare = reasons(replace(given, frames=None, intensities=None))[0]
    assert bare == {
        "f1_event": "frames without a number of their own",
        **dict.fromkeys(["icc", "pcc", "mae"], "no intensities in the data"),
    }
    same = np.where(np.isnan(given.intensities), np.nan, 2.0)
    assert reasons(replace(given, intensities=same))[0] == {
        "pcc": "the same intensity in every frame, coded or predicted"
    }
    nothing = np.full_like(same, np.nan)
    assert (
        reasons(replace(given, intensities=nothing))[0]["mae"] == "no frame with an intensity"
    )


def test_an_intensity_head_is_taken_instead_of_the_probability():
    given = answers()
    head = np.nan_to_num(given.intensities)
    found = subject_statistics(replace(given, head=head)).values
    np.testing.assert_allclose(found["icc"], 1)
    np.testing.assert_allclose(found["mae"], 0)


@pytest.mark.parametrize(("name", "expected"), [("f1", [False, True]), ("brier", [True, True])])
def test_two_people_must_tell_of_an_au(name, expected):
    labels = np.array([[1, 1], [0, 0], [0, 1], [0, 0]], np.int8)
    given = Predictions(
        (1, 2), labels, labels * 0.5, labels == 1, np.array(["a", "a", "b", "b"])
    )
    assert enough(subject_statistics(given).people, name).tolist() == expected
