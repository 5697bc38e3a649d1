"""A person: the geometry and tones that stay the same in every picture of them."""

from dataclasses import dataclass

import numpy as np

from action_units.sample.canvas import Floats

HAIR_STYLES = ("short", "receding", "bald", "fringe", "side", "long", "curly", "bun")
BEARDS = ("none", "stubble", "moustache", "goatee", "full")
GLASSES = ("none", "round", "square", "thin")


@dataclass(frozen=True)
class Identity:
    """Some forty numbers that make a face a particular person's.

    Lengths are in face units (see ``canvas``); tones are 0 (black) to 1 (white); lines
    and textures are strengths 0–1. Asymmetries are added to the picture's right side
    and taken from its left.
    """

    gender: int  # 0 woman, 1 man
    age: float  # 0 young to 1 old
    skin: float
    freckles: float
    # head
    face_width: float
    jaw_width: float
    chin_width: float
    chin_length: float
    cheeks: float
    cheek_height: float
    ears: float
    # eyes
    eye_spacing: float
    eye_length: float
    aperture: float
    eye_tilt: float
    iris_tone: float
    iris_size: float
    lid_space: float
    lashes: float
    eye_bags: float
    crow_lines: float
    # brows and forehead
    brow_height: float
    brow_slope: float
    brow_arch: float
    brow_thickness: float
    brow_tone: float
    brow_gap: float
    brow_asymmetry: float
    forehead_lines: float
    glabella_lines: float
    # nose
    nose_length: float
    nose_width: float
    nose_bridge: float
    # mouth
    mouth_height: float
    mouth_width: float
    upper_lip: float
    lower_lip: float
    lip_tone: float
    corner_rest: float
    corner_asymmetry: float
    nasolabial: float
    chin_crease: float
    dimples: float
    # hair and things worn
    hair_style: str
    hair_tone: float
    hairline: float
    beard: str
    beard_density: float
    glasses: str
    texture: tuple[int, int]


def draw_identity(rng: np.random.Generator, gender: int | None = None) -> Identity:
    """Draw a person.

    Args:
        rng: Its state alone decides who it is.
        gender: 0 for a woman, 1 for a man, or drawn evenly.

    Returns:
        The person; men have on average heavier brows and jaws, thinner lips and,
        some of them, beards; women on average darker lashes, redder lips, longer hair.
    """

    def normal(mean: float, spread: float, low: float, high: float) -> float:
        return min(max(rng.normal(mean, spread), low), high)

    drawn = int(rng.integers(2))
    man = drawn if gender is None else gender
    age = float(rng.beta(1.4, 2.2))
    skin = normal(0.62, 0.15, 0.33, 0.88)
    hair = _hair_tone(rng, skin, age)
    lined = 0.15 + 0.85 * age  # how deep the lines of an average face of this age are
    return Identity(
        gender=man,
        age=age,
        skin=skin,
        freckles=float(max(0.0, rng.normal(0.0, 0.35))),
        face_width=normal(0.83 + 0.01 * man, 0.035, 0.74, 0.92),
        jaw_width=normal(0.95 + 0.06 * man, 0.05, 0.82, 1.12),
        chin_width=normal(0.95 + 0.15 * man, 0.13, 0.65, 1.4),
        chin_length=normal(1.13 + 0.03 * man, 0.04, 1.04, 1.24),
        cheeks=normal(0.5, 0.2, 0.1, 1.0),
        cheek_height=normal(0.33, 0.03, 0.26, 0.40),
        ears=normal(0.5, 0.2, 0.0, 1.0),
        eye_spacing=normal(0.345, 0.014, 0.315, 0.38),
        eye_length=normal(0.175 - 0.004 * man, 0.010, 0.15, 0.20),
        aperture=normal(1.0 - 0.04 * man, 0.17, 0.62, 1.4),
        eye_tilt=normal(0.010, 0.018, -0.03, 0.05),
        iris_tone=normal(0.20, 0.10, 0.08, 0.48),
        iris_size=normal(0.088, 0.005, 0.078, 0.10),
        lid_space=normal(0.040, 0.014, 0.008, 0.075),
        lashes=normal(0.75 - 0.3 * man, 0.15, 0.25, 1.0),
        eye_bags=float(rng.uniform(0.0, 0.7) * lined),
        crow_lines=float(rng.uniform(0.0, 0.7) * lined * rng.integers(2)),
        brow_height=normal(-0.245 + 0.015 * man, 0.026, -0.32, -0.18),
        brow_slope=normal(0.010, 0.024, -0.045, 0.06),
        brow_arch=normal(0.048 - 0.015 * man, 0.018, 0.0, 0.10),
        brow_thickness=normal(0.036 + 0.012 * man, 0.010, 0.018, 0.070),
        brow_tone=float(np.clip(hair * rng.uniform(0.55, 1.0), 0.05, 0.55)),
        brow_gap=normal(0.135 - 0.01 * man, 0.018, 0.085, 0.19),
        brow_asymmetry=normal(0.0, 0.010, -0.025, 0.025),
        forehead_lines=float(rng.uniform(0.0, 0.75) * lined * (rng.random() < 0.6)),
        glabella_lines=float(rng.uniform(0.0, 0.75) * lined * (rng.random() < 0.5)),
        nose_length=normal(0.46 + 0.01 * man, 0.028, 0.39, 0.54),
        nose_width=normal(0.145 + 0.010 * man, 0.016, 0.11, 0.20),
        nose_bridge=normal(0.5, 0.2, 0.1, 1.0),
        mouth_height=normal(0.755, 0.020, 0.70, 0.81),
        mouth_width=normal(0.275 + 0.01 * man, 0.024, 0.21, 0.34),
        upper_lip=normal(0.046 - 0.008 * man, 0.011, 0.018, 0.075),
        lower_lip=normal(0.064 - 0.008 * man, 0.012, 0.030, 0.10),
        lip_tone=normal(0.70 + 0.10 * man, 0.09, 0.42, 0.95),
        corner_rest=normal(0.0, 0.022, -0.05, 0.05),
        corner_asymmetry=normal(0.0, 0.008, -0.02, 0.02),
        nasolabial=float(rng.uniform(0.05, 0.75) * lined),
        chin_crease=float(rng.uniform(0.1, 0.8)),
        dimples=float(rng.uniform(0.0, 0.5) * (rng.random() < 0.25)),
        hair_style=str(rng.choice(HAIR_STYLES, p=_hair_odds(man, age))),
        hair_tone=hair,
        hairline=normal(-0.66, 0.05, -0.80, -0.55),
        beard=str(rng.choice(BEARDS, p=[0.55, 0.18, 0.08, 0.08, 0.11])) if man else "none",
        beard_density=float(rng.uniform(0.35, 0.95)),
        glasses=str(rng.choice(GLASSES, p=[0.80, 0.07, 0.07, 0.06])),
        texture=(int(rng.integers(256)), int(rng.integers(256))),
    )


def draw_gain(rng: np.random.Generator, spread: float, aus: int = 18) -> Floats:
    """A person's expressiveness: a common factor and one of each AU, (aus,)."""
    common = rng.normal(0.0, 0.7 * spread)
    gain: Floats = np.exp(np.clip(common + rng.normal(0.0, spread, aus), -0.45, 0.35))
    return gain


def _hair_tone(rng: np.random.Generator, skin: float, age: float) -> float:
    grey = rng.random() < 0.8 * max(0.0, age - 0.45) / 0.55
    if grey:
        return float(rng.uniform(0.55, 0.88))
    fair = rng.random() < (0.35 if skin > 0.6 else 0.03)
    return float(rng.uniform(0.35, 0.65) if fair else rng.uniform(0.06, 0.28))


def _hair_odds(man: int, age: float) -> list[float]:
    """Chances of the HAIR_STYLES, in their order."""
    if not man:
        return [0.10, 0.01, 0.00, 0.16, 0.20, 0.29, 0.12, 0.12]
    bare = 0.10 + 0.30 * age
    rest = 1.0 - bare
    return [0.50 * rest, 0.6 * bare, 0.4 * bare, 0.12 * rest, 0.20 * rest, 0.06 * rest,
            0.12 * rest, 0.0]  # fmt: skip
