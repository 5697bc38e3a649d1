"""Trainings of a study: each once, of equal length, resumable, and blind to test subjects."""

import json
import logging
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import rich

from action_units.config import MachineConfig, Recipe, Schedule
from action_units.errors import ConfigurationError
from action_units.faces.store import FaceStore
from action_units.models.model_files import load_model
from action_units.study.cells import (
    MODEL,
    PEOPLE,
    RESULT,
    STATE,
    Pace,
    at_steps,
    own_steps,
    rehearse,
    run_training,
)
from action_units.study.run import estimate, one_each
from action_units.training import state as training_state
from tests.study.small import TRAINING, small_study, study_data

DATA, PRETRAININGS, CELLS = small_study()
ALL = [one for cell in CELLS for one in cell.trainings.values()]


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    DATA.web.save(folder / "web")
    DATA.coded.save(folder / "coded")
    return folder


def of_point(axis, largest=True, pretrained=True):
    cells = [c for c in CELLS if c.point.axis == axis and bool(c.point.web) == pretrained]
    return cells[-1 if largest else 0].trainings


def test_no_training_is_done_twice():
    keys = {one.key for one in ALL}
    assert len({one.key for one in PRETRAININGS}) == len(PRETRAININGS)
    shared = of_point("photographs"), of_point("per_person"), of_point("subjects")
    assert len({one[7, 1].key for one in shared}) == 1
    assert len(keys) < len(ALL)
    few, many = of_point("subjects", largest=False)[7, 1], of_point("subjects")[7, 1]
    assert few.initial == many.initial  # one pre-training
    assert few.key != many.key
    assert {one.initial for one in ALL} - {None} == {one.key for one in PRETRAININGS}
    for (seed, fold), one in (pair for cell in CELLS for pair in cell.trainings.items()):
        assert (one.training.seed, one.split["fold"]) == (seed, fold)


@pytest.mark.parametrize(
    "change",
    ["seed", "width", "rate", "pixel", "label"],
)
def test_what_changes_a_result_changes_the_key_and_what_does_not_keeps_it(change):
    data, training = study_data(), TRAINING
    recipe = training.recipe
    if change == "seed":
        training = training.model_copy(update={"seed": 70})
    elif change == "width":
        network = recipe.network.model_copy(update={"width": 0.25})
        training = training.model_copy(
            update={"recipe": recipe.model_copy(update={"network": network})}
        )
    elif change == "rate":
        faster = recipe.pretrain.model_copy(update={"learning_rate": 0.1})
        training = training.model_copy(
            update={"recipe": recipe.model_copy(update={"pretrain": faster})}
        )
    else:
        table = data.web.table.copy()
        column = "sha256" if change == "pixel" else "AU01"
        held_out = np.flatnonzero(table["split"] == "test")[0]  # is in all pre-trainings
        table.loc[held_out, column] = (
            "0" * 64 if change == "pixel" else 1 - table.AU01[held_out]
        )
        data = replace(data, web=FaceStore(data.web.faces, table, data.web.aus))
    _, others, cells = small_study(data, training, seeds=1)
    keys = {one.key for one in PRETRAININGS}
    assert not keys & {one.key for one in others}
    tuned = {one.key for c in CELLS if c.point.web for one in c.trainings.values()}
    assert not tuned & {one.key for c in cells if c.point.web for one in c.trainings.values()}


def test_a_study_with_more_threads_and_seeds_has_the_same_trainings():
    machine = TRAINING.machine.model_copy(update={"threads": 4, "tensorboard": True})
    again = small_study(training=TRAINING.model_copy(update={"machine": machine}), seeds=3)[1]
    assert {one.key for one in PRETRAININGS} < {one.key for one in again}


def test_all_trainings_of_a_stage_have_as_many_steps_and_evaluations():
    for group in (PRETRAININGS, ALL):
        assert len({one.steps for one in group}) == 1
    for one in PRETRAININGS:  # up to epochs that do not fit
        assert 2 <= one.seconds(Pace(0, 1)) / one.n_checked <= 3


@pytest.mark.parametrize("faces", [400, 200, 100, 50, 7])
def test_a_recipe_for_fewer_faces_keeps_the_places_of_its_milestones(faces):
    schedule = Schedule(name="steps", milestones=(2, 4), factors=(0.5, 0.1))
    recipe = Recipe(
        epochs=8,
        batch_size=20,
        schedule=schedule,
        unfreeze=(0, 3),
        validate_every=2,
        patience=2,
    )
    steps = own_steps(recipe, 400)
    assert steps == 8 * 20
    here = at_steps(recipe, steps, 400, faces)
    per_epoch = faces // min(20, faces)
    assert here.steps == steps
    assert here.patience is None
    assert here.schedule.milestones == tuple(np.array([2, 4]) * 20 // per_epoch)
    assert here.unfreeze == (0, 3 * 20 // per_epoch)
    assert here.validate_every * per_epoch == 2 * 20
    Recipe.read(here.to_json())  # it is valid
    half = at_steps(recipe, steps // 2, 400, faces)
    assert half.schedule.milestones == tuple(np.array([1, 2]) * 20 // per_epoch)


def test_no_training_sees_its_test_subjects():
    for one in ALL:
        subjects = DATA.coded.subjects[one.rows]
        train, validation, test = (set(one.split[k]) for k in ("train", "validation", "test"))
        assert set(subjects) == train | validation | test
        assert not (train | validation) & test
        assert one.n_learned == np.isin(subjects, list(train)).sum()
        assert validation == set(DATA.splits[one.split["fold"]]["validation"])
    for one in PRETRAININGS:
        table = DATA.web.table.iloc[one.rows]
        assert (table["split"] == "test").sum() == one.n_checked == 7
        assert one.n_learned == (table["split"] == "train").sum()


@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_planted_leak_is_refused_before_anything_is_learned(part, stores, tmp_path):
    one = of_point("subjects", pretrained=False)[7, 1]
    leak = {**one.split, part: [*one.split[part], one.split["test"][0]]}
    with pytest.raises(ConfigurationError, match="S0"):
        run_training(tmp_path, stores, replace(one, split=leak))
    assert not list(tmp_path.rglob("*.json"))
    assert not list(tmp_path.rglob("*.pt"))


class _Killed(BaseException):
    """The process is gone."""


def test_killed_and_resumed_trainings_end_in_the_same_bytes(stores, tmp_path, monkeypatch):
    tuned = of_point("per_person", largest=False)[7, 2]
    before = next(one for one in PRETRAININGS if one.key == tuned.initial)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for one in (before, tuned):
        run_training(whole, stores, one)
    save = training_state.Checkpoints.save
    for one in (before, tuned):
        n_saves = 0

        def save_and_die(self, content):
            nonlocal n_saves
            n_saves += 1
            save(self, content)
            raise _Killed

        with monkeypatch.context() as patch:
            patch.setattr(training_state.Checkpoints, "save", save_and_die)
            with pytest.raises(_Killed):
                run_training(killed, stores, one)
        assert n_saves == 1
        assert not one.is_finished(killed)
        assert (killed / one.key / STATE).is_dir()
        run_training(killed, stores, one)
        assert one.is_finished(killed)

    def content(folder):
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    assert content(killed) == content(whole)
    assert {path.rpartition("/")[2] for path in content(whole)} == {
        *(PEOPLE, MODEL, f"{MODEL}.sha256", RESULT)
    }
    people = pd.read_csv(whole / tuned.key / PEOPLE)
    assert dict(zip(people["subject"], people["split"], strict=True)) == {
        name: part for part in ("train", "validation", "test") for name in tuned.split[part]
    }
    model = load_model(whole / before.key / MODEL)
    assert model.provenance["training"]["steps"] == before.steps
    counts = json.loads((whole / tuned.key / RESULT).read_text())
    assert counts["subjects"] == tuned.split["test"]
    tp, fn = (np.array(counts["counts"][kind]) for kind in ("tp", "fn"))
    coded = DATA.coded
    for row, subject in enumerate(counts["subjects"]):
        positives = coded.labels[coded.subjects == subject].sum(axis=0)
        assert (tp + fn)[row].tolist() == positives.tolist()


def test_a_rehearsal_times_steps_and_faces(stores, caplog):
    caplog.set_level("INFO")
    file = rich.get_console().file
    pace = rehearse(stores, PRETRAININGS[0])
    logging.getLogger("action_units.study").info("told")
    assert caplog.messages == ["told"]  # it is quiet itself, and the caller is not
    assert type(rich.get_console().file) is type(file)
    assert 0 < pace.step < 5
    assert 0 < pace.face < 1
    assert sorted(path.name for path in stores.iterdir()) == ["coded", "web"]


def test_the_time_is_told_before_the_start():
    line = estimate([*PRETRAININGS, *ALL], ALL[:5], 3000, 2)
    n, n_web = len(PRETRAININGS) + len(ALL), len(PRETRAININGS)
    assert line == (
        f"Study: {n} trainings ({n_web} pre-trainings and {n - n_web} on coded subjects), 5 to "
        "do, about 30 min 00 s with 2 processes by a rehearsal of their steps."
    )
    assert estimate(ALL, [], 0, 2).endswith("0 to do.")


def test_the_time_of_a_training_is_that_of_its_steps_and_predictions():
    one = of_point("subjects")[7, 1]
    looks = math.ceil(one.steps / (one.recipe.validate_every * (one.n_learned // 8)))
    faces = looks * one.n_checked + one.n_checked + one.n_tested
    assert one.seconds(Pace(2.0, 0.5)) == 2.0 * one.steps + 0.5 * faces


@pytest.mark.parametrize(
    ("threads", "workers", "on_gpu", "expected"),
    [
        (None, None, False, (1, 8)),
        (None, 2, False, (4, 2)),
        (2, None, False, (2, 4)),
        (16, None, False, (16, 1)),
        (None, 16, False, (1, 16)),
        (None, None, True, (None, 1)),
        (None, 3, True, (None, 3)),
    ],
)
def test_trainings_share_the_cores(monkeypatch, threads, workers, on_gpu, expected):
    monkeypatch.setattr("action_units.study.run.cores", lambda: 8)
    machine, count = one_each(MachineConfig(threads=threads), workers, on_gpu)
    assert (machine.threads, count) == expected


def test_a_network_on_several_devices_is_refused():
    with pytest.raises(ConfigurationError, match="devices is 2, but the study trains each"):
        one_each(MachineConfig(devices=2), None, False)
