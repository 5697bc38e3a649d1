"""Weights of another training for a backbone, and files that are not such."""

import hashlib
import os
import pickle
import zipfile

import pytest
import safetensors.torch
import torch

from action_units.config import NetworkSpec
from action_units.errors import ArtifactError, ConfigurationError
from action_units.models.pretrained import PretrainedWeights
from action_units.models.registry import build_network

SPEC = NetworkSpec(width=0.5, image_size=32)


def network(seed=0, **options):
    return build_network(NetworkSpec.read({**SPEC.to_json(), **options}), 3, seed=seed)


def save(path, tensors):
    tensors = {name: value.clone().contiguous() for name, value in tensors.items()}
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(tensors, path)
    else:
        torch.save(tensors, path)
    return path


def faces(channels=1):
    x = torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    return x.expand(-1, channels, -1, -1)


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pt"])
@pytest.mark.parametrize("whole_model", [False, True])
def test_a_backbone_takes_the_tensors_of_a_file(tmp_path, name, whole_model):
    source, target = network(1), network(2)
    state = source.state_dict() if whole_model else source.backbone.state_dict()
    path = save(tmp_path / name, state)
    head = target.head.linear.weight.clone()
    weights = PretrainedWeights.read(path)
    weights.fill(target.backbone)
    assert weights.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    ours, theirs = target.backbone.state_dict(), source.backbone.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert torch.equal(target.head.linear.weight, head)


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_a_wrapped_state_and_a_classifier_are_understood(tmp_path, wrapper, caplog):
    source, target = network(1), network(2)
    path = tmp_path / "weights.pt"
    tensors = {**source.backbone.state_dict(), "fc.weight": torch.zeros(10, 4)}
    torch.save({wrapper: tensors, "epoch": 3}, path)
    with caplog.at_level("INFO"):
        PretrainedWeights.read(path).fill(target.backbone)
    assert "left out: fc.weight" in caplog.text
    assert torch.equal(source.eval().backbone(faces()), target.eval().backbone(faces()))


@pytest.mark.parametrize(("theirs", "ours"), [(3, 1), (1, 3)])
def test_a_first_layer_for_colour_and_one_for_grey_fit_each_other(tmp_path, theirs, ours):
    source, target = network(1, channels=theirs), network(2, channels=ours)
    path = save(tmp_path / "weights.safetensors", source.backbone.state_dict())
    PretrainedWeights.read(path).fill(target.backbone)
    expected = source.eval().backbone(faces(theirs))
    assert torch.allclose(target.eval().backbone(faces(ours)), expected, atol=1e-4)


def test_weights_of_another_network_are_refused(tmp_path):
    state = network().backbone.state_dict()
    save(tmp_path / "narrow.safetensors", network(width=0.25).backbone.state_dict())
    with pytest.raises(
        ArtifactError, match=r"is \(8, 8, 3, 3\) and the network needs \(16, 8, 3, 3\)"
    ):
        PretrainedWeights.read(tmp_path / "narrow.safetensors").fill(network().backbone)
    del state["stages.0.first.0.weight"]
    save(tmp_path / "holed.safetensors", state)
    with pytest.raises(ArtifactError, match=r"no tensor 'stages.0.first.0.weight'.*such as"):
        PretrainedWeights.read(tmp_path / "holed.safetensors").fill(network().backbone)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere.pt, which does not exist"):
        PretrainedWeights.read(tmp_path / "nowhere.pt")


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def malicious(path):
    torch.save({"state_dict": Malicious()}, path)


def bare_pickle(path):
    path.write_bytes(pickle.dumps({"a": Malicious()}))


def no_state(path):
    torch.save([torch.zeros(2)], path)


def not_a_tensor(path):
    torch.save({"a": torch.zeros(2), "b": "text"}, path)


def cut_short(path):
    torch.save({"a": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:-200])


def bomb(path):
    """A file that unfolds to a thousand times its size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(10_000_000))


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (malicious, ""),
        (bare_pickle, "not a file of torch.save"),
        (no_state, "no state dict"),
        (not_a_tensor, "'b' is str and not a tensor"),
        (cut_short, ""),
        (bomb, "compressed"),
    ],
)
@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
def test_a_file_that_holds_no_plain_tensors_is_refused(
    tmp_path, monkeypatch, write, reason, name
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    write(path)
    match = "does not hold plain tensors" + (f".*{reason}" if path.suffix == ".pt" else "")
    with pytest.raises(ArtifactError, match=match):
        PretrainedWeights.read(path)
    assert not (tmp_path / "executed").exists()
