"""What a network is made of, as plain options."""

from dataclasses import dataclass
from typing import Literal

from action_units.errors import ConfigurationError
from action_units.models.options import Options, option

Architecture = Literal["residual", "vgg13"]


@dataclass(frozen=True)
class NetworkSpec(Options):
    """A network, named by its architecture and sized by a few numbers."""

    architecture: Architecture = option("residual", "Which backbone to build.")
    width: float = option(1.0, "Multiplies the channels of every layer.", above=0, high=8)
    normalisation: Literal["default", "batch", "none"] = option(
        "default",
        "Batch normalisation after each convolution; the default is the architecture's own: "
        "batch for residual, none for vgg13.",
    )
    dropout: float = option(
        1.0,
        "Multiplies the architecture's dropout rates (vgg13: 0.25 after a block, 0.5 after a "
        "fully connected layer; residual: 0.2 before the head); 0 turns dropout off.",
        low=0,
        high=1.9,
    )
    image_size: int = option(64, "Side of the square input, in pixels.", low=16, high=512)
    channels: int = option(1, "Colour channels of the input.", low=1, high=4)

    def __post_init__(self) -> None:
        """Check what the options say together."""
        super().__post_init__()
        if self.image_size % 16:
            raise ConfigurationError(
                f"NetworkSpec option 'image_size' is {self.image_size}; the network halves it "
                "four times, so it must be a multiple of 16, such as 48, 64 or 112."
            )

    @property
    def batch_normalisation(self) -> bool:
        """Whether convolutions are followed by batch normalisation."""
        if self.normalisation == "default":
            return self.architecture == "residual"
        return self.normalisation == "batch"

    def scaled(self, channels: int) -> int:
        """A layer's channels at this width: a multiple of 8, at least 8."""
        return max(8, round(channels * self.width / 8) * 8)
