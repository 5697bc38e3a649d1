"""A stand-in for the timm library: the few calls that the adapter makes, and small nets."""

from types import MappingProxyType, ModuleType

import torch
from torch import nn
from torch.nn import functional

NAMES = ["small_conv", "small_conv_wide", "small_vit", "fixed_size", "gives_maps"]


class DropPath(nn.Module):
    """Stochastic depth, drawn from the global generator as timm's."""

    def __init__(self):
        super().__init__()
        self.drop_prob = 0.5

    def forward(self, x):
        if not self.training or not self.drop_prob:
            return x
        return x * (torch.rand(len(x), 1, 1, 1) > self.drop_prob)


class SmallConv(nn.Module):
    pretrained_cfg = MappingProxyType(
        {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    )

    def __init__(self, in_chans=3, num_classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(in_chans, 6, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(6)
        self.act1 = nn.ReLU()
        self.stages = nn.Sequential(
            nn.Conv2d(6, 8, 3, stride=2), DropPath(), nn.Conv2d(8, 8, 3), nn.Dropout(0.5)
        )
        self.fc = nn.Linear(8, num_classes) if num_classes else nn.Identity()

    def forward(self, x):
        x = self.stages(self.act1(self.bn1(self.conv1(x))))
        return self.fc(x.mean((2, 3)))


class SmallVit(nn.Module):
    """Needs to know the size of its input, and has parameters outside its layers."""

    def __init__(self, in_chans=3, num_classes=10, img_size=224):
        super().__init__()
        assert img_size % 16 == 0, f"img_size {img_size} is not a multiple of the patch size"
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, (img_size // 16) ** 2, 12))
        self.patch_embed = nn.Conv2d(in_chans, 12, 16, 16)
        self.blocks = nn.ModuleList([nn.Linear(12, 12), nn.Linear(12, 12)])
        self.norm = nn.LayerNorm(12)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2) + self.pos_embed
        for block in self.blocks:
            x = x + functional.gelu(block(x))
        return self.norm(x).mean(1)


class FixedSize(SmallConv):
    def forward(self, x):
        if x.shape[-1] != 224:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
        return super().forward(x)


class GivesMaps(SmallConv):
    def forward(self, x):
        return self.stages(self.conv1(x))


def fake_timm():
    module = ModuleType("timm")
    module.list_models = lambda: list(NAMES)

    def create_model(name, pretrained=True, **options):
        assert not pretrained, "nothing may be downloaded"
        kinds = {"small_vit": SmallVit, "fixed_size": FixedSize, "gives_maps": GivesMaps}
        return kinds.get(name, SmallConv)(**options)

    module.create_model = create_model
    return module
