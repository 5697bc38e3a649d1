"""ConvNeXt V2: the published sizes, names and formula; files of its weights; recomputing."""

import re

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F  # noqa: N812

from action_units.config import NetworkSpec
from action_units.errors import ArtifactError, ConfigurationError
from action_units.models.dropout import dropouts, seed_dropout
from action_units.models.pretrained import PretrainedWeights
from action_units.models.registry import build_network, check_network

SIZES = {  # depths, channels, millions of parameters with ImageNet's head of 1,000 classes
    "atto": ((2, 2, 6, 2), (40, 80, 160, 320), 3.7),
    "nano": ((2, 2, 8, 2), (80, 160, 320, 640), 15.6),
    "tiny": ((3, 3, 9, 3), (96, 192, 384, 768), 28.6),
}


def spec(size="atto", **options):
    return NetworkSpec(
        **{"architecture": f"convnextv2_{size}", "image_size": 64, "channels": 3, **options}
    )


def timm_shapes(size, as_convolutions):
    """Names and shapes of timm's tensors, of which the small sizes have 1 x 1 convolutions."""
    depths, widths, _ = SIZES[size]
    pixel = (1, 1) if as_convolutions else ()
    shapes = {"stem.0.weight": (widths[0], 3, 4, 4)}
    shapes |= dict.fromkeys(("stem.0.bias", "stem.1.weight", "stem.1.bias"), (widths[0],))
    for stage, (depth, c) in enumerate(zip(depths, widths, strict=True)):
        if stage:
            before, down = widths[stage - 1], f"stages.{stage}.downsample"
            shapes |= {f"{down}.0.weight": (before,), f"{down}.0.bias": (before,)}
            shapes |= {f"{down}.1.weight": (c, before, 2, 2), f"{down}.1.bias": (c,)}
        for number in range(depth):
            block = f"stages.{stage}.blocks.{number}"
            shapes |= {
                f"{block}.conv_dw.weight": (c, 1, 7, 7),
                f"{block}.conv_dw.bias": (c,),
                f"{block}.norm.weight": (c,),
                f"{block}.norm.bias": (c,),
                f"{block}.mlp.fc1.weight": (4 * c, c, *pixel),
                f"{block}.mlp.fc1.bias": (4 * c,),
                f"{block}.mlp.grn.weight": (4 * c,),
                f"{block}.mlp.grn.bias": (4 * c,),
                f"{block}.mlp.fc2.weight": (c, 4 * c, *pixel),
                f"{block}.mlp.fc2.bias": (c,),
            }
    last = widths[-1]
    shapes |= {"head.norm.weight": (last,), "head.norm.bias": (last,)}
    return shapes | {"head.fc.weight": (1000, last), "head.fc.bias": (1000,)}


def drawn(shapes):
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(shape, generator=generator) * 0.2 for name, shape in shapes.items()
    }


def as_the_authors(tensors):
    """The same under the names and shapes of the authors' code."""
    renamed = {}
    for name, value in tensors.items():
        name = re.sub(r"^stem\.", "downsample_layers.0.", name)
        name = re.sub(r"^stages\.(\d)\.downsample", r"downsample_layers.\1", name)
        name = name.replace(".blocks.", ".").replace("conv_dw", "dwconv")
        name = name.replace("mlp.fc", "pwconv").replace("head.norm", "norm")
        name = name.replace("head.fc", "head")
        if "mlp.grn" in name:
            name = name.replace("mlp.grn.weight", "grn.gamma")
            name = name.replace("mlp.grn.bias", "grn.beta")
            value = value[None, None, None]
        renamed[name] = value.reshape(value.shape[:2]) if "pwconv" in name else value
    return renamed


def reference(t, x, depths):
    """The features of the published formula, written out with torch's functions."""
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)
    x = ((x + 1) / 2 - mean) / deviation

    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], t[f"{name}.weight"], t[f"{name}.bias"], 1e-6)

    def map_norm(x, name):
        return norm(x.movedim(1, -1), name).movedim(-1, 1)

    x = F.conv2d(x, t["stem.0.weight"], t["stem.0.bias"], stride=4)
    x = map_norm(x, "stem.1")
    for stage, depth in enumerate(depths):
        if stage:
            down = f"stages.{stage}.downsample"
            x = map_norm(x, f"{down}.0")
            x = F.conv2d(x, t[f"{down}.1.weight"], t[f"{down}.1.bias"], stride=2)
        for number in range(depth):
            b, c = f"stages.{stage}.blocks.{number}", x.shape[1]
            y = F.conv2d(
                x, t[f"{b}.conv_dw.weight"], t[f"{b}.conv_dw.bias"], padding=3, groups=c
            )
            y = norm(y.movedim(1, -1), f"{b}.norm")
            weight = t[f"{b}.mlp.fc1.weight"].reshape(4 * c, c)
            y = F.gelu(F.linear(y, weight, t[f"{b}.mlp.fc1.bias"]))
            g = y.pow(2).sum((1, 2), keepdim=True).sqrt()
            n = g / (g.mean(-1, keepdim=True) + 1e-6)
            y = t[f"{b}.mlp.grn.weight"] * (y * n) + t[f"{b}.mlp.grn.bias"] + y
            weight = t[f"{b}.mlp.fc2.weight"].reshape(c, 4 * c)
            x = x + F.linear(y, weight, t[f"{b}.mlp.fc2.bias"]).movedim(-1, 1)
    return norm(x.mean((2, 3)), "head.norm")


@pytest.mark.parametrize("size", SIZES)
def test_the_sizes_are_the_published_ones(size):
    backbone = build_network(spec(size), 12).backbone
    head = 1000 * (backbone.n_features + 1)
    n = sum(parameter.numel() for parameter in backbone.parameters()) + head
    assert round(n / 1e6, 1) == SIZES[size][2]
    ours = {name: tuple(p.shape) for name, p in backbone.named_parameters()}
    theirs = timm_shapes(size, as_convolutions=False)
    assert ours == {name: s for name, s in theirs.items() if not name.startswith("head.fc")}


@pytest.mark.parametrize("whose", ["timm", "authors"])
def test_a_file_of_published_weights_fills_it(whose, tmp_path):
    tensors = drawn(timm_shapes("atto", as_convolutions=True))
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    expected = reference(tensors, x, SIZES["atto"][0])
    file = tmp_path / "weights.safetensors"
    written = tensors if whose == "timm" else as_the_authors(tensors)
    save_file({name: value.contiguous() for name, value in written.items()}, file)
    backbone = build_network(spec(), 12).backbone.eval()
    PretrainedWeights.read(file).fill(backbone)
    with torch.no_grad():
        assert torch.allclose(backbone(x), expected, rtol=1e-4, atol=1e-4)


def test_a_file_of_another_size_is_refused(tmp_path):
    file = tmp_path / "weights.safetensors"
    save_file(drawn(timm_shapes("atto", as_convolutions=True)), file)
    with pytest.raises(ArtifactError, match="stem.0.weight.*the network needs"):
        PretrainedWeights.read(file).fill(build_network(spec("nano"), 12).backbone)


@pytest.mark.parametrize("channels", [1, 3])
def test_blocks_are_all_of_it_from_the_input_up(channels):
    network = build_network(spec(width=0.2, channels=channels), 3)
    names = {parameter: name for name, parameter in network.named_parameters()}
    assert [names[p] for block in network.blocks() for p in block.parameters()] == list(
        names.values()
    )
    assert len(network.blocks()) == 6
    assert network(torch.zeros(2, channels, 64, 64)).shape == (2, 3)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"image_size": 16}, "image_size is 16; convnextv2_atto .* at least 32"),
        ({"normalisation": "batch"}, "normalisation is batch; convnextv2_atto is normalised"),
    ],
)
def test_what_cannot_be_built_is_refused(options, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        check_network(spec(**options))


def gradients(network, x, recompute, part=None):
    layers = dropouts(network)
    seed_dropout(layers, 7, part, 8)
    network.backbone.checkpointing = recompute
    network.zero_grad()
    network(x).square().sum().backward()
    return {name: p.grad.clone() for name, p in network.named_parameters()}


def test_recomputing_changes_no_bit_and_holds_less():
    network = build_network(spec(width=0.2, dropout=1.5), 3).train()
    x = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    held = []
    for recompute in (False, True):
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, sizes=sizes: (sizes.append(t.numel()), t)[1], lambda t: t
        ):
            seed_dropout(dropouts(network), 7)
            network.backbone.checkpointing = recompute
            network(x)
        held.append(sum(sizes))
    assert held[1] < held[0] / 3
    kept, again = gradients(network, x, False), gradients(network, x, True)
    assert all(torch.equal(kept[name], again[name]) for name in kept)


def test_a_face_s_path_is_a_function_of_the_seed_and_its_place():
    network = build_network(spec(width=0.2, dropout=1.9), 3).train()
    x = torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    layers = dropouts(network)
    seed_dropout(layers, 5)
    whole = network(x)
    parts = []
    for part in (slice(0, 3), slice(3, 8)):
        seed_dropout(layers, 5, part, 8)
        parts.append(network(x[part]))
    assert torch.allclose(torch.cat(parts), whole, atol=1e-5)
    seed_dropout(layers, 6)
    assert not torch.allclose(network(x), whole, atol=1e-3)
