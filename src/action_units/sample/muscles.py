"""What the action units do to a person's face: positions and line strengths by side.

Every number that differs between the two halves of the face is an array (2,): the
picture's left, then its right. Displacements are those that FACS describes for each
AU, in face units at full intensity, drawn somewhat larger than life because the
pictures are small.
"""

from dataclasses import dataclass

import numpy as np

from action_units.labels.action_units import PRETRAIN_AUS, AUSet
from action_units.sample.canvas import Floats
from action_units.sample.identity import Identity

RENDERED_AUS: AUSet = (*PRETRAIN_AUS, 24)
"""The AUs that can be drawn, in the order of the renderer's intensities."""

_SIDES = np.array([-1.0, 1.0])


@dataclass(frozen=True)
class FaceShape:
    """A face at one moment; AU strengths ``au`` are 0–1 by side."""

    au: dict[int, Floats]  # each (2,)
    brow_inner: Floats  # v of the brow's inner end, (2,), and so on
    brow_middle: Floats
    brow_outer: Floats
    brow_gap: Floats  # |u| of the inner end
    upper_lid: Floats  # height of the upper lid over the eye's axis
    lower_lid: Floats  # depth of the lower lid under it
    closed: Floats  # 0 open, 1 shut
    lid_fold: Floats  # distance of the upper lid's fold from the lid
    cheek_v: Floats
    cheek_height: Floats
    corner_u: Floats  # |u| of the mouth corner
    corner_v: Floats
    mouth_v: float  # where the lips meet, in the middle
    upper_lip: float  # visible red, in the middle
    lower_lip: float
    lip_rise: float  # how far the upper lip's edge is drawn up, in the middle
    gap_up: float  # how far the lips are parted, above and below the line
    gap_down: float
    rolled: float  # 0–1, how far the lips are rolled in
    pressed: float  # 0–1, how hard they press on each other
    jaw_drop: float
    chin_v: float
    chin_boss: float
    wing_rise: Floats  # the nose's wings drawn up


def face_shape(who: Identity, intensities: Floats, asymmetry: Floats) -> FaceShape:
    """Move a person's resting face by the action units.

    Args:
        who: The person.
        intensities: (n,) for the first n of RENDERED_AUS, each 0–5; the others are 0.
        asymmetry: (n,) likewise, see ``View``.
    """
    level = _of_all(intensities)[:, None] / 5.0
    sides = np.clip(level * (1.0 + _of_all(asymmetry)[:, None] * _SIDES), 0.0, 1.2)  # (19, 2)
    a = {au: sides[k] for k, au in enumerate(RENDERED_AUS)}
    mean = {au: float(strength[0] + strength[1]) / 2 for au, strength in a.items()}

    tilt = who.brow_asymmetry * _SIDES
    inner = who.brow_height + who.brow_slope + tilt
    middle = who.brow_height - who.brow_arch + tilt
    outer = who.brow_height + 0.035 - 0.4 * who.brow_slope + tilt
    inner = inner - 0.130 * a[1] - 0.020 * a[2] + 0.105 * a[4] + 0.045 * a[9]
    middle = middle - 0.045 * a[1] - 0.110 * a[2] + 0.085 * a[4] + 0.025 * a[9] + 0.012 * a[6]
    outer = outer + 0.010 * a[1] - 0.138 * a[2] + 0.030 * a[4] + 0.018 * a[6]

    blink = 1.0 - (1.0 - np.minimum(1.0, a[45])) ** 2
    upper = 0.076 * who.aperture + 0.072 * a[5] - 0.030 * a[7] - 0.016 * a[6] - 0.018 * a[4]
    lower = 0.058 * who.aperture + 0.012 * a[5] - 0.052 * a[7] - 0.030 * a[6] - 0.022 * a[9]
    lower = lower - 0.010 * a[12]
    upper, lower = np.maximum(upper, 0.016), np.maximum(lower, 0.004)

    drop = mean[26]
    stretch = 0.105 * a[12] + 0.145 * a[20] - 0.055 * a[23] - 0.022 * a[14] - 0.030 * a[28]
    corner_u = who.mouth_width + stretch - 0.035 * drop - 0.012 * a[17]
    resting = (who.corner_rest + who.corner_asymmetry * _SIDES) * (1.0 - 0.8 * a[24])
    corner_v = (
        who.mouth_height + resting + 0.055 * drop
        - 0.130 * a[12] + 0.125 * a[15] + 0.020 * a[20] - 0.020 * a[14] + 0.012 * a[10]
    )  # fmt: skip
    # FACS codes 25 whenever the lips part, so a jaw that drops alone keeps them together.
    parted = mean[25]
    thin = 1.0 - 0.34 * mean[12] - 0.38 * mean[20] - 0.62 * mean[23] - 0.10 * mean[15]
    thin = thin - 0.45 * mean[24]
    mouth_v = who.mouth_height + 0.095 * drop - 0.050 * mean[17] + 0.012 * mean[12]
    gap_down = parted * (0.080 + 0.125 * drop) + 0.026 * drop
    return FaceShape(
        au=a,
        brow_inner=inner,
        brow_middle=middle,
        brow_outer=outer,
        brow_gap=who.brow_gap - 0.050 * a[4] - 0.012 * a[9],
        upper_lid=upper,
        lower_lid=lower,
        closed=blink,
        lid_fold=np.maximum(
            0.006, who.lid_space + 0.030 * a[2] + 0.015 * a[1] - 0.035 * a[4] - 0.030 * a[5]
        )
        + 0.020 * blink,
        cheek_v=who.cheek_height - 0.085 * a[6] - 0.030 * a[12] - 0.020 * a[9],
        cheek_height=0.035 + 0.030 * who.cheeks + 0.052 * a[6] + 0.028 * a[12] + 0.012 * a[10],
        corner_u=corner_u,
        corner_v=corner_v,
        mouth_v=mouth_v,
        upper_lip=who.upper_lip * max(0.12, thin) * (1.0 + 0.25 * mean[10]),
        lower_lip=who.lower_lip * max(0.15, thin) * (1.0 + 0.30 * mean[17]),
        lip_rise=0.062 * mean[10] + 0.034 * mean[9] + 0.010 * mean[12],
        gap_up=parted * (0.034 + 0.010 * drop),
        gap_down=gap_down,
        rolled=min(1.0, 1.3 * mean[28]),
        pressed=min(1.0, mean[24]),
        jaw_drop=0.210 * drop + 0.020 * parted,
        chin_v=who.chin_length + 0.210 * drop - 0.030 * mean[17],
        chin_boss=0.035 + 0.075 * mean[17],
        wing_rise=0.055 * a[9] + 0.022 * a[10],
    )


def _of_all(values: Floats) -> Floats:
    """Values of the first RENDERED_AUS, followed by zeros for the others, (19,)."""
    padded = np.zeros(len(RENDERED_AUS))
    padded[: len(values)] = values
    return padded
