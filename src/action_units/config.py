"""The parameters of a run: what each may be, checked as a whole before anything is done.

Each group of ``conf/base/parameters*.yml`` is a class here and each parameter a field with
its type and range; a new parameter is one line in both. Nothing is converted: ``yes`` is
no ``true``, 3.0 no whole number, and a number no text. What a wrong one is told with is
made from its type. Recipes have a declaration of their own (``models.options``).
"""

import types
from collections.abc import Mapping
from difflib import get_close_matches
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Self,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from action_units.errors import ConfigurationError
from action_units.labels.action_units import PRETRAIN_AUS, au_columns
from action_units.labels.exclusions import parse_exclusions

Number: TypeAlias = int | float  # stays what it was, so that files say what a person wrote
Count: TypeAlias = Annotated[int, Field(ge=1, lt=2**31)]
Part: TypeAlias = Annotated[Number, Field(ge=0, le=1)]
PartBetween: TypeAlias = Annotated[Number, Field(gt=0, lt=1)]
Seed: TypeAlias = Annotated[int, Field(ge=0, lt=2**63)]
PathText: TypeAlias = Annotated[
    str, Field(min_length=1, description="a path as text (./7 where its name is a number)")
]

Protocol = Literal["fg2020", "standard"]
Precision = Literal["auto", "fp32", "tf32", "bf16"]
Compilation = Literal["none", "default", "reduce-overhead", "max-autotune"]
"""``none``, or a mode of ``torch.compile``; ``reduce-overhead`` records CUDA graphs."""
InMemory = Literal["auto", "always", "blocks"]
PostprocessingOption = Literal[
    "raw",
    "temperature",
    "isotonic",
    "smoothing",
    "smoothing + temperature",
    "smoothing + isotonic",
]
FacesMode = Literal["all", "one"]
DetectorName = Literal["yunet", "ssd"]

# What else lies where a run's folders and where a data set's folders are.
RESERVED_RUNS = frozenset({"checkpoints", "comparisons", "quarantine"})
RESERVED_DATA = frozenset({"disfa", "fine_tune_images", "pre_train_images", "web"})
_NAME = "text of 1 to 64 letters, digits, points and hyphens that begins and ends with a letter"
_NAME += " or digit, and no number alone"


def _free_run(name: str) -> str:
    return _not_reserved(name, RESERVED_RUNS)


def _free_data(name: str) -> str:
    return _not_reserved(name, RESERVED_DATA)


def _not_reserved(name: str, reserved: frozenset[str]) -> str:
    if name.lower() in reserved:
        raise ValueError(f"{name!r} is the name of a folder of the project; choose another")
    return name


_PLAIN_NAME: Any = Field(
    pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$", description=_NAME
)
RunName: TypeAlias = Annotated[str, _PLAIN_NAME, AfterValidator(_free_run)]
DataName: TypeAlias = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$",
        description=_NAME.replace("points and hyphens", "points, hyphens and underscores"),
    ),
    AfterValidator(_free_data),
]


class Settings(BaseModel):
    """Base of the groups; one that is built is right."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=()
    )

    def __init__(self, **values: Any) -> None:
        """Build from Python; raises ConfigurationError as ``read``."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigurationError(_sentence(type(self), error, values, "")) from None

    # Tells pydantic that groups within groups need not be built by way of it.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def read(cls, values: Any, place: str = "") -> Self:
        """Build from plain values as they stand in a YAML file.

        Args:
            values: By name.
            place: The full name of this group, such as ``preprocess.crop``.

        Raises:
            ConfigurationError: One is unknown, missing, of another type or out of its range;
                names it in full.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigurationError(_sentence(cls, error, values, place)) from None


class DetectorSettings(Settings):
    """How faces are looked for.

    Attributes:
        name: ``yunet`` (Wu, Peng & Yu 2023), or ``ssd``, the paper's ResNet-10 SSD,
            which finds no landmarks.
        model: The network's file, for the SSD the one that ends in ``.caffemodel``,
            with ``deploy.prototxt`` beside it; None takes the installed package's.
        score: Faces below this confidence are not faces; None takes 0.8 for YuNet
            and the paper's 0.5 for the SSD.
        longest_side: Larger pictures are made smaller to it, in pixels, before the
            search; boxes come back in the picture's own pixels.
        choose: Of several faces, the ``largest``, the most ``central`` or the
            ``surest``.
        overhang: Only for the SSD: how far a box may pass an edge of the picture, in
            parts of its own size. Boxes that pass it further are dropped.
    """

    name: DetectorName = "yunet"
    model: PathText | None = None
    score: PartBetween | None = None
    longest_side: Annotated[int, Field(ge=64, le=16384)] = 640
    choose: Literal["largest", "central", "surest"] = "largest"
    overhang: Part = 0.1

    @property
    def lowest_score(self) -> float:
        """The score that a face must have, given or the detector's own."""
        return {"yunet": 0.8, "ssd": 0.5}[self.name] if self.score is None else self.score

    @property
    def has_landmarks(self) -> bool:
        """Whether faces come with eyes, nose and mouth."""
        return self.name == "yunet"


class CropSettings(Settings):
    """How faces are cut out.

    Attributes:
        margin: Grows the detector's box on each side, in parts of its size.
        max_size: Larger crops are made smaller to it, in pixels; None keeps them.
        align: ``eyes`` turns the crop until the eyes are level; ``none`` does not.
        suffix: ``.jpg`` or ``.png``.
        quality: Of JPEG, 1 to 100.
    """

    margin: Annotated[Number, Field(ge=0, le=2)] = 0.1
    max_size: Count | None = 300
    align: Literal["none", "eyes"] = "none"
    suffix: Literal[".jpg", ".png"] = ".jpg"
    quality: Annotated[int, Field(ge=1, le=100)] = 95


class OpenFaceSettings(Settings):
    """OpenFace's own program."""

    binary: PathText | None
    arguments: list[str]


class FaceSampleSettings(Settings):
    """Which web faces are trained on; see ``labels.sampling.sample_faces``."""

    n: Count | None
    per_identity: Count | None
    identities: Count | None
    even_gender: bool


class WebSettings(Settings):
    """Labels and people of web photographs."""

    min_confidence: Part
    present_from: Annotated[Number, Field(gt=0, le=5)]
    held_out: PartBetween
    sample: FaceSampleSettings


def _exclusions(entries: list[Any]) -> list[Any]:
    try:
        parse_exclusions(entries)
    except ConfigurationError as error:
        raise ValueError(str(error).removesuffix(".")) from error
    return entries


class DisfaSettings(Settings):
    """DISFA's recordings."""

    camera: Literal["Right", "Left"]
    first_frame: Annotated[int, Field(ge=0, le=1)] | None
    frame_count_tolerance: Annotated[int, Field(ge=0, le=100)]
    exclude: Annotated[list[Any], AfterValidator(_exclusions)] | None


class PreprocessSettings(Settings):
    """From raw data to crops and labels."""

    start_from: Literal["raw", "crops"]
    detector: DetectorSettings
    crop: CropSettings
    max_megapixels: Annotated[Number, Field(gt=0, le=1_000_000)] | None
    openface: OpenFaceSettings
    web: WebSettings
    disfa: DisfaSettings


class ClusterSettings(Settings):
    """Where worker processes are.

    Attributes:
        engine: ``local``; ``dask``, a running Dask cluster; or ``module:name``, what
            is to be called for a ``concurrent.futures.Executor``.
        address: Of the Dask scheduler, such as ``tcp://10.0.0.1:8786``.
        options: Keyword arguments of the engine's client.
    """

    engine: Annotated[
        str,
        Field(
            pattern="^(local|dask|[^:]+:[^:]+)$",
            description="local, dask, or module:name of what makes a "
            "concurrent.futures.Executor",
        ),
    ] = "local"
    address: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_address(self) -> Self:
        if self.engine == "dask" and not self.address:
            raise ValueError(
                "engine=dask needs the address of its scheduler, such as tcp://10.0.0.1:8786"
            )
        return self


class FinetuneSettings(Settings):
    """Fine-tuning; DISFA has 27 subjects, of whom 9 are tested and one at least trains."""

    validation_subjects: Annotated[int, Field(ge=1, le=17)]
    also_from_scratch: bool


class EvaluationSettings(Settings):
    """Evaluation."""

    treatment: PostprocessingOption


class PredictSettings(Settings):
    """Prediction on other pictures and videos."""

    faces: FacesMode
    batch_size: Count | None
    detector: DetectorName | None
    min_confidence: PartBetween | None
    annotate: bool
    timeline: bool


class ExportSettings(Settings):
    """Files for others."""

    onnx: bool
    int8: bool


class DisfaSampleConfig(Settings):
    """The rendered stand-in for DISFA: 27 subjects, one video each.

    Attributes:
        seed: Decides everything that is drawn.
        frames_per_subject: Pictures in each video.
        stride: Frames of 20 per second between two pictures; at 48 a video of 100
            pictures spans the four minutes of DISFA's, and neighbours differ.
        width: Picture columns.
        height: Picture rows.
        jpeg_quality: Of the video's frames, 1–100.
        mean_event: Mean number of pictures that an expression lasts.
        strength: Factor on how far every face moves; lower is harder.
        expressiveness: Spread (log) between subjects in how far a face moves at the
            same coded intensity.
        occlusion: Share of pictures in which something hides part of the face.
        distractors: Factor on how often the uncoded AUs 7, 10, 14, 23, 28, 45 appear.
    """

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1911
    frames_per_subject: Annotated[int, Field(ge=24, le=4845)] = 100
    stride: Annotated[int, Field(ge=1, le=1000)] = 48
    width: Annotated[int, Field(ge=160, le=1024)] = 224
    height: Annotated[int, Field(ge=160, le=1024)] = 192
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 92
    mean_event: Annotated[Number, Field(ge=1, le=20)] = 3.0
    strength: Annotated[Number, Field(ge=0.1, le=2)] = 1.7
    expressiveness: Part = 0.15
    occlusion: Part = 0.04
    distractors: Annotated[Number, Field(ge=0, le=5)] = 1.0


_WEB_AUS = au_columns(PRETRAIN_AUS)


def _of_each_au(rates: dict[str, Number]) -> dict[str, Number]:
    if odd := sorted(set(rates) ^ set(_WEB_AUS)):
        state = "lacks" if odd[0] in _WEB_AUS else "names"
        raise ValueError(
            f"it {state} {odd[0]}; a rate is needed of each of {_WEB_AUS[0]} … {_WEB_AUS[-1]}, "
            "the 18 pre-training AUs, and of nothing else"
        )
    return rates


Rates: TypeAlias = Annotated[dict[str, Part], AfterValidator(_of_each_au)]


def _rates(*values: float) -> Any:
    return Field(default_factory=lambda: dict(zip(_WEB_AUS, values, strict=True)))


class WebSampleConfig(Settings):
    """The rendered stand-in for web photographs with OpenFace's noisy labels.

    Attributes:
        seed: Decides everything that is drawn.
        photographs: How many, half of them of women.
        identities: How many people; even.
        size: Rows of a photograph; its columns vary around that.
        jpeg_quality: 1–100.
        turn: Factor on head rotation (1: standard deviations of 9° yaw, 5° pitch, roll).
        occlusion: Share of photographs in which something hides part of the face.
        strength: As in ``DisfaSampleConfig``.
        expressiveness: As in ``DisfaSampleConfig``.
        sensitivity: By AU column, how often a clearly shown AU is labelled present.
        false_alarms: By AU column, how often an AU that is not there at all is labelled
            present. Between intensities 0 and 2 the chance runs smoothly from one to
            the other, so traces are often called present.
        failures: Share of rows that OpenFace gave up on: ``success`` 0 and labels at random.
    """

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1911
    photographs: Annotated[int, Field(ge=2, le=10_000_000)] = 6000
    identities: Annotated[int, Field(ge=2, le=1_000_000)] = 2000
    size: Annotated[int, Field(ge=160, le=1024)] = 192
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 90
    turn: Annotated[Number, Field(ge=0, le=2)] = 1.0
    occlusion: Part = 0.12
    strength: Annotated[Number, Field(ge=0.1, le=2)] = 1.7
    expressiveness: Part = 0.15
    sensitivity: Rates = _rates(
        0.95, 0.94, 0.84, 0.93, 0.94, 0.93, 0.90, 0.93, 0.96, 0.93, 0.93, 0.68, 0.88, 0.84,
        0.95, 0.93, 0.88, 0.92,
    )  # fmt: skip
    false_alarms: Rates = _rates(
        0.37, 0.34, 0.03, 0.16, 0.28, 0.34, 0.08, 0.36, 0.25, 0.52, 0.36, 0.01, 0.19, 0.04,
        0.18, 0.16, 0.14, 0.12,
    )  # fmt: skip
    failures: Part = 0.02

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

    web: WebSampleConfig
    disfa: DisfaSampleConfig


class Parameters(Settings):
    """All parameters of a run."""

    protocol: Protocol
    run: RunName
    runs: Annotated[str, Field(description="names with colons between them: A:B")] | None
    pretraining: bool
    fold: Annotated[int, Field(ge=1, le=3)] | None
    seed: Seed
    device: Annotated[
        str,
        Field(
            pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
            description="auto, cpu, cuda, cuda:1 or mps",
        ),
    ]
    precision: Precision
    threads: Annotated[int, Field(ge=1, le=4096)] | None
    compilation: Compilation
    devices: Count | Literal["torchrun"] | None
    micro_batch: Count | Literal["auto"] | None
    faces_in_memory: InMemory
    tensorboard: bool
    share_files: Literal["group", "everyone"] | None
    workers: Annotated[int, Field(ge=0, le=4096)] | None
    person: Annotated[str, Field(min_length=1)] | None
    cluster: ClusterSettings
    restart: bool
    face_size: Annotated[int, Field(ge=16, le=1024)]
    recipe: str
    recipes: dict[str, Any]
    preprocess: PreprocessSettings
    finetune: FinetuneSettings
    evaluation: EvaluationSettings
    source: PathText | None
    model: PathText | None
    predict: PredictSettings
    export: ExportSettings
    sample: SampleSettings


class Globals(Settings):
    """What the paths of the catalog are made of."""

    data: DataName
    run: RunName
    protocol: Protocol


def _sentence(cls: type[Settings], error: ValidationError, values: Any, place: str) -> str:
    """What is wrong first, with its full name, what it is, and what it may be."""
    first = error.errors()[0]
    kind: Any = cls
    for key in first["loc"]:
        group, listed = _group(kind), _plain(kind)
        if group is not None and key not in group.model_fields:
            return _unknown(str(key), group, place)
        if group is not None:
            kind = get_type_hints(group, include_extras=True)[str(key)]
            place = f"{place}.{key}" if place else str(key)
            values = values.get(key) if isinstance(values, Mapping) else values
        elif get_origin(listed) is list and isinstance(key, int):
            kind, values, place = get_args(listed)[0], values[key], f"{place}[{key}]"
        elif get_origin(listed) is dict and key in values:
            kind, values, place = get_args(listed)[1], values[key], f"{place}.{key}"
        else:
            break  # the name of a choice within the parameter's type
    return _told(first, kind, values, place)


def _told(first: ErrorDetails, kind: Any, value: Any, place: str) -> str:
    if first["type"] == "value_error":
        return f"{place}: {first['ctx']['error']}." if place else f"{first['ctx']['error']}."
    if first["type"] == "missing":
        return f"{place} is missing; it must be {_expected(kind)}."
    return f"{place} is {_shown(value)}; it must be {_expected(kind)}."


def _unknown(name: str, group: type[Settings], place: str) -> str:
    above = f"{place}." if place else ""
    names = sorted(group.model_fields)
    near = get_close_matches(name, names, 1)
    meant = f"Did you mean {above}{near[0]}? " if near else ""
    there = f", {above}".join(names)
    return f"{above}{name} is not a parameter. {meant}There are {above}{there}."


def _plain(kind: Any) -> Any:
    """A type without its ranges, and without null."""
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    others = [one for one in _choices(kind) if one is not type(None)]
    return _plain(others[0]) if _choices(kind) and len(others) == 1 else kind


def _choices(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else ()


def _group(kind: Any) -> type[Settings] | None:
    kind = _plain(kind)
    return kind if isinstance(kind, type) and issubclass(kind, Settings) else None


def _shown(value: Any) -> str:
    words = {None: "null", True: "true", False: "false"}
    text = words[value] if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


_NOUNS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _expected(kind: Any) -> str:
    """A type in words: ``a whole number from 1, or null``."""
    if get_origin(kind) is Annotated:
        inner, *marks = get_args(kind)
        infos = [mark for mark in marks if isinstance(mark, FieldInfo)]
        if infos and infos[0].description:
            return infos[0].description
        limits = [limit for info in infos for limit in info.metadata]
        return _expected(inner) + _range(limits)
    if choices := _choices(kind):
        if set(choices) == {int, float}:
            return "a number"
        words = [_expected(one) for one in choices if one is not type(None)]
        return " or ".join(words) + (", or null" if type(None) in choices else "")
    if get_origin(kind) is Literal:
        names = [str(name) for name in get_args(kind)]
        return names[0] if len(names) == 1 else f"one of: {', '.join(names)}"
    if get_origin(kind) is list:
        return "a list"
    if (group := _group(kind)) is not None:
        return f"a group of parameters: {', '.join(group.model_fields)}"
    return _NOUNS.get(kind, "values by name")


def _range(limits: list[Any]) -> str:
    found = {
        key: getattr(limit, key)
        for limit in limits
        for key in ("ge", "gt", "le", "lt")
        if getattr(limit, key, None) is not None
    }
    if "ge" in found and "le" in found:
        return f" from {found['ge']} to {found['le']}"
    words = {"ge": "from", "gt": "above", "le": "at most", "lt": "below"}
    bounds = [f"{words[key]} {limit}" for key, limit in found.items() if limit < 2**31]
    return f" {' and '.join(bounds)}" if bounds else ""
