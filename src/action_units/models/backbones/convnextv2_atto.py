"""ConvNeXt V2 of the size atto; 3.39 M parameters at width 1."""

from action_units.models.convnextv2 import ConvNeXtV2


class Atto(ConvNeXtV2):
    """The authors' size of this name."""

    CHANNELS = (40, 80, 160, 320)
    DEPTHS = (2, 2, 6, 2)


BACKBONE = Atto
