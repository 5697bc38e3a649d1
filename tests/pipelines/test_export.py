"""The export as a user types it, and the card that evaluation leaves for it."""

import json
import shutil

import numpy as np
import yaml

from action_units.export.onnx_network import OnnxNetwork
from action_units.export.package import read_package
from action_units.faces.store import FaceStore
from action_units.training.inference import predict
from tests.pipelines.conftest import Project

RUN = "tiny/main/fg2020"


def test_one_fold_is_exported_with_its_card(finished, tmp_path):
    project = Project(shutil.copytree(finished[0].path, tmp_path / "project"))
    project.kedro("run", "--env", "tiny", "--pipeline", "export", "--params", "fold=3")
    folder = project.path / f"data/06_models/{RUN}/exported/fold3"
    assert [path.name for path in folder.parent.iterdir()] == ["fold3"]
    package = read_package(folder)
    (member,) = package.members
    assert package.faces == member.model.provenance["faces"]
    store = FaceStore.open(project.path / "data/04_feature/tiny/disfa_faces")
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
