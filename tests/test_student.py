"""A noisy student: what it learns, from whom, and that a run of it resumes."""

import numpy as np
import pytest
import torch

from action_units.errors import ConfigurationError
from action_units.models.registry import build_network
from action_units.models.trained import TrainedModel
from action_units.stages import finetune, pretrain, relabelled
from action_units.training.inference import predict
from tests.study.small import TRAINING, study_data

DATA = study_data()
SPLIT = DATA.splits[1]
STUDENT = TRAINING.model_copy(
    update={"recipe": TRAINING.recipe.model_copy(update={"student": 0.5})}
)


def teacher(train, validation=(), aus=(1, 12)):
    network = build_network(TRAINING.recipe.network, len(aus), seed=3).eval()
    provenance = {"subjects": {"train": list(train), "validation": list(validation)}}
    return TrainedModel(network, TRAINING.recipe.network, aus, provenance)


@pytest.mark.parametrize("part", [0.0, 0.3, 1.0])
def test_labels_move_towards_the_teacher_by_its_part(part):
    web = DATA.web
    web.table.loc[0, "AU12"] = -1
    one = teacher(SPLIT["train"])
    mixed = relabelled(web, one, SPLIT, part, "cpu")
    old, p = web.labels.astype(float), predict(one, web.faces, "cpu")
    expected = old.copy()
    learned = (web.table["split"] == "train").to_numpy()
    for column, there in ((0, 0), (2, 1)):  # AU4 is not the teacher's
        known = learned & (old[:, column] >= 0)
        moved = part * p[:, there] + (1 - part) * old[:, column]
        expected[known, column] = moved[known]
    np.testing.assert_allclose(mixed, expected, atol=1e-6)
    assert mixed.dtype == np.float32
    assert learned[0] or mixed[0, 2] == -1


@pytest.mark.parametrize("side", ["train", "validation"])
def test_a_teacher_that_has_seen_a_test_subject_is_refused(side):
    leaked = teacher(**{"train": SPLIT["train"], side: [SPLIT["test"][0]]})
    with pytest.raises(ConfigurationError, match=SPLIT["test"][0]):
        relabelled(DATA.web, leaked, SPLIT, 0.5, "cpu")


def test_each_fold_has_its_own_student_and_a_second_call_trains_nothing(tmp_path):
    start = pretrain(DATA.web, tmp_path / "pretrain", TRAINING)[0]

    def tune(training, fold=1, web=DATA.web, folder=tmp_path):
        split = DATA.splits[fold]
        return finetune(DATA.coded, split, start, folder, training, web)[0]

    plain = tune(TRAINING, folder=tmp_path / "plain")
    student = tune(STUDENT)
    assert student.provenance["student"] == 0.5
    assert "student" not in plain.provenance
    assert not same(plain, student)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("checkpoint.pt")}
    assert len(written) >= 3
    assert same(tune(STUDENT), student)
    assert {
        path: path.stat().st_mtime_ns for path in tmp_path.rglob("checkpoint.pt")
    } == written
    trained = {path.name for path in tmp_path.glob("fold*")}
    assert trained == {"fold1_teacher", "fold1_student", "fold1_finetuned"}
    tune(STUDENT, fold=2)
    assert (tmp_path / "fold2_student").is_dir()


def test_a_student_without_web_faces_is_told_how_to_get_them(tmp_path):
    start = teacher((), aus=(1, 4, 12))
    with pytest.raises(ConfigurationError, match=r"student is 0\.5, .* run `kedro run"):
        finetune(DATA.coded, SPLIT, start, tmp_path, STUDENT)


def same(one, other):
    states = one.network.state_dict(), other.network.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])
