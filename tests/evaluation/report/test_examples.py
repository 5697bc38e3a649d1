"""The faces shown: most confident first, one of each subject, the right pictures."""

import numpy as np
import pytest

from action_units.evaluation.report.examples import (
    KINDS,
    choose_examples,
    gather_examples,
)
from action_units.labels.action_units import au_column
from tests.evaluation.made_up import GROUPS, made_up_predictions


def arrays(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.choice(np.array([-1, 0, 1], np.int8), 400, p=[0.1, 0.5, 0.4])
    return labels, np.round(random.random(400), 2), np.repeat(list("abcdefgh"), 50)


@pytest.mark.parametrize("seed", range(5))
def test_each_subject_gives_its_most_confident_frame(seed):
    labels, p, who = arrays(seed)
    found = choose_examples(labels, p - 0.6, who, n=5)
    assert list(found) == list(KINDS)
    wanted = {
        "true positive": ((labels == 1) & (p >= 0.6), p),
        "false positive": ((labels == 0) & (p >= 0.6), p),
        "false negative": ((labels == 1) & (p < 0.6), 1 - p),
    }
    for kind, (mask, confidence) in wanted.items():
        index = found[kind]
        assert mask[index].all()
        assert len(set(who[index])) == len(index) == 5
        best = {s: confidence[mask & (who == s)].max() for s in set(who)}
        assert [confidence[i] for i in index] == sorted(best.values(), reverse=True)[:5]
        assert all(confidence[i] == best[who[i]] for i in index)


def test_fewer_subjects_give_fewer_examples():
    labels, p, who = arrays()
    few = choose_examples(labels[:100], p[:100] - 0.6, who[:100], n=5)
    assert {kind: len(index) for kind, index in few.items()} == dict.fromkeys(KINDS, 2)
    none = choose_examples(np.zeros(4, np.int8), np.full(4, -0.5), ["a"] * 4)
    assert all(len(index) == 0 for index in none.values())


def faces_of(images) -> np.ndarray:
    """A face per image that tells its own place."""
    return np.arange(len(images), dtype=np.uint8)[:, None, None] * np.ones((4, 4), np.uint8)


def test_the_faces_are_those_of_the_images():
    predictions = made_up_predictions(aus=(1, 12), skill=0.1)
    shuffled = np.random.default_rng(0).permutation(predictions["image"].to_numpy())
    faces = faces_of(shuffled)
    examples = gather_examples({1: predictions}, {1: [0.5, 0.6]}, faces, shuffled, n=2)
    assert list(examples) == [1, 12]
    by_image = predictions.set_index("image")
    for au, kinds in examples.items():
        limit = {1: 0.5, 12: 0.6}[au]
        for kind, found in kinds.items():
            assert len(found) == 2
            for example in found:
                row = by_image.loc[shuffled[example.face[0, 0]]]
                assert (row["subject"], str(row["frame"])) == (example.subject, example.frame)
                assert row[f"{au_column(au)}_p"] == pytest.approx(example.probability)
                assert row[au_column(au)] == (0 if kind == "false positive" else 1)
                assert (example.probability >= limit) == (kind != "false negative")


def test_images_without_a_face_are_left_out():
    predictions = made_up_predictions(aus=(12,)).drop(columns="frame")
    known = predictions["image"][predictions["subject"] == "SN002"]
    examples = gather_examples({1: predictions}, {1: [0.5]}, faces_of(known), known)
    shown = [example for found in examples[12].values() for example in found]
    assert {example.subject for example in shown} == {"SN002"}
    assert {example.frame for example in shown} <= set(known)
    nobody = gather_examples({1: predictions}, {1: [0.5]}, faces_of(known), [])
    assert nobody == {12: {kind: [] for kind in KINDS}}


def test_each_fold_keeps_its_own_thresholds():
    parts = {
        n: made_up_predictions(GROUPS[n - 1], aus=(1, 12), seed=n, skill=0.1) for n in (1, 2)
    }
    limits = {1: [0.3, 0.4], 2: [0.6, 0.7]}
    images = np.concatenate([part["image"] for part in parts.values()])
    examples = gather_examples(parts, limits, faces_of(images), images, n=6)
    for column, au in enumerate((1, 12)):
        for kind, found in examples[au].items():
            assert len(found) == 6
            margins = []
            for example in found:
                limit = limits[1 if example.subject in GROUPS[0] else 2][column]
                assert (example.probability >= limit) == (kind != "false negative")
                margins.append(abs(example.probability - limit))
            assert margins == sorted(margins, reverse=True)
