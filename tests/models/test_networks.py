"""The backbones, the registry, the head and dropout."""

import pytest
import torch
from torch import nn

from action_units.config import NetworkSpec
from action_units.errors import ConfigurationError
from action_units.models.backbones.convnext import ConvNeXtBlock
from action_units.models.dropout import SeededDropout, dropouts, seed_dropout
from action_units.models.network import ChannelNorm, log_odds
from action_units.models.registry import architectures, build_network

OWN = [name for name in architectures() if name in ("convnext", "residual", "vgg13")]


def n_parameters(network):
    return sum(p.numel() for p in network.parameters())


def paper_vgg13(n_aus):
    """The paper's network written out flat with torch's own layers."""
    layers, channels = [], 1
    for block in ((64, 64), (128, 128), (256, 256, 256), (256, 256, 256)):
        for out in block:
            layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU()]
            channels = out
        layers += [nn.MaxPool2d(2), nn.Dropout(0.25)]
    layers += [nn.Flatten(), nn.Linear(4096, 1024), nn.ReLU(), nn.Dropout(0.5)]
    layers += [nn.Linear(1024, 1024), nn.ReLU(), nn.Dropout(0.5), nn.Linear(1024, n_aus)]
    return nn.Sequential(*layers)


def test_vgg13_is_the_papers_network():
    ours, theirs = (
        build_network(NetworkSpec(architecture="vgg13"), 12).eval(),
        paper_vgg13(12).eval(),
    )
    with torch.no_grad():
        for mine, other in zip(theirs.parameters(), ours.parameters(), strict=True):
            mine.copy_(other)
    x = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)
    rates = [m.rate for m in ours.modules() if isinstance(m, SeededDropout)]
    assert rates == [m.p for m in theirs.modules() if isinstance(m, nn.Dropout)]


@pytest.mark.parametrize(
    ("architecture", "parameters"),
    [("vgg13", 8_761_804), ("residual", 331_836), ("convnext", 437_036)],
)
def test_the_networks_have_their_sizes(architecture, parameters):
    assert n_parameters(build_network(NetworkSpec(architecture=architecture), 12)) == parameters


@pytest.mark.parametrize("architecture", OWN)
@pytest.mark.parametrize(
    "options",
    [{}, {"width": 0.25, "image_size": 48, "channels": 3}, {"width": 0.125, "image_size": 112}],
)
@pytest.mark.parametrize("normalisation", ["default", "batch", "layer", "none"])
def test_every_backbone_takes_every_option(architecture, options, normalisation):
    spec = NetworkSpec(
        architecture=architecture, normalisation=normalisation, dropout=0.0, **options
    )
    kind = spec.norm({"residual": "batch", "convnext": "layer", "vgg13": "none"}[architecture])
    network = build_network(spec, 5)
    shape = (3, spec.channels, spec.image_size, spec.image_size)
    z = network(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    assert z.shape == (3, 5)
    z.square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0 or kind == "batch", name
    norms = {type(m) for m in network.modules() if isinstance(m, nn.BatchNorm2d | ChannelNorm)}
    assert norms == {"batch": {nn.BatchNorm2d}, "layer": {ChannelNorm}, "none": set()}[kind]


@pytest.mark.parametrize("width", [0.25, 0.5])
def test_a_narrow_residual_network_has_gradients_on_large_faces(width):
    """In its own layout; oneDNN's gradient of a narrow, strided 1×1 convolution crashes there."""
    spec = NetworkSpec(architecture="residual", width=width, image_size=112)
    network = build_network(spec, 3).to(memory_format=torch.channels_last)
    x = torch.ones(2, 1, 112, 112).contiguous(memory_format=torch.channels_last)
    network(x).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize("architecture", OWN)
def test_blocks_are_all_of_a_network_from_the_input_up(architecture):
    network = build_network(
        NetworkSpec(architecture=architecture, normalisation="batch", width=0.25), 3
    )
    names = {parameter: name for name, parameter in network.named_parameters()}
    inside = [names[p] for block in network.blocks() for p in block.parameters()]
    assert sorted(inside) == sorted(names.values())
    assert len(set(inside)) == len(inside)
    assert inside[-2:] == ["head.linear.weight", "head.linear.bias"]
    assert inside == list(names.values())
    expected = {"vgg13": 7, "residual": 6, "convnext": 4}
    assert len(network.blocks()) == expected[architecture]


def test_vgg13s_blocks_are_the_papers():
    blocks = build_network(NetworkSpec(architecture="vgg13", width=0.25), 3).blocks()
    layers = [[type(m) for m in block.modules()] for block in blocks]
    assert [kinds.count(nn.Conv2d) for kinds in layers] == [2, 2, 3, 3, 0, 0, 0]
    assert [kinds.count(nn.Linear) for kinds in layers] == [0, 0, 0, 0, 1, 1, 1]


def test_channel_normalisation_is_torchs_layer_norm_of_every_pixel():
    x = torch.randn(2, 6, 5, 5, generator=torch.Generator().manual_seed(0))
    layer = ChannelNorm(6, eps=1e-6)
    expected = (x - x.mean(1, keepdim=True)) / (
        x.var(1, correction=0, keepdim=True) + 1e-6
    ).sqrt()
    assert torch.allclose(layer(x), expected, atol=1e-5)


def test_a_convnext_block_is_the_papers_formula():
    block = ConvNeXtBlock(8, "layer").double()
    with torch.no_grad():
        block.scale.uniform_(0.5, 1.0)
    x = torch.randn(2, 8, 9, 9, generator=torch.Generator().manual_seed(0)).double()
    depthwise, norm = block.spatial
    inner = nn.functional.conv2d(x, depthwise.weight, depthwise.bias, padding=3, groups=8)
    inner = nn.functional.layer_norm(
        inner.movedim(1, -1), (8,), norm.weight, norm.bias, norm.eps
    )
    inner = nn.functional.linear(inner, block.expand.weight[:, :, 0, 0], block.expand.bias)
    inner = nn.functional.linear(
        nn.functional.gelu(inner), block.shrink.weight[:, :, 0, 0], block.shrink.bias
    )
    assert torch.allclose(block(x), x + (block.scale * inner).movedim(-1, 1), atol=1e-12)


def test_logits_of_a_face_do_not_depend_on_its_batch():
    network = build_network(NetworkSpec(width=0.5), 4).eval()
    x = torch.randn(8, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(network(x)[3:5], network(x[3:5]), atol=1e-5)


def test_logits_are_float32_under_autocast():
    network = build_network(NetworkSpec(width=0.25), 4).eval()
    with torch.autocast("cpu", torch.bfloat16):
        z = network(torch.zeros(1, 1, 64, 64))
    assert z.dtype == torch.float32


def test_first_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    one = build_network(NetworkSpec(width=0.25), 4, seed=7).state_dict()
    torch.manual_seed(2)
    two = build_network(NetworkSpec(width=0.25), 4, seed=7).state_dict()
    other = build_network(NetworkSpec(width=0.25), 4, seed=8).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["head.linear.weight"], other["head.linear.weight"])


def test_the_heads_bias_starts_at_the_prior():
    network = build_network(NetworkSpec(width=0.25), 3, prior=[0.5, 0.05, 0.0])
    bias = torch.sigmoid(network.head.linear.bias)
    assert torch.allclose(bias, torch.tensor([0.5, 0.05, 0.001]), atol=1e-6)
    assert log_odds(0.5) == 0.0


def test_dropout_is_a_function_of_its_seed():
    layer = SeededDropout(0.3)
    x = torch.ones(100, 1000)
    layer.seed = 5
    first = layer(x)
    torch.manual_seed(0)
    assert torch.equal(first, layer(x))
    layer.seed = 6
    assert not torch.equal(first, layer(x))
    assert float((first == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert float(first.mean()) == pytest.approx(1.0, abs=0.01)
    assert torch.equal(layer.eval()(x), x)


def test_dropout_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    SeededDropout(0.3)(torch.ones(10, 10))
    assert torch.equal(before, torch.get_rng_state())


def test_two_dropout_layers_get_different_masks():
    network = nn.Sequential(SeededDropout(0.5), nn.Identity(), SeededDropout(0.5))
    seed_dropout(dropouts(network), 2**63 - 1)
    first, second = network[0].seed, network[2].seed
    assert first != second
    assert 0 <= second < 2**63


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"architecture": "resnet50"}, "one of: convnext, convnextv2_atto, convnextv2_nano, "),
        ({"image_size": 50}, "multiple of 16"),
        ({"width": 0}, "above 0"),
        ({"channels": 2}, "one of: 1, 3"),
        ({"normalisation": "group"}, "one of: default, batch, layer, none"),
        ({"witdh": 1}, "Did you mean width"),
    ],
)
def test_an_impossible_network_is_refused(options, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        build_network(NetworkSpec.read(options), 3)
