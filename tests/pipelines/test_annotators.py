"""Web sets labelled by another program, by two, and by a finished run, from files to a model."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from action_units.config import Parameters
from action_units.errors import ConfigurationError
from action_units.models.model_files import load_model
from tests.test_config import changed

FEAT_AUS = (1, 2, 4, 6, 12, 24, 25, 43)


def write_feat(web: Path) -> None:
    """The sample's annotations as Py-Feat would have written them, for eight AUs."""
    table = pd.read_csv(web / "openface.csv", skipinitialspace=True)
    found = table["success"] == 1
    feat = pd.DataFrame({"FaceScore": table["confidence"].where(found)})
    for au in FEAT_AUS:
        own = f"AU{au:02d}_r"
        feat[f"AU{au:02d}"] = (table[own if own in table else "AU09_r"] / 5).where(found)
    feat["input"], feat["frame"] = "/elsewhere/" + table["image"], np.arange(len(table))
    feat.to_csv(web / "pyfeat.csv", index=False)


def labels(project):
    return pd.read_parquet(project.path / "data/03_primary/tiny/web/labels.parquet")


def test_pre_training_on_a_program_s_probabilities_and_on_a_finished_run(copied):
    """One copy for both, as the crops stay the same."""
    write_feat(copied.path / "data/01_raw/tiny/web")
    feat = "web_sets.web.annotations.program=pyfeat"
    soft = "recipes.modern.pretrain.soft_targets.curve=linear"
    copied.run("--env", "tiny", "--pipeline", "preprocess", "--params", feat)
    table = labels(copied)
    assert [name for name in table if name.startswith("AU") and len(name) == 4] == [
        f"AU{au:02d}" for au in FEAT_AUS
    ]
    assert ((table["AU12_p"] >= 0.5) == (table["AU12"] == 1)).all()
    assert not list((copied.path / "data/03_primary/tiny/web").glob("*.csv"))
    models = copied.path / "data/06_models/tiny"
    copied.run("--env", "tiny", "--pipeline", "pretrain", "--params", f"run=feat,{feat},{soft}")
    model = load_model(models / "feat/pretrained.safetensors")
    assert (model.aus, model.provenance["annotators"]) == (FEAT_AUS, ["Py-Feat"])
    assert "annotators" not in load_model(models / "main/pretrained.safetensors").provenance
    params = f"run=feat,fold=1,{feat}"
    copied.run("--env", "tiny", "--pipeline", "finetune", "--params", params)
    tuned = load_model(models / "feat/disfa/fg2020/fold1/finetuned.safetensors")
    assert tuned.provenance["annotators"] == ["Py-Feat"]

    own = "web_sets.web.annotations.program=run,web_sets.web.annotations.path=main"
    printed = copied.run("--env", "tiny", "--pipeline", "preprocess", "--params", own)
    assert "crops annotated by tiny/main/" in printed
    assert "results on the same subjects may flatter" in printed
    table = labels(copied)
    assert len(table) > 100
    assert "AU24" not in table
    assert table["AU20_p"].between(0, 1).all()


def test_a_mean_that_no_recipe_learns_is_refused():
    parameters = changed("web_sets.web.second_annotations", {"program": "pyfeat"})
    with pytest.raises(
        ConfigurationError, match=r"web_sets\.web\.combine is mean, a soft target"
    ):
        Parameters.read(parameters)
    parameters["recipes"]["modern"]["pretrain"]["soft_targets"] = {"curve": "linear"}
    Parameters.read(parameters)
    parameters["recipes"]["modern"]["pretrain"]["soft_targets"] = {"curve": "none"}
    parameters["web_sets"]["web"]["combine"] = "agreement"
    Parameters.read(parameters)
