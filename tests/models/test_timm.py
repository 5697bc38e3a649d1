"""timm's networks as backbones; the library itself is stood in for."""

import builtins
import importlib
import sys

import pytest
import torch
from torch import nn

from action_units.config import NetworkSpec
from action_units.errors import ConfigurationError
from action_units.models.dropout import dropouts, seed_dropout
from action_units.models.model_files import load_model, save_model
from action_units.models.registry import build_network, check_network
from action_units.models.trained import TrainedModel
from tests.models.fake_timm import SmallConv, fake_timm


@pytest.fixture
def timm(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", fake_timm())


def faces(channels=1, size=64):
    return (
        torch.rand(4, channels, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    )


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize("name", ["small_conv", "small_vit"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [64, 112])
def test_a_model_becomes_a_network(name, channels, size):
    spec = NetworkSpec(architecture="timm", timm_model=name, channels=channels, image_size=size)
    network = build_network(spec, 5)
    z = network(faces(channels, size))
    assert z.shape == (4, 5)
    z.sum().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()


@pytest.mark.usefixtures("timm")
def test_weights_and_masks_depend_on_seeds_alone():
    spec = NetworkSpec(architecture="timm", timm_model="small_conv")
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = build_network(spec, 4, seed=7)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    two, other = build_network(spec, 4, seed=7), build_network(spec, 4, seed=8)
    assert all(map(torch.equal, one.state_dict().values(), two.state_dict().values()))
    conv = "backbone.network.conv1.weight"
    assert not torch.equal(one.state_dict()[conv], other.state_dict()[conv])
    for network in (one, two):
        seed_dropout(dropouts(network), 5)
    assert torch.equal(one(faces()), two(faces()))
    assert torch.equal(torch.get_rng_state(), torch.Generator().manual_seed(2).get_state())


@pytest.mark.usefixtures("timm")
def test_the_model_sees_pixels_as_it_was_made_for():
    backbone = build_network(
        NetworkSpec(architecture="timm", timm_model="small_conv", channels=3, dropout=0.0), 4
    ).backbone.eval()
    x = faces(3)
    mean = torch.tensor(SmallConv.pretrained_cfg["mean"])[:, None, None]
    deviation = torch.tensor(SmallConv.pretrained_cfg["std"])[:, None, None]
    expected = backbone.network(((x + 1) / 2 - mean) / deviation)
    assert torch.allclose(backbone(x), expected, atol=1e-5)


@pytest.mark.usefixtures("timm")
def test_its_layers_are_blocks_and_loose_parameters_belong_to_none():
    conv = build_network(NetworkSpec(architecture="timm", timm_model="small_conv"), 4)
    kinds = [type(block) for block in conv.backbone.blocks()]
    assert kinds == [nn.Conv2d, nn.BatchNorm2d, nn.Conv2d, nn.Conv2d]
    vit = build_network(NetworkSpec(architecture="timm", timm_model="small_vit"), 4)
    assert len(vit.blocks()) == 5


@pytest.mark.usefixtures("timm")
def test_a_model_comes_back_from_disk(tmp_path):
    spec = NetworkSpec(architecture="timm", timm_model="small_vit")
    model = TrainedModel(build_network(spec, 2, seed=3).eval(), spec, (1, 4))
    save_model(model, tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    assert again.spec == spec
    assert torch.equal(again.network(faces()), model.network(faces()))


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"timm_model": "smal_conv"},
            "not among timm's 5 models; the nearest are: small_conv, ",
        ),
        ({"timm_model": "zzz"}, "none is similar"),
        ({"timm_model": None}, "needs a name, such as resnet18"),
        (
            {"timm_model": "small_conv", "width": 0.5},
            "width is 0.5; a timm model has its own",
        ),
        ({"timm_model": "small_conv", "normalisation": "batch"}, "leave it default"),
        ({"timm_model": "small_conv", "architecture": "vgg13"}, "architecture: timm, or leave"),
    ],
)
def test_an_impossible_model_is_refused(options, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        check_network(NetworkSpec.read({"architecture": "timm", **options}))


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize(
    ("name", "size", "sentence"),
    [
        ("fixed_size", 64, r"faces of 64 × 64 × 1 \(mat1.*another image_size"),
        ("small_vit", 50, "img_size 50 is not a multiple"),
        ("gives_maps", 64, r"features of shape \(1, 8, 13, 13\)"),
    ],
)
def test_a_model_that_does_not_take_the_input_is_refused(name, size, sentence):
    spec = NetworkSpec(architecture="timm", timm_model=name, image_size=size)
    with pytest.raises(ConfigurationError, match=sentence):
        build_network(spec, 4)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (ModuleNotFoundError("No module", name="timm"), r"package timm, .*\[timm\]"),
        (
            ModuleNotFoundError("No module", name="torchvision"),
            "package torchvision, .*same build",
        ),
        (RuntimeError("operator torchvision::nms does not exist"), "nms does not exist.*CPU"),
    ],
)
def test_without_the_library_one_sentence_says_how_to_get_it(monkeypatch, fault, sentence):
    def refuse(name):
        raise fault

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(ConfigurationError, match=sentence):
        check_network(NetworkSpec(architecture="timm", timm_model="resnet18"))


def test_other_networks_do_not_import_it(monkeypatch):
    original = builtins.__import__

    def watched(name, *rest):
        assert not name.startswith("timm")
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", watched)
    monkeypatch.setattr(importlib, "import_module", watched)
    build_network(NetworkSpec(width=0.25), 3)
