"""The rendered sample."""

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from action_units.config.base import Number, Part, Settings
from action_units.labels.action_units import PRETRAIN_AUS, au_columns

SampleSeed: TypeAlias = Annotated[int, Field(ge=0, lt=2**31)]
Side: TypeAlias = Annotated[int, Field(ge=160, le=1024)]
Quality: TypeAlias = Annotated[int, Field(ge=1, le=100)]


class DisfaSampleConfig(Settings):
    """The rendered stand-in for DISFA: 27 subjects, one video each."""

    seed: SampleSeed = 1911
    """Decides everything that is drawn."""
    frames_per_subject: Annotated[int, Field(ge=24, le=4845)] = 100
    """Images in each video."""
    stride: Annotated[int, Field(ge=1, le=1000)] = 48
    """Frames of 20 per second between two images; at 48 a video of 100 images spans the four
    minutes of DISFA's, and neighbours differ."""
    width: Side = 224
    height: Side = 192
    jpeg_quality: Quality = 92
    """Of the video's frames."""
    mean_event: Annotated[Number, Field(ge=1, le=20)] = 3.0
    """Mean number of images that an expression lasts."""
    strength: Annotated[Number, Field(ge=0.1, le=2)] = 1.7
    """Factor on how far every face moves; lower is harder."""
    expressiveness: Part = 0.15
    """Spread (log) between subjects in how far a face moves at the same coded intensity."""
    occlusion: Part = 0.04
    """Share of images in which something hides part of the face."""
    distractors: Annotated[Number, Field(ge=0, le=5)] = 1.0
    """Factor on how often the uncoded AUs 7, 10, 14, 23, 28, 45 appear."""


class StudioSampleConfig(Settings):
    """A rendered studio: 12 subjects, one folder of frames each."""

    seed: SampleSeed = 1911
    """Decides everything that is drawn."""
    frames_per_subject: Annotated[int, Field(ge=24, le=9999)] = 80
    width: Side = 320
    height: Side = 240
    strength: Annotated[Number, Field(ge=0.1, le=2)] = 1.7
    """Factor on how far every face moves; lower is harder."""
    expressiveness: Part = 0.15
    """Spread (log) between subjects in how far a face moves at the same coded intensity."""
    turn: Annotated[Number, Field(ge=0, le=2)] = 1.0
    """Factor on how far the heads turn; at 1 twice as far as in the rendered DISFA."""
    occlusion: Part = 0.08
    """Share of images in which something hides AUs, which are then not scored."""
    noise: Annotated[Number, Field(ge=0, le=0.1)] = 0.02
    """Of the sensor, as a standard deviation where white is 1."""


_WEB_AUS = au_columns(PRETRAIN_AUS)


def _of_each_au(rates: dict[str, Number]) -> dict[str, Number]:
    if odd := sorted(set(rates) ^ set(_WEB_AUS)):
        state = "lacks" if odd[0] in _WEB_AUS else "names"
        raise ValueError(
            f"it {state} {odd[0]}; it must have a rate for each of {_WEB_AUS[0]} … "
            f"{_WEB_AUS[-1]}, the 18 pre-training AUs, and nothing else"
        )
    return rates


Rates: TypeAlias = Annotated[dict[str, Part], AfterValidator(_of_each_au)]


def _rates(*values: float) -> Any:
    return Field(default_factory=lambda: dict(zip(_WEB_AUS, values, strict=True)))


class LabelNoise(Settings):
    """How the rendered OpenFace errs; the rates of its errors are the same in all kinds.

    ``person``, ``picture`` and ``view`` are standard deviations of biases, in probits: the
    units in which the threshold of a normal variable with deviation 1 moves. With all three
    at 0, errors are independent of each other.
    """

    traces: bool
    """Whether the chance of a positive label rises smoothly with the true intensity, so that
    traces are often called present; false has one rate for present and one for absent AUs."""
    intensities: Literal["truth", "presence", "regressed"]
    """What the intensities know: the true ones, blurred; no more than presence does; or what a
    regressor of its own says, which shrinks rare AUs and disagrees with presence."""
    person: Annotated[Number, Field(ge=0, le=3)] = 0.0
    """The bias of a person: half from how the face looks at rest, half from nothing visible,
    partly shared by neighbouring AUs."""
    picture: Annotated[Number, Field(ge=0, le=3)] = 0.0
    """The bias of a picture that neighbouring AUs share."""
    view: Annotated[Number, Field(ge=0, le=3)] = 0.0
    """The bias from head pose and light."""
    hidden: bool = False
    """Whether AUs behind something are labelled at their overall rate, whatever they show."""


class LabelNoises(Settings):
    """The kinds of noise."""

    mild: LabelNoise = LabelNoise(traces=True, intensities="truth")
    class_conditional: LabelNoise = LabelNoise(traces=False, intensities="presence")
    picture_dependent: LabelNoise = LabelNoise(
        traces=True, intensities="regressed", person=1.0, picture=0.8, view=0.5, hidden=True
    )


class WebSampleConfig(Settings):
    """The rendered stand-in for web photographs with OpenFace's noisy labels."""

    seed: SampleSeed = 1911
    """Decides everything that is drawn."""
    photographs: Annotated[int, Field(ge=2, le=10_000_000)] = 6000
    """How many, half of them of women."""
    identities: Annotated[int, Field(ge=2, le=1_000_000)] = 2000
    """How many people; even."""
    size: Side = 192
    """Rows of a photograph; its columns vary around that."""
    jpeg_quality: Quality = 90
    turn: Annotated[Number, Field(ge=0, le=2)] = 1.0
    """Factor on head rotation (1: standard deviations of 9° yaw, 5° pitch, roll)."""
    occlusion: Part = 0.12
    """Share of photographs in which something hides part of the face."""
    strength: Annotated[Number, Field(ge=0.1, le=2)] = 1.7
    expressiveness: Part = 0.15
    sensitivity: Rates = _rates(
        0.95, 0.94, 0.84, 0.93, 0.94, 0.93, 0.90, 0.93, 0.96, 0.93, 0.93, 0.68, 0.88, 0.84,
        0.95, 0.93, 0.88, 0.92,
    )  # fmt: skip
    """By AU column, how often a clearly shown AU is labelled present."""
    false_alarms: Rates = _rates(
        0.37, 0.34, 0.03, 0.16, 0.28, 0.34, 0.08, 0.36, 0.25, 0.52, 0.36, 0.01, 0.19, 0.04,
        0.18, 0.16, 0.14, 0.12,
    )  # fmt: skip
    """By AU column, how often an absent AU is labelled present. Between intensities 0 and 2
    the chance runs smoothly from one to the other, so traces are often called present."""
    failures: Part = 0.02
    """Share of rows where OpenFace failed: ``success`` 0 and labels at random."""
    noise: Literal["mild", "class_conditional", "picture_dependent"] = "picture_dependent"
    """How OpenFace errs: one of ``noises``."""
    noises: LabelNoises = LabelNoises()

    @property
    def chosen_noise(self) -> LabelNoise:
        """The kind of noise that ``noise`` names."""
        chosen: LabelNoise = getattr(self.noises, self.noise)
        return chosen

    @model_validator(mode="after")
    def _in_pairs(self) -> Self:
        if self.identities % 2 or self.photographs % 2:
            raise ValueError(
                f"identities ({self.identities}) and photographs ({self.photographs}) must "
                "both be even, half women and half men"
            )
        if self.photographs < self.identities:
            raise ValueError(
                f"photographs is {self.photographs}, fewer than the {self.identities} "
                "identities; every identity needs at least one"
            )
        return self


class SampleSettings(Settings):
    """The rendered sample."""

    render: bool
    colour: bool
    """Whether photographs, videos and frames are in colour; their luma is that of gray ones."""
    web: WebSampleConfig
    disfa: DisfaSampleConfig
    studio: StudioSampleConfig
