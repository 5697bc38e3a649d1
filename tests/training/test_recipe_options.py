"""Options of a recipe take effect in a training, and a killed one still ends the same."""

import hashlib

import numpy as np
import pytest
import safetensors.torch
import torch

from action_units.config import NetworkSpec, Recipe
from action_units.errors import ArtifactError, ConfigurationError
from action_units.models.registry import build_network
from action_units.training.augment import Augmenter
from action_units.training.randomness import weights_seed
from tests.training.blobs import AUS
from tests.training.killed_run import weights_hash
from tests.training.test_checkpoints import Crash, crash, crash_after
from tests.training.test_train import LABELS, SPEC, quick

SUBJECTS = np.arange(200) // 20
INTENSITIES = np.where(LABELS, 4.0, 0.5)
DATA = {"subjects": SUBJECTS, "intensities": INTENSITIES}
PLAIN = {"epochs": 2, "batch_size": 20}

OPTIONS = {
    "balance": {"balance": "both"},
    "layer_decay": {"layer_decay": 0.5},
    "unfreeze": {"unfreeze": [0, 1, 2]},
    "one_cycle": {"schedule": {"name": "one_cycle", "warmup": 0.3}},
    "soft_targets": {"soft_targets": {"curve": "linear"}},
    "generalized_ce": {"loss": {"name": "generalized_ce"}},
    "intensity_weight": {"intensity_weight": 1.0},
    "error_rates": {"error_rates": 0.001},
    "early_learning": {"early_learning": {"strength": 1.0}},
    "augmentation": {"augmentation": {"blur": 0.03, "gamma": 1.5, "mixup": 0.5}},
}


@pytest.fixture(scope="module")
def plain():
    return weights_hash(quick(Recipe(**PLAIN)))


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_has_an_effect_and_survives_a_crash(monkeypatch, tmp_path, plain, name):
    recipe = Recipe.read({**PLAIN, **OPTIONS[name]})
    whole = weights_hash(quick(recipe, **DATA))
    assert whole != plain
    for steps in (3, 9):  # within an epoch, and in another one
        with monkeypatch.context() as patch:
            crash_after(patch, steps, crash)
            with pytest.raises(Crash):
                quick(recipe, checkpoint_folder=tmp_path, checkpoint_seconds=0.0, **DATA)
    resumed = quick(recipe, checkpoint_folder=tmp_path, **DATA)
    assert weights_hash(resumed) == whole


def test_unused_data_does_not_matter(plain):
    assert weights_hash(quick(Recipe(**PLAIN), **DATA)) == plain


@pytest.mark.parametrize("name", ["convnext", "residual", "vgg13"])
def test_every_network_learns_with_everything_on(name):
    spec = NetworkSpec(
        architecture=name, width=0.25, image_size=32, normalisation="batch", dropout=0.2
    )
    recipe = Recipe(
        epochs=10, batch_size=20, learning_rate=0.01, average=0.9, layer_decay=0.8,
        unfreeze=(0, 0, 1), balance="aus", schedule={"name": "one_cycle", "warmup": 0.3},
        soft_targets={"curve": "logistic", "centre": 2.0}, loss={"label_smoothing": 0.05},
        augmentation={"rotation": 5, "blur": 0.01, "gamma": 1.1, "mixup": 0.2, "flip": 0},
    )  # fmt: skip
    result = quick(recipe, spec=spec, **DATA)
    assert result.curve.validation_average_precision.max() > 0.95


def test_only_thawed_blocks_have_moved():
    recipe = Recipe(epochs=2, batch_size=20, average=0.0, unfreeze=(0, 1, 9))
    result = quick(recipe, seed=1, validation_rows=[])
    untouched = build_network(SPEC, 3, seed=weights_seed(1)).state_dict()
    for name, value in result.model.network.state_dict().items():
        moving = name.startswith(("head.", "backbone.stages.3."))
        assert torch.equal(value, untouched[name]) != moving, name


def test_the_heads_bias_starts_at_the_drawn_prevalence():
    recipe = Recipe(steps=1, batch_size=160, learning_rate=1e-12, balance="aus", average=0.0)
    bias = quick(recipe).model.network.head.linear.bias
    shown = torch.sigmoid(bias)
    rare = LABELS[:160, 2].mean()
    assert shown[2] > 1.15 * rare  # the rarest AU is drawn more often than it is


def test_a_face_that_is_shown_again_is_augmented_anew(monkeypatch):
    shown, warped = [], []
    original = Augmenter.__call__

    def watched(self, faces, plan):
        shown.append(faces.flatten(1))
        warped.append(plan.matrix.flatten(1))
        return original(self, faces, plan)

    monkeypatch.setattr(Augmenter, "__call__", watched)
    quick(Recipe(epochs=1, batch_size=20, balance="aus"))
    assert len(torch.cat(shown).unique(dim=0)) < 160 == len(torch.cat(warped).unique(dim=0))


def test_a_balanced_training_of_others_subjects_is_another_training(tmp_path):
    recipe = Recipe(**PLAIN, balance="subjects")
    quick(recipe, checkpoint_folder=tmp_path, **DATA)
    with pytest.raises(ArtifactError, match="data_sha256 was"):
        quick(recipe, checkpoint_folder=tmp_path, subjects=SUBJECTS // 2)


def test_a_backbone_starts_from_a_file_whose_hash_is_kept(tmp_path):
    path = tmp_path / "weights.safetensors"
    source = build_network(SPEC, 3, seed=99)
    safetensors.torch.save_file(source.backbone.state_dict(), path)
    recipe = Recipe(
        steps=1, batch_size=20, learning_rate=1e-12, average=0.0, backbone_weights=str(path)
    )
    result = quick(recipe, checkpoint_folder=tmp_path / "checkpoints")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert result.model.provenance["training"]["backbone_sha256"] == digest
    about = {"file": "weights.safetensors", "sha256": digest}
    assert result.model.provenance["backbone_weights"] == about
    ours = dict(result.model.network.backbone.named_parameters())
    for name, value in source.backbone.named_parameters():
        assert torch.allclose(ours[name], value, atol=1e-6)
    safetensors.torch.save_file(build_network(SPEC, 3, seed=5).backbone.state_dict(), path)
    with pytest.raises(ArtifactError, match="backbone_sha256 was"):
        quick(recipe, checkpoint_folder=tmp_path / "checkpoints")


@pytest.mark.parametrize(
    ("options", "arguments", "sentence"),
    [
        ({"balance": "subjects"}, {}, "'balance' is subjects, and the faces have no"),
        ({"balance": "both"}, {"subjects": [1, 2]}, r"subjects are \(2,\); 200 faces need one"),
        ({"soft_targets": {"curve": "linear"}}, {}, "No intensities were given"),
        ({"unfreeze": list(range(8))}, {}, "this network has 6 blocks"),
        ({"backbone_weights": "nowhere.pt"}, {}, "nowhere.pt, which does not exist"),
    ],
)
def test_a_training_without_what_its_recipe_needs_is_refused(options, arguments, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        quick(Recipe.read({**PLAIN, **options}), **arguments)


def test_two_starts_at_once_are_refused():
    model = quick(Recipe(steps=1)).model
    with pytest.raises(ConfigurationError, match="backbone_weights.*the pre-trained model"):
        quick(Recipe(backbone_weights="weights.pt"), initial=model)
    assert model.aus == AUS
