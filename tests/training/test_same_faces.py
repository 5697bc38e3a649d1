"""Faces that were made otherwise than those of a training are refused wherever it is used."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from action_units import stages
from action_units.config import (
    AuditSettings,
    MachineConfig,
    NetworkSpec,
    RecipeConfig,
    TrainingConfig,
)
from action_units.errors import ConfigurationError
from action_units.faces.crop import CropSettings, FaceSettings
from action_units.faces.store import FaceStore
from action_units.models.registry import build_network
from action_units.models.trained import TrainedModel
from action_units.pipelines.evaluation.annotator import predict_coded, predict_held_out
from action_units.pipelines.pretraining.nodes import audit_labels
from action_units.training.features import extract_features
from action_units.training.same_faces import check_same_faces
from tests.training.blobs import AUS, blobs

SPEC = NetworkSpec(width=0.25, image_size=32)
SPLIT = {"protocol": "fg2020", "fold": 1, "train": ["a"], "validation": ["b"], "test": ["c"]}


def made(**crop):
    return {**FaceSettings(crop=CropSettings(**crop)).provenance(), "size": 32}


def store(size=32, colour=False, notes=None):
    pixels, labels = blobs(12, size)
    pixels = np.repeat(pixels[..., None], 3, axis=-1) if colour else pixels
    table = pd.DataFrame({"image": [f"{k}.png" for k in range(12)], "subject": list("abc") * 4})
    table = table.assign(origin="real", split="test", sha256=table["image"])
    table[[f"AU{au:02d}" for au in AUS]] = labels
    return FaceStore(pixels, table, AUS, {"faces": notes})


def model(colour=False, notes=None, **provenance):
    made_from = {"faces": notes, "flip_average": False, "subjects": SPLIT, **provenance}
    if colour:
        made_from["colour"] = True
    network = build_network(SPEC, len(AUS)).eval()
    return TrainedModel(network, SPEC, AUS, made_from)


USES = {
    "evaluate": lambda m, faces, _: stages.predict_test_subjects(m, faces, SPLIT, "cpu"),
    "features": lambda m, faces, _: extract_features(m, faces, SPLIT, "cpu"),
    "held out": lambda m, faces, _: predict_held_out(m, faces, "cpu"),
    "audit": lambda m, faces, _: audit_labels(
        m, faces, AuditSettings(photographs=3), "cpu", "main"
    ),
}
IN_COLOUR_ALONE = {
    "errors": lambda m, faces, _: predict_coded(m, pd.DataFrame(), faces, "cpu"),
    "student": lambda m, faces, _: stages.relabelled(
        faces, replace(m, provenance={**m.provenance, "subjects": {}}), SPLIT, 0.5, "cpu"
    ),
    "finetune": lambda m, faces, path: stages.finetune(faces, SPLIT, m, path, training()),
}


def training():
    recipe = {"epochs": 1, "batch_size": 4}
    recipe = {
        "network": SPEC.to_json(),
        **dict.fromkeys(("pretrain", "finetune", "from_scratch"), recipe),
        "flip_average": False,
    }
    return TrainingConfig(
        name="small",
        recipe=RecipeConfig.read(recipe),
        seed=0,
        restart=False,
        machine=MachineConfig(),
    )


@pytest.mark.parametrize("use", [*USES, *IN_COLOUR_ALONE])
@pytest.mark.parametrize("trained", [True, False])
def test_colour_is_that_of_the_training(use, trained, tmp_path):
    expected = (
        "that were in colour, and these are grey" if trained else "grey, and these are in"
    )
    as_then = f"; `.*preprocess.crop.colour={str(trained).lower()}` .*makes such ones"
    with pytest.raises(ConfigurationError, match=f"{expected}.*{as_then}"):
        {**USES, **IN_COLOUR_ALONE}[use](model(trained), store(colour=not trained), tmp_path)


@pytest.mark.parametrize("use", USES)
def test_crops_are_those_of_the_training(use, tmp_path):
    aligned = store(notes=made(align="template"))
    with pytest.raises(
        ConfigurationError, match=r"preprocess.crop.align was 'none' and is now"
    ):
        USES[use](model(notes=made()), aligned, tmp_path)
    with pytest.raises(ConfigurationError, match="face_size was 32 and is now 48"):
        USES[use](model(), store(size=48), tmp_path)


def test_what_does_not_move_a_face_may_change():
    notes = {**made(), "max_megapixels": 12.0}
    for then, now in ((made(), notes), (None, made()), (made(), None), (None, None)):
        check_same_faces(model(notes=then), store(notes=now))
    check_same_faces(model(colour=True), store(colour=True))
