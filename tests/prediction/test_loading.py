"""Classifiers from what lies on disk."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from action_units.errors import ArtifactError, ConfigurationError
from action_units.models.model_files import load_model, save_model
from action_units.prediction.classifier import FaceInput
from action_units.prediction.loading import load_classifier
from action_units.training.inference import predict
from tests.prediction.conftest import (
    AUS,
    FACES,
    THRESHOLDS,
    fold_postprocessing,
    write_json,
    write_run,
)

SOME = np.random.default_rng(1).integers(0, 256, (21, 48, 48), dtype=np.uint8)


def test_a_runs_folder_gives_all_folds_and_how_faces_are_cut(run_folder):
    found = load_classifier(run_folder, device="cpu")
    assert [member.name for member in found.predictors] == ["fold1", "fold2", "fold3"]
    assert found.name == "sample/main/disfa/fg2020 (fold1, fold2, fold3)"
    assert found.aus == AUS
    assert found.faces.size == 48
    assert found.faces.settings.crop == FACES.crop
    assert found.faces.settings.detector.lowest_score == 0.8
    assert found.look_ahead == 2
    assert [member.postprocessing for member in found.predictors] == [
        fold_postprocessing(fold) for fold in (1, 2, 3)
    ]


@pytest.mark.parametrize("place", [".", "fold2", "fold2/finetuned.safetensors"])
def test_one_fold_answers_as_evaluation_asks_it(run_folder, place):
    found = load_classifier(run_folder / place, 2, device="cpu")
    model = load_model(run_folder / "fold2/finetuned.safetensors")
    wanted = predict(model, SOME, "cpu", flip=True)
    assert found.probabilities(SOME).tobytes() == wanted.tobytes()
    assert tuple(found.thresholds) == THRESHOLDS[2]


def test_a_model_named_from_its_own_folder_is_of_its_fold(run_folder, monkeypatch):
    monkeypatch.chdir(run_folder / "fold2")
    assert (
        load_classifier("finetuned.safetensors", 2, device="cpu").predictors[0].name == "fold2"
    )


def test_who_loads_a_network_is_told_what_it_never_learned(tmp_path, caplog):
    path = write_run(tmp_path, (1, 2)) / "fold2/finetuned.safetensors"
    model = load_model(path)
    unlearned = {"training": [4], "validation": [12]}
    save_model(replace(model, provenance=model.provenance | {"not_scored": unlearned}), path)
    load_classifier(tmp_path, 1, device="cpu")
    assert "never learned" not in caplog.text
    load_classifier(tmp_path, device="cpu")
    assert "fold2 never learned AU04, which" in caplog.text


def test_the_hash_follows_weights_and_treatment(run_folder, tmp_path):
    copy = shutil.copytree(run_folder, tmp_path / "copy")
    first = load_classifier(run_folder, 1, device="cpu").sha256
    assert load_classifier(copy, 1, device="cpu").sha256 == first
    content = fold_postprocessing(1).to_json(AUS)
    content["thresholds"]["4"]["threshold"] = 0.3
    write_json(copy / "fold1/finetuned_treatment.json", content)
    assert load_classifier(copy, 1, device="cpu").sha256 != first
    for name in ("finetuned.safetensors", "finetuned.safetensors.sha256"):
        shutil.copy(copy / "fold3" / name, copy / "fold2" / name)
    second = load_classifier(run_folder, 2, device="cpu").sha256
    assert load_classifier(copy, 2, device="cpu").sha256 != second


def test_without_a_treatment_the_thresholds_of_fine_tuning_are_taken(tmp_path, caplog):
    caplog.set_level("INFO")
    folder = write_run(tmp_path, (1,)) / "fold1"
    (folder / "finetuned_treatment.json").unlink()
    with pytest.raises(ArtifactError, match=r"finetuned_treatment.json .* --pipeline evaluate"):
        load_classifier(tmp_path, device="cpu")
    thresholds = fold_postprocessing(1).thresholds
    write_json(folder / "finetuned_thresholds.json", thresholds.to_json(AUS))
    assert tuple(load_classifier(tmp_path, device="cpu").thresholds) == THRESHOLDS[1]
    assert "as fine-tuning fitted them" in caplog.text


def test_unknown_crops_are_guessed_with_a_warning(tmp_path, caplog):
    write_run(tmp_path, (1,), faces=None)
    assert load_classifier(tmp_path, device="cpu").faces == FaceInput()
    assert "not recorded" in caplog.text


def test_folds_cut_out_in_different_ways_do_not_answer_as_one(tmp_path):
    write_run(tmp_path, (1,))
    write_run(tmp_path, (2,), faces=None)
    with pytest.raises(ArtifactError, match="different ways, .*; choose one fold"):
        load_classifier(tmp_path, device="cpu")
    load_classifier(tmp_path, 1, device="cpu")


def test_what_is_not_there_is_said_with_what_is(run_folder, tmp_path):
    with pytest.raises(ArtifactError, match=r"fold9/finetuned.safetensors .* There is .*fold1"):
        load_classifier(run_folder, 9)
    with pytest.raises(ArtifactError, match=r"no model was found.*--pipeline finetune"):
        load_classifier(tmp_path)
    with pytest.raises(ArtifactError, match=r"There is .*main/disfa/fg2020/fold1"):
        load_classifier(run_folder.parents[1])
    with pytest.raises(ConfigurationError, match=r"fold=1 was given.*one model"):
        load_classifier(run_folder / "fold2", 1)


def test_a_damaged_treatment_is_refused(tmp_path):
    write_run(tmp_path, (1,))
    path = tmp_path / "fold1/finetuned_treatment.json"
    path.write_text(path.read_text().replace("0.5", "0.1"))
    with pytest.raises(ArtifactError, match="is not the file that was saved"):
        load_classifier(tmp_path)


@pytest.mark.parametrize("place", ["exported", "exported/model.onnx"])
def test_an_exported_folder_answers_as_the_run(run_folder, tmp_path, place):
    if place.endswith(".onnx"):
        pytest.importorskip("onnxruntime")
    from action_units.export.package import export_run

    out = tmp_path / "exported"
    export_run(run_folder, out, fold=2, onnx=place.endswith("onnx"), int8=False, card="# Card")
    run = load_classifier(run_folder, 2, device="cpu")
    exported = load_classifier(tmp_path / place, device="cpu")
    assert exported.faces == run.faces
    assert exported.thresholds == pytest.approx(run.thresholds)
    one, other = (c.combine(c.probabilities(SOME))[0] for c in (run, exported))
    assert np.abs(one - other).max() < 1e-5


def test_the_folder_that_exports_lie_in_means_the_one_that_fits(run_folder, tmp_path):
    from action_units.export.package import export_run

    place = tmp_path / "exported"
    for name, fold in (("fold2", 2), ("fold1", 1), ("ensemble", None)):
        if name == "ensemble":
            with pytest.raises(ConfigurationError, match="exported folders fold1, fold2; name"):
                load_classifier(place)
        export_run(run_folder, place / name, fold=fold, onnx=False, card="# Card")
        if name == "fold2":
            assert len(load_classifier(place, device="cpu").predictors) == 1
    wanted = load_classifier(run_folder, device="cpu")
    assert load_classifier(place, device="cpu").thresholds == pytest.approx(wanted.thresholds)
    one, other = load_classifier(place, 2, device="cpu"), load_classifier(place / "fold2")
    assert one.name == other.name
