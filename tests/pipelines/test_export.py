"""The export as a user types it, and the card that evaluation leaves for it."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml

from action_units.datasets.folds import EvaluatedFold
from action_units.errors import ArtifactError
from action_units.evaluation.run_folder import read_postprocessing
from action_units.export.onnx_runtime import OnnxNetwork
from action_units.export.package import export_run, read_package
from action_units.faces.store import FaceStore
from action_units.files import sha256_of
from action_units.models.model_files import load_model
from action_units.pipelines.evaluation.card import write_model_card
from action_units.prediction.loading import load_classifier
from action_units.training.inference import predict
from tests.export.synthetic import synthetic_store, write_run
from tests.export.test_model_card import made_up_summary

RUN = "tiny/main/disfa/fg2020"


def test_one_fold_is_exported_with_its_card(copied):
    project = copied
    project.run("--env", "tiny", "--pipeline", "export", "--params", "fold=3")
    folder = project.path / f"data/06_models/{RUN}/exported/fold3"
    assert [path.name for path in folder.parent.iterdir()] == ["fold3"]
    package = read_package(folder)
    (member,) = package.fold_models
    assert package.faces == member.model.provenance["faces"]
    store = FaceStore.open(project.path / "data/04_feature/tiny/disfa")
    faces = np.array(store.faces[:200])
    wanted = predict(member.model, faces, "cpu", flip=member.flip)
    found = OnnxNetwork(folder / "model.onnx").probabilities(faces)
    assert np.abs(found - wanted).max() <= 1e-5
    config = json.loads((folder / "config.json").read_text())
    tested = np.isin(store.subjects, member.model.provenance["subjects"]["test"])
    assert (config["int8"]["faces"], config["int8"]["unseen"]) == (tested.sum(), True)
    card = (project.path / f"data/08_reporting/{RUN}/model_card.md").read_text()
    readme = (folder / "README.md").read_text()
    assert set(card.splitlines()) <= set(readme.splitlines())
    assert "## This folder" in readme


def test_the_card_holds_the_summarys_scores(finished):
    folder = finished[0].path / f"data/08_reporting/{RUN}"
    summary = json.loads((folder / "summary.json").read_text())
    front = yaml.safe_load((folder / "model_card.md").read_text().split("---\n")[1])
    (result,) = front["model-index"][0]["results"]
    told = {metric["name"].split(",")[1].strip(): metric["value"] for metric in result["metrics"]
            if metric["type"] == "f1"}  # fmt: skip
    f1 = summary["measures"]["finetuned"]["f1"]
    lines = [*f1["aus"].values(), *f1["averages"].values()]
    values = {line["name"]: line["mean_of_folds"]["value"] for line in lines}
    assert told == {name: round(v, 4) for name, v in values.items() if v is not None}
    assert front["model-index"][0]["name"] == RUN


@pytest.fixture(scope="module")
def summary():
    return made_up_summary(folds=(1, 2))


@pytest.fixture
def judged(tmp_path, summary):
    """A run of two folds on disk, with what its card is made of."""
    models = write_run(tmp_path / "data/06_models/mine/main/disfa/standard", (1, 2))
    folds = {fold.fold: EvaluatedFold(fold, {}, {}, {}) for fold in summary.folds}
    return folds, summary, models, pd.DataFrame({"seconds": [1.0]}), ["web"]


def test_a_fold_trained_again_is_not_taken_for_the_one_that_was_judged(judged, caplog):
    models = judged[2]
    export_run(models, models / "exported/both", onnx=False, card=write_model_card(*judged))
    write_run(models, (2,), evaluated=False, recipe="another")
    card = write_model_card(*judged)
    assert "fold 2 was trained again after it was evaluated" in caplog.text
    assert "| 2 | `trained again after it was evaluated` |" in card
    export_run(models, models / "exported/one", fold=1, onnx=False, card=card)
    with pytest.raises(ArtifactError, match=r"fold2/.* was trained again after it was evalua"):
        export_run(models, models / "exported/two", fold=2, onnx=False, card=card)
    with pytest.raises(ArtifactError, match=r"fold2/.* was trained again after it was evalua"):
        load_classifier(models)
    write_run(models, (2,), recipe="another")
    with pytest.raises(ArtifactError, match="fold2: the model card is of other weights"):
        export_run(models, models / "exported/two", fold=2, onnx=False, card=card)


def test_the_treatment_on_disk_names_the_weights_on_disk(finished):
    models = finished[0].path / f"data/06_models/{RUN}"
    found = list(models.glob("fold*/finetuned.safetensors"))
    assert len(found) == 3
    for path in found:
        assert read_postprocessing(path, load_model(path).aus)[1] == sha256_of(path)


@pytest.mark.parametrize(
    ("origins", "licence"), [(("rendered",), "mit"), (("web",), "other"), (None, "other")]
)
def test_the_card_knows_whose_the_web_photographs_were(judged, origins, licence):
    models = judged[2]
    if origins:
        store = synthetic_store(n=4)
        store.table["origin"] = np.resize(origins, 4)
        store.save(models.parents[4] / "04_feature/mine/web")
    front = yaml.safe_load(write_model_card(*judged).split("---\n")[1])
    assert front["license"] == licence
