"""Recipe large, made small: it trains, resumes bit for bit, and holds less in memory alike."""

import numpy as np
import pytest
import torch
import yaml

from action_units.config import Augmentation, NetworkSpec, RecipeConfig
from action_units.errors import ConfigurationError
from action_units.models import convnextv2
from action_units.training.inference import predict
from action_units.training.interruption import Interrupted
from tests.conftest import PROJECT
from tests.training.blobs import AUS, blobs, train

TRAIN, HELD_OUT = np.arange(48), np.arange(48, 64)
SUBJECTS = np.array([f"SN{n % 5:03d}" for n in range(64)])


def recipe():
    content = yaml.safe_load((PROJECT / "conf/base/parameters_recipes.yml").read_text())
    large = RecipeConfig.read(content["recipes"]["large"])
    assert large.network.architecture == "convnextv2_tiny"
    small = {"architecture": "convnextv2_atto", "width": 0.2, "image_size": 32}
    return large.network.model_copy(update=small), large


def in_colour(faces):
    """Other spots in each channel."""
    return np.stack([faces, faces[:, ::-1], faces[:, :, ::-1]], axis=-1)


def trained(stage, folder=None, data=None, **options):
    network, large = recipe()
    faces, labels = data or blobs(64)
    short = getattr(large, stage).model_copy(update={"epochs": 2, "batch_size": 16})
    return train(
        network,
        short,
        in_colour(faces),
        labels,
        TRAIN,
        HELD_OUT,
        AUS,
        seed=3,
        subjects=SUBJECTS,
        intensities=labels * 3.0,
        checkpoint_folder=folder,
        **options,
    )


def weights(result):
    return result.model.network.state_dict()


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_it_resumes_bit_for_bit_and_recomputing_changes_no_bit(tmp_path, monkeypatch):
    whole = weights(trained("pretrain"))
    from action_units.training import train as module

    step, n = module.Step.__call__, 0

    def killed(self, *arguments, **options):
        nonlocal n
        n += 1
        if n == 5:
            raise Interrupted(15)
        return step(self, *arguments, **options)

    monkeypatch.setattr(module.Step, "__call__", killed)
    with pytest.raises(Interrupted):
        trained("pretrain", tmp_path)
    monkeypatch.setattr(module.Step, "__call__", step)
    assert (tmp_path / "checkpoint.pt").exists()
    recompute, n_recomputed = convnextv2.checkpoint, 0

    def counted(*arguments, **options):
        nonlocal n_recomputed
        n_recomputed += 1
        return recompute(*arguments, **options)

    monkeypatch.setattr(convnextv2, "checkpoint", counted)
    resumed = trained("pretrain", tmp_path, gradient_checkpointing=True)
    assert n_recomputed == 3 * 12  # steps of the second epoch, blocks of the size atto
    assert same(weights(resumed), whole)
    assert same(weights(trained("pretrain", gradient_checkpointing=True)), whole)


@pytest.mark.parametrize("stage", ["finetune", "from_scratch"])
def test_its_other_stages_train(stage):
    result = trained(stage)
    assert np.isfinite(result.curve["train_loss"]).all()
    probabilities = predict(result.model, in_colour(blobs(8)[0]), "cpu", flip=True)
    assert probabilities.shape == (8, 3)


def test_other_architectures_cannot_recompute():
    network = NetworkSpec(width=0.25, image_size=32)
    with pytest.raises(ConfigurationError, match="gradient_checkpointing is true, which arch"):
        train(
            network,
            recipe()[1].from_scratch.model_copy(
                update={"augmentation": Augmentation(), "balance": "none"}
            ),
            *blobs(64),
            TRAIN,
            HELD_OUT,
            AUS,
            seed=3,
            gradient_checkpointing=True,
        )
