"""ConvNeXt V2 of the size nano; 14.98 M parameters at width 1."""

from action_units.models.convnextv2 import ConvNeXtV2


class Nano(ConvNeXtV2):
    """The authors' size of this name."""

    CHANNELS = (80, 160, 320, 640)
    DEPTHS = (2, 2, 8, 2)


BACKBONE = Nano
