"""What a checkpoint says of itself, and which trainings it lets go on."""

import pytest
import torch

from action_units.config import Augmentation, NetworkSpec, Recipe
from action_units.errors import ArtifactError
from action_units.training.state import SCHEMA
from tests.training.blobs import AUS, blobs, train
from tests.training.killed_run import weights_hash

FACES, LABELS = blobs(n=60)
BRIGHTER = FACES.copy()
BRIGHTER[7, 3, 3] ^= 1
SPEC = NetworkSpec(width=0.25, image_size=32)
RECIPE = Recipe(epochs=1, batch_size=20)
PROVENANCE = {"protocol": "fg2020", "fold": 1}


def training(folder, **changes):
    arguments = {
        "network_spec": SPEC,
        "recipe": RECIPE,
        "faces": FACES,
        "labels": LABELS,
        "train_rows": range(40),
        "validation_rows": range(40, 60),
        "aus": AUS,
        "seed": 1,
        "checkpoint_folder": folder,
        "device": "cpu",
        "precision": "fp32",
        "threads": 1,
        "provenance": PROVENANCE,
    }
    return train(**{**arguments, **changes})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    training(folder)
    return folder


def test_it_says_what_it_is_of(folder):
    content = torch.load(folder / "checkpoint.pt", weights_only=True)
    assert content["schema"] == SCHEMA
    identity = content["identity"]
    assert identity["aus"] == list(AUS)
    assert identity["provenance"] == PROVENANCE
    assert NetworkSpec.read(identity["network"]) == SPEC
    assert Recipe.read(identity["recipe"]) == RECIPE
    assert len(identity["data_sha256"]) == 64


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"aus": (1, 4, 15)}, r"aus was \[1, 4, 12\] and is now \[1, 4, 15\]"),
        (
            {"aus": AUS[:2], "labels": LABELS[:, :2]},
            r"aus was \[1, 4, 12\] and is now \[1, 4\]",
        ),
        (
            {"network_spec": NetworkSpec(architecture="vgg13", width=0.25, image_size=32)},
            "network.architecture was 'residual' and is now 'vgg13'",
        ),
        ({"network_spec": NetworkSpec(width=0.25, image_size=16)}, "network.image_size was 32"),
        ({"faces": BRIGHTER}, "data_sha256 was"),
        ({"validation_rows": range(41, 60)}, "data_sha256 was"),
        (
            {"provenance": {"protocol": "standard", "fold": 1}},
            "provenance.protocol was 'fg2020' and is now 'standard'",
        ),
        ({"provenance": {**PROVENANCE, "fold": 2}}, "provenance.fold was 1 and is now 2"),
        (
            {"recipe": Recipe(epochs=1, batch_size=20, augmentation=Augmentation(noise=0.1))},
            "recipe.augmentation.noise was 0.0 and is now 0.1",
        ),
    ],
)
def test_another_training_is_refused_and_says_what_differs(folder, changes, sentence):
    before = (folder / "checkpoint.pt").read_bytes()
    with pytest.raises(ArtifactError, match=f"another training: {sentence}.*restart=true"):
        training(folder, **changes)
    assert (folder / "checkpoint.pt").read_bytes() == before


def test_other_pretrained_weights_are_refused(folder, tmp_path):
    pretrained = training(None).model
    other = training(None, seed=2).model
    training(tmp_path, initial=pretrained)
    with pytest.raises(ArtifactError, match="initial_sha256 was"):
        training(tmp_path, initial=other)


def test_a_model_of_other_aus_is_adapted_by_a_new_head(folder):
    """Not a checkpoint but a model carries over to other AUs: knowingly, as ``initial``."""
    model = training(None).model
    tuned = training(None, initial=model, aus=(12, 25), labels=LABELS[:, 1:]).model
    assert tuned.aus == (12, 25)
    assert tuned.network.head.linear.weight.shape[0] == 2


def test_what_does_not_change_the_result_may_change(folder):
    """Threads, the folder's other name, the time between saves."""
    again = training(folder, threads=2, checkpoint_seconds=0.0, description="Another word")
    assert weights_hash(again) == weights_hash(training(None))
