"""Trained models on disk, and new heads for them."""

import json
import pickle
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from action_units.config import NetworkSpec
from action_units.errors import ArtifactError
from action_units.files import atomic_artifact, manifest_of, sha256_of
from action_units.models import model_files
from action_units.models.model_files import load_model, model_bytes, save_model
from action_units.models.registry import architectures, build_network, rehead
from action_units.models.trained import TrainedModel

SPEC = NetworkSpec(width=0.25, image_size=32)


@pytest.fixture
def model():
    network = build_network(SPEC, 3, seed=3).eval()
    return TrainedModel(network, SPEC, (1, 4, 12), {"fold": 2, "protocol": "fg2020"})


def test_a_model_comes_back_as_it_was(model, tmp_path):
    save_model(model, tmp_path / "m.safetensors")
    back = load_model(tmp_path / "m.safetensors", aus=(1, 4, 12))
    assert (back.spec, back.aus, back.provenance) == (SPEC, (1, 4, 12), model.provenance)
    x = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(back.network(x), model.network(x))
    assert not back.network.training


@pytest.mark.parametrize("name", [name for name in architectures() if name != "timm"])
def test_every_architecture_comes_back(name, tmp_path):
    spec = NetworkSpec(architecture=name, image_size=32, width=0.125)
    saved = TrainedModel(build_network(spec, 2, 0), spec, (1, 12), {})
    save_model(saved, tmp_path / "m.safetensors")
    back = load_model(tmp_path / "m.safetensors")
    assert back.spec == spec
    faces = torch.rand(2, 1, 32, 32)
    assert torch.equal(back.network.eval()(faces), saved.network.eval()(faces))


def test_equal_models_are_equal_bytes(model, tmp_path):
    save_model(model, tmp_path / "a")
    model.network.to(memory_format=torch.channels_last)
    provenance = dict(reversed(list(model.provenance.items())))
    save_model(TrainedModel(model.network, SPEC, model.aus, provenance), tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_file_explains_itself(model, tmp_path):
    save_model(model, tmp_path / "m")
    content = (tmp_path / "m").read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["action_units"])
    assert header["au_columns"] == ["AU01", "AU04", "AU12"]
    assert header["spec"]["architecture"] == "residual"


def test_a_flipped_bit_is_refused(model, tmp_path):
    path = tmp_path / "m"
    save_model(model, path)
    whole = path.read_bytes()
    generator = random.Random(0)
    for _ in range(40):
        damaged = bytearray(whole)
        damaged[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match="SHA-256 differs"):
            load_model(path)


def test_a_missing_model_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(ArtifactError, match="`kedro run` of pretraining makes it"):
        load_model(tmp_path / "m", made_by="`kedro run` of pretraining")


def test_a_model_of_other_aus_is_refused(model, tmp_path):
    save_model(model, tmp_path / "m")
    with pytest.raises(ArtifactError, match=r"predicts AUs 1, 4, 12 and not 1, 4, 15.*rehead"):
        load_model(tmp_path / "m", aus=(1, 4, 15))


class Trap:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("container", ["pickle", "torch"])
def test_a_pickle_is_never_executed(container, tmp_path):
    path, marker = tmp_path / "m", tmp_path / "executed"
    with atomic_artifact(path) as file:
        if container == "pickle":
            pickle.dump(Trap(marker), file)
        else:
            torch.save(Trap(marker), file)
    with pytest.raises(ArtifactError, match="not a model"):
        load_model(path)
    assert not marker.exists()


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    path = tmp_path / "m"
    save_file({"weight": torch.zeros(3)}, path)
    manifest_of(path).write_text(f"{sha256_of(path)}  m\n")
    with pytest.raises(ArtifactError, match="not a model"):
        load_model(path)


def test_a_new_head_keeps_the_backbone(model):
    new = rehead(model, (12, 25), seed=1, prior=[0.2, 0.1])
    for name, value in model.network.backbone.state_dict().items():
        assert torch.equal(value, new.network.backbone.state_dict()[name])
    assert new.network.head.linear.weight.shape == (2, model.network.head.linear.in_features)
    assert torch.sigmoid(new.network.head.linear.bias)[0].item() == pytest.approx(0.2)
    assert new.aus == (12, 25)
    assert model.network.head.linear.out_features == 3


def test_a_shared_head_starts_from_the_rows_in_common(model):
    new = rehead(model, (12, 25), seed=1, prior=[0.2, 0.1], keep_shared=True)
    old_row = model.network.head.linear.weight[2]
    assert torch.equal(new.network.head.linear.weight[0], old_row)
    assert not torch.equal(new.network.head.linear.weight[1], old_row)
    assert torch.sigmoid(new.network.head.linear.bias)[0].item() == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"aus": list(range(1_000_000))}, r"head.linear.\w+ is \[3"),
        ({"spec": {"architecture": "vgg13", "width": 8, "image_size": 512}}, r"tensor \S+ is "),
        ({"padding": "x" * (17 << 20)}, "header is 17,8"),
    ],
)
def test_a_model_that_asks_for_more_than_its_file_has_is_refused_before_it_is_built(
    model, tmp_path, monkeypatch, change, message
):
    content = model_bytes(model)
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    told = json.loads(header["__metadata__"]["action_units"]) | change
    header["__metadata__"]["action_units"] = json.dumps(told)
    text = json.dumps(header).encode()
    with atomic_artifact(tmp_path / "m.safetensors") as file:
        file.write(len(text).to_bytes(8, "little") + text + content[8 + size :])

    def built(*_):
        raise MemoryError("built")

    monkeypatch.setattr(model_files, "build_network", built)
    with pytest.raises(ArtifactError, match=message):
        load_model(tmp_path / "m.safetensors")
