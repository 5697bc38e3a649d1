"""ConvNeXt V2 of the size tiny; 27.87 M parameters at width 1."""

from action_units.models.convnextv2 import ConvNeXtV2


class Tiny(ConvNeXtV2):
    """The authors' size of this name."""

    CHANNELS = (96, 192, 384, 768)
    DEPTHS = (3, 3, 9, 3)


BACKBONE = Tiny
