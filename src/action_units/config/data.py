"""Which data there is: coded sets, web sets, and who annotated them."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from action_units.config.base import (
    Expected,
    Number,
    Part,
    PartBetween,
    PathText,
    Settings,
)
from action_units.config.preprocessing import FaceSampleSettings, exclusions
from action_units.labels.action_units import AU_NAMES
from action_units.labels.annotations.registry import DEFAULT, PROGRAMS


def _aus(aus: list[int]) -> list[int]:
    if not aus or sorted(set(aus)) != aus:
        raise ValueError("the AUs must be some numbers, rising, each once")
    if unknown := [au for au in aus if au not in AU_NAMES]:
        raise ValueError(
            f"AU {unknown[0]} is unknown; known are {', '.join(map(str, AU_NAMES))}"
        )
    return aus


def _cells(cells: list[Any]) -> list[str]:
    """Cells as text; YAML reads 9 as a number, .nan as one too, and null as nothing."""
    for cell in cells:
        if isinstance(cell, bool) or not isinstance(cell, str | int | float | None):
            raise ValueError(f"{cell!r} is not the text of a cell")
    return ["" if cell is None else str(cell) for cell in cells]


def _in_order(sets: str) -> str:
    names = sets.split("+")
    if len(set(names)) < len(names):
        raise ValueError(f"{sets!r} has one name twice")
    return "+".join(sorted(names))


_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?"
AUList: TypeAlias = Annotated[list[int], AfterValidator(_aus)]
ChosenSets: TypeAlias = Annotated[
    str,
    Field(pattern=rf"^{_NAME}(?:\+{_NAME})*$"),
    Expected("the name of a set, or several with + between them, such as disfa+studio"),
    AfterValidator(_in_order),
]
StartFrom: TypeAlias = Literal["raw", "crops"]


RUN = "run"
"""The annotator that is a finished run of this project."""


_ANNOTATORS = (*PROGRAMS, RUN)


class AnnotationSettings(Settings):
    """Who annotated photographs or frames, and how that is read."""

    program: Annotated[
        str,
        Field(pattern=f"^({'|'.join(_ANNOTATORS)})$"),
        Expected(f"one of: {', '.join(_ANNOTATORS)}"),
    ] = DEFAULT
    """openface2, openface3, pyfeat, libreface, pyfaceau, table, or run: a finished run."""
    path: PathText | None = None
    """The program's CSV or a folder of its CSVs, or the finished run: its name or its folder of
    models; null: ``openface.csv`` of openface2, ``pyfeat.csv`` of pyfeat and so on in the web
    set's folder; in a coded set's folder ``openface``, ``pyfeat`` and so on, if it is there."""
    scale: Literal[1, 5] | None = None
    """table: what AU columns without a kind hold, 1 presence or probabilities, 5 intensities.
    libreface: the highest intensity, where no value above 1 says that it is 5."""
    min_confidence: Part = 0.5
    """Rows below this confidence are dropped."""
    present_from: Annotated[Number, Field(gt=0, le=5)] | None = None
    """Where there is no presence: the value, as the file has it, from which an AU is present;
    null: intensity 1 of 5, or probability 0.5; of a run its own thresholds."""

    @model_validator(mode="after")
    def _run_is_named(self) -> Self:
        if self.program == RUN and self.path is None:
            raise ValueError(
                "program is run and path is null; path must be the run's name, or the folder "
                "of its models, such as data/06_models/sample/main/disfa/fg2020"
            )
        return self


class CodedSetSettings(Settings):
    """A data set that experts have coded, frame by frame."""

    reader: str
    """What reads its files: disfa, disfa_plus, bp4d or table."""
    start_from: StartFrom = "raw"
    """crops: from a folder of crops and label CSVs, as the paper's authors share them."""
    labels: PathText | None = None
    """The codes: a file or a folder; null: in the folder of `media`."""
    media: PathText | None = None
    """Videos, folders of frames, or pictures; null: the set's folder in ``data/01_raw``."""
    aus: AUList | None = None
    """The AUs that are used; null: all that the files have."""
    present_from: Annotated[int, Field(ge=1, le=5)] | None = 2
    """The intensity from which an AU is present; null: the files have 0 and 1."""
    protocol: str
    """The fold protocol, one of ``protocols``."""
    people: str | None = None
    """The set whose subjects of the same name are the same people; ``own``: subjects of the
    same name in other sets are other people; null: unknown, so equal names are refused."""
    camera: Literal["Right", "Left"] = "Right"
    """disfa: whose videos are used."""
    first_frame: Annotated[int, Field(ge=0, le=1)] | None = None
    """The number of a video's or a folder's first frame in the labels, 0 or 1; null: as the
    reader knows it, or the lowest that is there."""
    frame_count_tolerance: Annotated[int, Field(ge=0, le=100)] = 0
    """disfa: by how many frames a recording and its labels may differ."""
    unmatched: Part = 0.0
    """The share of the coded frames that may have no picture."""
    unlabelled: Part = 1.0
    """The share of the pictures that may have no codes."""
    not_scored: Annotated[list[Any], AfterValidator(_cells)] = Field(
        default_factory=lambda: ["", "nan", "-1", "9", "999"]
    )
    """table: cells that mean that an AU was not scored, in upper or lower case. Without the
    empty text, an empty cell means that the AU is absent."""
    exclude: Annotated[list[Any], AfterValidator(exclusions)] | None = None
    """Frames or subjects that are left out, each with its reason."""
    annotations: AnnotationSettings = Field(default_factory=AnnotationSettings)
    """A program's labels of the coded frames, to count its errors; not trained on."""

    @model_validator(mode="after")
    def _programs_annotate(self) -> Self:
        if self.annotations.program == RUN:
            raise ValueError(
                "annotations.program is run, which annotates web photographs only; the errors "
                "of a run on coded frames are in its report"
            )
        if self.start_from == "crops" and self.annotations.path is not None:
            raise ValueError(
                "annotations.path is set and start_from is crops; annotations are matched with "
                "raw frames, so start from raw, or set annotations.path to null"
            )
        return self


class WebSetSettings(Settings):
    """A set of web photographs, labelled by a program."""

    start_from: StartFrom = "raw"
    """crops: from a folder of crops and label CSVs, as the paper's authors share them."""
    photographs: PathText | None = None
    """A folder tree, a TSV, or tars (a file, a folder or a pattern), also by URL; null: the
    folder ``photographs`` in the set's folder in ``data/01_raw``."""
    kind: Literal["auto", "folder", "tsv", "tar"] = "auto"
    identities: PathText | None = None
    """CSV of ``identity,gender``; null: ``identities.csv`` in the set's folder."""
    people: str | None = None
    """As of a coded set."""
    annotations: AnnotationSettings = Field(default_factory=AnnotationSettings)
    second_annotations: AnnotationSettings | None = None
    """Of another program; null: one annotator."""
    combine: Literal["mean", "agreement"] = "mean"
    """Of two annotators: mean is a soft target (AU01_p), which the recipe's soft_targets
    learns; of agreement, labels that differ are missing."""
    held_out: PartBetween = 0.15
    """The part of the identities that is held out of pre-training."""
    sample: FaceSampleSettings


def check_set_names(coded: Iterable[str], web: Iterable[str]) -> None:
    """Check the names of all sets, whose folders lie side by side; raises ValueError."""
    coded, web = list(coded), list(web)
    for name in (*coded, *web):
        if not re.fullmatch(_NAME, name) or name.isdecimal() or name.lower() == "checkpoints":
            raise ValueError(
                f"{name!r} cannot be the name of a set: expected 1 to 64 letters, digits, "
                "points, hyphens and underscores that begin and end with a letter or digit; "
                "neither a number nor “checkpoints”"
            )
    if both := sorted(set(coded) & set(web)):
        raise ValueError(
            f"{both[0]!r} is in coded_sets and in web_sets; their folders would be the same, "
            "so give one of the two another name"
        )
