"""The annotator's rates of errors in the finished run, and what they must not depend on."""

import json
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from action_units.config import Parameters
from action_units.datasets.folds import AnnotatorRatesDataset
from action_units.datasets.model import ModelDataset
from action_units.faces.store import FaceStore
from action_units.labels.action_units import DISFA_AUS, PRETRAIN_AUS
from action_units.pipelines.evaluation.annotator import (
    find_annotator_rates,
    predict_coded,
    predict_held_out,
)
from action_units.training import inference
from tests.test_config import configured

REPORTS = "data/08_reporting/tiny/main/disfa/fg2020"


@pytest.fixture(scope="module")
def run(finished):
    """The faces, the pre-trained network and the split of fold 2, as nodes get them."""
    path = finished[0].path
    faces = FaceStore.open(path / "data/04_feature/tiny/disfa")
    faces = replace(faces, table=faces.table.assign(set="disfa"))
    models = path / "data/06_models/tiny/main"
    model = ModelDataset(path=str(models / "pretrained.safetensors")).load()
    split = json.loads((models / "disfa/fg2020/fold2/subjects.json").read_text())
    web = FaceStore.open(path / "data/04_feature/tiny/web")
    return faces, model, split, predict_held_out(model, web, "cpu")


def rates(run, **changed):
    faces, model, split, held_out = run
    parameters = Parameters.read(configured() | changed)
    coded, web = parameters.chosen_coded, parameters.chosen_web
    predictions = predict_coded(model, held_out, faces, "cpu")
    return find_annotator_rates(model, held_out, predictions, faces, split, coded, web, 20)


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for how, found in one.items():
        for field in fields(found):
            values = getattr(found, field.name), getattr(other[how], field.name)
            np.testing.assert_array_equal(*values)


def test_every_fold_has_rates_and_the_table_has_all(finished):
    folder = finished[0].path / REPORTS
    table = pd.read_csv(folder / "annotator_rates.csv")
    assert sorted(table["fold"].unique()) == [1, 2, 3]
    for how, part in table.groupby(["fold", "how"]):
        assert how[1] in ("estimated", "counted")
        assert list(part["au"]) == list(PRETRAIN_AUS)
        uncoded = part[~part["au"].isin(DISFA_AUS)]
        assert (uncoded["why"] == "not coded in this set").all()
        assert uncoded[["false_positive", "false_negative"]].isna().all(axis=None)
    page = (folder / "report.html").read_text()
    assert "What the annotator's labels are worth" in page
    assert page.count("unknown: not coded in this set") == 6


def test_a_fold_counts_its_training_subjects_alone(finished, run):
    """Against the raw files, read with pandas."""
    path, (faces, _, split, _) = finished[0].path, run
    parts = []
    for subject in split["train"]:
        said = pd.read_csv(
            path / f"data/01_raw/tiny/disfa/openface/{subject}.csv", skipinitialspace=True
        )
        parts.append(said[said["success"] == 1].assign(subject=subject))
    said = pd.concat(parts)[["subject", "frame", "AU12_c"]]
    both = faces.table[["subject", "frame", "AU12"]].merge(said)
    found = AnnotatorRatesDataset(
        filepath=str(path / REPORTS / "fold2/annotator_rates.json")
    ).load()["counted"]
    au = found.aus.index(12)
    assert found.frames[au] == len(both)
    assert found.positives[au] == both["AU12"].sum()
    assert found.subjects[au] == len(split["train"])
    assert found.prevalence[au] == pytest.approx(both["AU12_c"].mean())
    raw = both.loc[both["AU12"] == 0, "AU12_c"].mean()
    assert found.false_positive_low[au] < raw < found.false_positive_high[au]
    assert_equal({"counted": found}, {"counted": rates(run)["counted"]})


def test_labels_and_faces_of_other_subjects_change_nothing(run):
    """Those of validation and test subjects; those of a training subject do."""
    faces, model, split, held_out = run
    before = rates(run)

    def with_other(subjects):
        own = np.isin(faces.subjects, subjects)
        pixels, table = np.array(faces.faces), faces.table.copy()
        pixels[own] = 255 - pixels[own]
        for column in table.columns[table.columns.str.fullmatch(r"AU\d\d(_annotated)?")]:
            table.loc[own, column] = 1 - table.loc[own, column].clip(lower=0)
        changed = FaceStore(pixels, table, faces.aus)
        return rates((changed, model, split, held_out))

    assert_equal(before, with_other(split["validation"] + split["test"]))
    with pytest.raises(AssertionError):
        assert_equal(before, with_other(split["train"][:3]))


def test_annotations_of_another_program_are_not_counted(run):
    web = configured()["web_sets"]
    web["web"]["annotations"] = {"program": "pyfeat"}
    assert set(rates(run)) == {"estimated", "counted"}
    assert set(rates(run, web_sets=web)) == {"estimated"}


def test_without_web_faces_rates_are_counted_alone(run):
    faces, model, split, _ = run
    held_out = predict_held_out(model, None, "cpu")
    assert set(rates((faces, model, split, held_out))) == {"counted"}


def test_all_that_the_pretrained_network_says_is_computed_once(
    run, finished, tmp_path, monkeypatch
):
    faces, model, _, held_out = run
    web = FaceStore.open(finished[0].path / "data/04_feature/tiny/web")
    first = predict_coded(model, held_out, faces, "cpu", tmp_path)
    predict_held_out(model, web, "cpu", tmp_path)
    monkeypatch.setattr(inference, "Predictor", None)
    assert predict_coded(model, held_out, faces, "cpu", tmp_path).tobytes() == first.tobytes()
    pd.testing.assert_frame_equal(predict_held_out(model, web, "cpu", tmp_path), held_out)
    assert not len(predict_coded(model, pd.DataFrame(), faces, "cpu", tmp_path))
