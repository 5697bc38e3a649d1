"""What a network is made of, as plain options."""

from dataclasses import dataclass
from typing import Literal

from action_units.errors import ConfigurationError
from action_units.models.options import Options, option

Architecture = Literal["residual", "vgg13", "convnext", "timm"]
Normalisation = Literal["batch", "layer", "none"]

_OWN_NORM: dict[Architecture, Normalisation] = {
    "residual": "batch",
    "vgg13": "none",
    "convnext": "layer",
    "timm": "none",
}


@dataclass(frozen=True)
class NetworkSpec(Options):
    """A network, named by its architecture and sized by a few numbers."""

    architecture: Architecture = option(
        "residual", "Which backbone to build; timm takes any of that library's."
    )
    width: float = option(1.0, "Multiplies the channels of every layer.", above=0, high=8)
    normalisation: Literal["default", "batch", "layer", "none"] = option(
        "default",
        "Normalisation of maps, by batch or by layer (over the channels of each pixel); the "
        "default is the architecture's own: batch for residual, layer for convnext, none for "
        "vgg13.",
    )
    dropout: float = option(
        1.0,
        "Multiplies the architecture's dropout rates (vgg13: 0.25 after a block, 0.5 after a "
        "fully connected layer; the others: 0.2 before the head); 0 turns dropout off.",
        low=0,
        high=1.9,
    )
    image_size: int = option(64, "Side of the square input, in pixels.", low=16, high=512)
    channels: Literal[1, 3] = option(
        1, "Channels of the input; 3 repeats the grey, as networks made for colour need it."
    )
    timm_model: str | None = option(
        None, "timm: the model's name there, such as resnet18 or vit_tiny_patch16_224."
    )

    def __post_init__(self) -> None:
        """Check what the options say together."""
        super().__post_init__()
        if self.architecture == "timm":
            self._check_timm()
        elif self.timm_model is not None:
            raise ConfigurationError(
                f"NetworkSpec option 'timm_model' is {self.timm_model!r} and 'architecture' is "
                f"{self.architecture}; say architecture: timm, or leave the name out."
            )
        elif self.image_size % 16:
            raise ConfigurationError(
                f"NetworkSpec option 'image_size' is {self.image_size}; the network halves it "
                "four times, so it must be a multiple of 16, such as 48, 64 or 112."
            )

    def _check_timm(self) -> None:
        for name, value, only in (
            ("width", self.width, 1.0),
            ("normalisation", self.normalisation, "default"),
        ):
            if value != only:
                raise ConfigurationError(
                    f"NetworkSpec option '{name}' is {value}; a timm model has its own, so "
                    f"leave it {only} and choose another timm_model."
                )
        from action_units.models.backbones.timm import check_timm_model

        check_timm_model(self.timm_model)

    @property
    def norm(self) -> Normalisation:
        """How maps are normalised."""
        if self.normalisation == "default":
            return _OWN_NORM[self.architecture]
        return self.normalisation

    def scaled(self, channels: int) -> int:
        """A layer's channels at this width: a multiple of 8, at least 8."""
        return max(8, round(channels * self.width / 8) * 8)
