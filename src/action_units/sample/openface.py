"""What OpenFace makes of rendered pictures: its errors, and its table.

The chance of a positive label is known for each true intensity. Biases move it, but its mean
over them stays, so the rates of errors are the same in every kind of noise, and only which
labels err together differs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from action_units.config import WebSampleConfig
from action_units.labels.action_units import PRETRAIN_AUS, AUSet, au_column, au_columns
from action_units.sample.canvas import Floats
from action_units.sample.identity import Identity
from action_units.sample.view import OCCLUDERS, View

PRESENT_FROM = 1.5
"""True intensity from which a coder's rounded label is 2, so the AU is present."""

GROUPS: tuple[AUSet, ...] = (
    (1, 2, 4), (5, 7, 45), (6, 12, 14), (9, 10), (15, 17, 28), (20, 23), (25, 26)
)  # fmt: skip
"""Neighbouring AUs, whose errors go together."""

HIDDEN_BY: dict[str, AUSet] = {
    "hand": (10, 12, 14, 15, 17, 20, 23, 25, 26, 28),
    "finger": (10, 12, 14, 15, 17, 20, 23, 28),
    "microphone": (15, 17, 20, 23, 25, 26, 28),
    "strand": (1, 2, 4),
}
"""The AUs that an occluder hides."""

# What a face at rest looks like to a classifier that does not know the person: the feature,
# and the sign with which it looks like the AU. Heights grow downwards.
_LOOKS: dict[int, dict[str, int]] = {
    1: {"brow_height": -1, "forehead_lines": 1},
    2: {"brow_height": -1, "brow_arch": 1},
    4: {"brow_height": 1, "glabella_lines": 1, "brow_thickness": 1},
    5: {"aperture": 1, "lid_space": 1},
    6: {"crow_lines": 1, "cheeks": 1, "eye_bags": 1},
    7: {"aperture": -1, "eye_bags": 1},
    9: {"nasolabial": 1, "nose_width": 1},
    10: {"nasolabial": 1, "upper_lip": -1},
    12: {"corner_rest": -1, "nasolabial": 1, "mouth_width": 1},
    14: {"dimples": 1, "nasolabial": 1},
    15: {"corner_rest": 1, "age": 1},
    17: {"chin_crease": 1, "chin_length": -1},
    20: {"mouth_width": 1, "upper_lip": -1},
    23: {"upper_lip": -1, "lower_lip": -1},
    25: {"lower_lip": 1, "upper_lip": 1},
    26: {"chin_length": 1, "lower_lip": 1},
    28: {"upper_lip": -1, "beard_density": 1},
    45: {"aperture": -1, "lid_space": -1},
}

_FEATURES = sorted({name for signs in _LOOKS.values() for name in signs})
_AT_REST = np.array([[_LOOKS[au].get(name, 0) for au in PRETRAIN_AUS] for name in _FEATURES])

# The signs with which yaw, pitch (up) and uneven light look like each AU.
_SEEN: dict[int, tuple[int, int, int]] = {
    1: (0, 1, 0), 2: (0, 1, 0), 4: (0, -1, 1), 5: (0, 1, 0), 6: (1, 0, 1), 7: (0, -1, 1),
    9: (1, 0, 1), 10: (1, 0, 1), 12: (1, 1, 0), 14: (1, 0, 1), 15: (0, -1, 0),
    17: (0, -1, 1), 20: (1, 0, 0), 23: (1, 0, 0), 25: (0, 1, 0), 26: (0, 1, 0),
    28: (0, -1, 0), 45: (0, -1, 1),
}  # fmt: skip
_BY_VIEW = np.array([_SEEN[au] for au in PRETRAIN_AUS]).T  # (3, 18)

_ROW, _LATENT, _PICTURE, _INTENSITY = 23, 25, 26, 27  # streams of random numbers


@dataclass(frozen=True)
class Scene:
    """What OpenFace is shown.

    Attributes:
        truth: True intensities, (N, 18), 0–5.
        people: The person of each photograph, (N,), as the number of one of ``identities``.
        identities: Everyone's face.
        views: Pose, light and occluder of each photograph.
    """

    truth: Floats
    people: npt.NDArray[np.int64]
    identities: Sequence[Identity]
    views: Sequence[View]


@dataclass(frozen=True)
class Annotation:
    """What OpenFace says of N photographs.

    Attributes:
        present: Bool (N, 18).
        intensity: (N, 18), 0–5.
        confidence: (N,), 0–1.
        success: Bool (N,), whether it found the face; labels are at random where not.
    """

    present: npt.NDArray[np.bool_]
    intensity: Floats
    confidence: Floats
    success: npt.NDArray[np.bool_]


def annotate(
    scene: Scene, config: WebSampleConfig, reference: Scene | None = None, stream: int = 0
) -> Annotation:
    """What OpenFace says, with the kind of noise that ``config.noise`` names.

    Args:
        scene: What it is shown.
        config: Its rates and its kind of noise.
        reference: The photographs that it was fitted to: its rates are means over them, and
            it compares faces, poses and light with theirs; ``scene`` itself if None.
        stream: Another number for each scene, so that its errors are its own.
    """
    reference = reference or scene
    noise, truth = config.chosen_noise, scene.truth
    bias = label_bias(scene, config, reference, stream)  # (N, 18)
    chance = positive_chance(truth, config, reference.truth)
    if noise.hidden:
        overall = positive_chance(reference.truth, config, reference.truth).mean(axis=0)
        chance = np.where(hidden_aus(scene.views), overall, chance)
    variance = noise.person**2 + noise.picture**2 + noise.view**2
    if variance:
        chance = biased_chance(chance, bias, variance)
    drawn, blur = np.empty(truth.shape), np.empty(truth.shape)
    success, confidence = np.empty(len(truth), bool), np.empty(len(truth))
    for index in range(len(truth)):
        rng = np.random.default_rng([config.seed, _ROW, index, stream])
        success[index] = found = rng.random() >= config.failures
        drawn[index] = rng.random(18)
        blur[index] = rng.normal(0.0, 0.35, 18)
        confidence[index] = (
            0.98 - 0.12 * rng.beta(1.0, 6.0) if found else rng.uniform(0.02, 0.6)
        )
    present = drawn < np.where(success[:, None], chance, 0.5)
    intensity = np.where(present, 0.6 + 0.55 * truth, 0.30 * truth) + blur
    if noise.intensities != "truth":
        rng = np.random.default_rng([config.seed, _INTENSITY, stream])
        if noise.intensities == "presence":
            intensity = np.where(present, 1.8, 0.4) + rng.normal(0.0, 0.5, truth.shape)
        else:
            intensity = _regressed(rng, scene, bias, reference.truth)
    return Annotation(present, np.clip(intensity, 0.0, 5.0), confidence, success)


def positive_chance(truth: Floats, config: WebSampleConfig, reference: Floats) -> Floats:
    """The chance that OpenFace calls each AU present, (N, 18) from true intensities.

    It runs from the false-alarm rate at intensity 0 to the sensitivity at 2, smoothly: many
    traces are called present that a coder does not count, on top of the errors on faces that
    show nothing. Without ``traces`` it is the mean of that over the photographs of the
    reference, (M, 18), that show the AU, or do not.
    """
    chance = _smooth_chance(truth, config)
    if config.chosen_noise.traces:
        return chance
    expected = _smooth_chance(reference, config)
    of_present, of_absent = (
        (expected * shown).sum(axis=0) / np.maximum(shown.sum(axis=0), 1)
        for shown in (reference >= PRESENT_FROM, reference < PRESENT_FROM)
    )
    by_class: Floats = np.where(truth >= PRESENT_FROM, of_present, of_absent)
    return by_class


def _smooth_chance(truth: Floats, config: WebSampleConfig) -> Floats:
    sensitivity = np.array([config.sensitivity[c] for c in au_columns(PRETRAIN_AUS)])
    false_alarm = np.array([config.false_alarms[c] for c in au_columns(PRETRAIN_AUS)])
    t = np.clip(truth / 2.0, 0.0, 1.0)
    chance: Floats = false_alarm + (sensitivity - false_alarm) * t * t * (3.0 - 2.0 * t)
    return chance


def biased_chance(chance: Floats, bias: Floats, variance: float) -> Floats:
    """The chance c where OpenFace leans by u: Phi(sqrt(1 + v) Phi^-1(c) + u).

    Its mean over a normal u of mean 0 and variance v is c: Phi(x) is the chance that a standard
    normal e is below x, and e - u has the variance 1 + v.
    """
    moved: Floats = ndtr(np.sqrt(1.0 + variance) * ndtri(chance) + bias)
    return moved


def label_bias(
    scene: Scene, config: WebSampleConfig, reference: Scene, stream: int = 0
) -> Floats:
    """How far OpenFace leans towards each AU in each photograph, (N, 18) in probits."""
    noise, n = config.chosen_noise, len(scene.truth)

    def shared(number: int, rows: int) -> Floats:
        return _shared(np.random.default_rng([config.seed, number, stream]), rows)

    latent = shared(_LATENT, len(scene.identities))  # (P, 18)
    looks = _likeness(_faces(scene.identities), _faces(reference.identities), _AT_REST)
    seen = _likeness(_conditions(scene.views), _conditions(reference.views), _BY_VIEW)
    bias: Floats = noise.person * (np.sqrt(0.5) * (looks + latent))[scene.people]
    bias += noise.picture * shared(_PICTURE, n)
    bias += noise.view * seen
    return bias


def hidden_aus(views: Sequence[View]) -> npt.NDArray[np.bool_]:
    """Which AUs something hides in each photograph, (N, 18)."""
    hides = [[au in HIDDEN_BY.get(name, ()) for au in PRETRAIN_AUS] for name in OCCLUDERS]
    return np.array(hides)[[OCCLUDERS.index(view.occluder) for view in views]]


def _shared(rng: np.random.Generator, n: int) -> Floats:
    """Standard normal (n, 18) of which neighbouring AUs share half the variance."""
    own = rng.normal(size=(n, len(PRETRAIN_AUS)))
    of_group = rng.normal(size=(n, len(GROUPS)))
    group = [next(g for g, aus in enumerate(GROUPS) if au in aus) for au in PRETRAIN_AUS]
    both: Floats = np.sqrt(0.5) * (own + of_group[:, group])
    return both


def _faces(identities: Sequence[Identity]) -> Floats:
    """What of each face at rest can look like an AU, (P, features)."""
    return np.array([[getattr(who, name) for name in _FEATURES] for who in identities])


def _conditions(views: Sequence[View]) -> Floats:
    """What of each view can look like an AU, (N, 3)."""
    return np.array([[abs(v.pose.yaw), v.pose.pitch, v.uneven] for v in views])


def _likeness(features: Floats, reference: Floats, signs: npt.NDArray[np.int64]) -> Floats:
    """How much features look like each AU, standardised by those of the reference.

    Args:
        features: (n, F).
        reference: (m, F).
        signs: With which each feature looks like each AU, (F, 18).
    """
    seen, usual = (_standard(values, reference) @ signs for values in (features, reference))
    return _standard(seen, usual)


def _standard(values: Floats, reference: Floats) -> Floats:
    """Columns in deviations from the reference's mean; zeros where that does not vary."""
    spread = reference.std(axis=0)
    varies = spread > 1e-12
    return np.where(varies, (values - reference.mean(axis=0)) / np.where(varies, spread, 1), 0)


def _regressed(
    rng: np.random.Generator, scene: Scene, bias: Floats, reference: Floats
) -> Floats:
    """Intensities of a regressor of its own, (N, 18), fitted to true ones (M, 18)."""
    # It is trained to the mean, so the rarer an AU, the more it is shrunk.
    slope = np.sqrt((reference >= PRESENT_FROM).mean(axis=0)).clip(0.2, 0.7)
    error = 0.45 * bias + 0.6 * _shared(rng, len(bias)) + rng.normal(0.0, 0.5, bias.shape)
    seen = np.where(hidden_aus(scene.views), reference.mean(axis=0), scene.truth)
    intensity: Floats = 0.25 + slope * seen + error
    return intensity


def openface_csv(said: Annotation, **first: Sequence[object]) -> str:
    """The annotations as OpenFace writes them: padded headers, ``_r`` and ``_c`` columns.

    Args:
        said: What it says.
        first: The columns before its confidence, by name.
    """
    columns = [*first, "confidence", "success"]
    columns += [f"{au_column(au)}_r" for au in PRETRAIN_AUS if au != 28]
    columns += [f"{au_column(au)}_c" for au in PRETRAIN_AUS]
    lines = [", ".join(columns)]
    estimated = [k for k, au in enumerate(PRETRAIN_AUS) if au != 28]
    for index, row in enumerate(zip(*first.values(), strict=True)):
        cells = [str(value) for value in row]
        cells += [f"{said.confidence[index]:.3f}", str(int(said.success[index]))]
        cells += [f"{said.intensity[index, k]:.2f}" for k in estimated]
        cells += [str(int(value)) for value in said.present[index]]
        lines.append(", ".join(cells))
    return "\n".join(lines) + "\n"
