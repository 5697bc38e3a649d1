"""DISFA's recordings, as videos or as extracted frames, matched with their labels.

Nothing is decoded for that, so that what does not match is known before any work is done.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pandas as pd

from action_units import hints
from action_units.errors import ConfigurationError, LabelError
from action_units.faces.preprocess import Recording, check_recording
from action_units.labels.disfa import find_labels, name_frames, read_disfa
from action_units.labels.exclusions import Exclusion, exclude
from action_units.labels.label_files import (
    check_same_content,
    describe_folder,
    first_names,
    subject_of,
    walk,
)
from action_units.labels.names import CAMERAS
from action_units.media.file_types import PICTURES, VIDEOS
from action_units.media.images import MAX_MEGAPIXELS

_NAME = re.compile(
    r"(?:(?:right|left)[ _-]?(?:videos?|camera)?[ _-]?)?(SN[ _-]?\d+)(?:_\w+)?[ _-]*",
    re.ASCII | re.IGNORECASE,
)
_CAMERA = re.compile(r"(?:(?<![A-Za-z])|(?=[RL]))((?i:right|left))", re.ASCII)
_NUMBERED = re.compile(r"(.*?)(\d{1,9})", re.ASCII)


@dataclass(frozen=True)
class Recordings:
    """Where the recordings of one camera lie.

    Attributes:
        videos: Of each subject, the file.
        pictures: Of each subject without a video, its extracted frames, the first first.
        left_out: Excluded subjects that have extracted frames.
        skipped: Other files in the folders, not recordings by their names.
    """

    videos: dict[str, Path]
    pictures: dict[str, tuple[Path, ...]]
    left_out: set[str]
    skipped: list[Path]


@dataclass(frozen=True)
class DisfaPlan:
    """What to crop.

    Attributes:
        videos: The recordings, each with its number of labels.
        labels: A row a coded frame, as ``name_frames`` gives it.
        excluded: Those of them that are excluded, with the ``reason``.
        left_out: Whole subjects that are excluded, and why.
        skipped: Other files in the folders, not read.
    """

    videos: list[Recording]
    labels: pd.DataFrame
    excluded: pd.DataFrame
    left_out: dict[str, str]
    skipped: list[Path]

    def check(self, max_megapixels: float | None = MAX_MEGAPIXELS) -> None:
        """Open every recording, and count where its length is in doubt.

        Raises:
            LabelError: One cannot be read, or its frames are not as many as its labels.
        """
        for video in self.videos:
            check_recording(video, max_megapixels)


@dataclass(frozen=True)
class _Pictures:
    """Pictures of one folder whose names differ by a number only."""

    folder: Path
    names: list[tuple[int, str]] = field(default_factory=list)

    def in_order(self, first: int | None) -> tuple[Path, ...]:
        """The pictures by their numbers, which must begin at `first` and have no gap."""
        ordered = sorted(self.names)
        numbers = [number for number, _ in ordered]
        begin = numbers[0] if first is None else first
        if numbers[0] != begin or begin not in (0, 1):
            raise LabelError(
                self.folder,
                f"its frames begin with {ordered[0][1]}; expected number "
                f"{'0 or 1' if first is None else first}"
                + (
                    " (preprocess.disfa.first_frame)."
                    if first is not None
                    else ": if frames are missing, extract them again."
                ),
            )
        for place, (number, name) in enumerate(ordered, begin):
            if number == place:
                continue
            before = ordered[place - begin - 1][1]
            problem = (
                f"{before} and {name} have the same number."
                if number < place
                else f"frame number {place} is missing between {before} and {name}."
            )
            raise LabelError(self.folder, f"{problem} Extract the frames again.")
        return tuple(self.folder / name for _, name in ordered)


def plan_recordings(
    folder: Path | str,
    camera: str = "Right",
    exclusions: Iterable[Exclusion] = (),
    suffix: str = ".jpg",
    first_frame: int | None = None,
    tolerance: int = 0,
    withdrawn: Collection[str] = (),
) -> DisfaPlan:
    """Find recordings and labels, and match them.

    Args:
        folder: In which both lie, at any depth.
        camera: ``Right`` or ``Left``.
        exclusions: What is excluded.
        suffix: Of the crops.
        first_frame: See ``find_recordings``.
        tolerance: By how many frames a recording and its labels may differ.
        withdrawn: People who must not be used, of any data set.

    Raises:
        LabelError: A subject lacks a recording or labels, or the labels are not sound.
        ConfigurationError: An exclusion names what the data does not have.
    """
    exclusions = tuple(exclusions)
    left_out = {e.subject: e.reason for e in exclusions if e.frames is None}
    coded = find_labels(folder)
    recordings = find_recordings(folder, camera, first_frame, {*left_out, *withdrawn})
    recorded = {*recordings.videos, *recordings.pictures, *recordings.left_out}
    left_out |= dict.fromkeys({*coded.files, *recorded} & {*withdrawn}, "withdrawn")
    skipped = sorted({*coded.skipped, *recordings.skipped})
    no_recording = f"no video and no extracted frames of the {camera.lower()} camera"
    for lacks, missing in (
        (no_recording, set(coded.files) - recorded),
        ("no label folder", recorded - set(coded.files)),
    ):
        if subjects := sorted(missing - set(left_out)):
            _raise_missing(folder, subjects, lacks, skipped)
    if unknown := sorted(set(left_out) - set(coded.files) - recorded):
        raise ConfigurationError(
            f"preprocess.disfa.exclude names {unknown[0]}, who has no video and no labels."
        )
    labels = name_frames(read_disfa(coded.without(left_out)), camera, suffix)
    _, excluded = exclude(labels, [e for e in exclusions if e.frames is not None])
    counts = labels.groupby("subject").size()
    for subject, pictures in recordings.pictures.items() if first_frame is None else ():
        if subject in counts and 1 <= abs(len(pictures) - counts[subject]) <= tolerance:
            raise LabelError(
                pictures[0].parent,
                f"{len(pictures):,} extracted frames for {counts[subject]:,} labels, so set "
                "the number of the first: preprocess.disfa.first_frame=0 or =1.",
            )
    videos = [
        Recording(
            recordings.videos[s]
            if s in recordings.videos
            else recordings.pictures[s][0].parent,
            s,
            int(counts[s]),
            camera,
            None if s in recordings.videos else recordings.pictures[s],
            tolerance,
        )
        for s in counts.index
    ]
    return DisfaPlan(videos, labels, excluded, left_out, skipped)


def _raise_missing(
    folder: Path | str, subjects: list[str], lacks: str, skipped: list[Path]
) -> NoReturn:
    similar = [p for p in skipped if any(subject in p.name for subject in subjects)]
    named = first_names(str(path) for path in similar or skipped)
    entries = ", ".join(f"{{subject: {subject}, reason: …}}" for subject in subjects)
    raise LabelError(
        folder,
        f"{first_names(subjects)} {'has' if len(subjects) == 1 else 'have'} {lacks}; put it "
        f"there, or leave subjects out by this line in {hints.own_settings('parameters.yml')}: "
        f"preprocess: {{disfa: {{exclude: [{entries}]}}}}."
        + (f" Skipped: {named}." if named else ""),
    )


def find_recordings(
    folder: Path | str,
    camera: str = "Right",
    first_frame: int | None = None,
    left_out: Collection[str] = (),
) -> Recordings:
    """Find a camera's videos or, where a subject has none, its extracted frames.

    A video is ``RightVideoSN001_comp.avi`` or named likewise. Extracted frames are pictures
    of one folder whose names end in a number; the name, the folder or one above it has the
    subject. Where none of them names the camera, either is meant.

    Args:
        folder: In which they lie, at any depth.
        camera: ``Right`` or ``Left``.
        first_frame: The number of the first extracted frame, 0 or 1; None takes the
            lowest.
        left_out: Subjects whose files are not checked.

    Raises:
        LabelError: No recording, two of one subject, or a missing or repeated frame.
    """
    folder = Path(folder)
    videos: dict[str, Path] = {}
    groups: dict[str, list[_Pictures]] = {}
    skipped: list[Path] = []
    strange: list[Path] = []
    n_other = 0
    for place, names in walk(folder, skipped):
        above = [place.name, *(parent.name for parent in place.parents)]
        above = above[: len(place.relative_to(folder).parts)]
        here: dict[str, _Pictures] = {}
        rest: list[Path] = []
        has_subject = False
        for name in names:
            stem, _, suffix = name.rpartition(".")
            suffix = f".{suffix.lower()}"
            numbered = _NUMBERED.fullmatch(stem) if suffix in PICTURES else None
            own = numbered[1] if numbered else stem
            subject = None
            if suffix in VIDEOS:
                subject = _subject([own])
            elif numbered:
                subject = _subject([own, *above])
            if subject is None:
                rest.append(place / name)
            elif _camera([own, *above]) not in (camera, None):
                n_other += 1
            elif numbered:
                key = f"{subject} {own}"
                if key not in here:
                    here[key] = _Pictures(place)
                    groups.setdefault(subject, []).append(here[key])
                here[key].names.append((int(numbered[2]), name))
            elif subject not in videos:
                videos[subject] = place / name
            elif subject not in left_out:
                check_same_content(videos[subject], place / name)
                skipped.append(place / name)
            has_subject |= subject is not None
        if has_subject:
            skipped += rest
        else:
            strange += [path for path in rest if path.suffix.lower() in (*VIDEOS, *PICTURES)]
    pictures = {
        subject: _choose(subject, candidates, first_frame, skipped)
        for subject, candidates in groups.items()
        if subject not in videos and subject not in left_out
    }
    skipped += [one.folder for name in groups.keys() & videos for one in groups[name]]
    if not videos and not groups:
        other = next(one for one in CAMERAS if one != camera)
        there = describe_folder(folder)
        if n_other:
            there = (
                f"there are {n_other:,} files of the {other.lower()} camera, which "
                f"preprocess.disfa.camera={other} takes"
            )
        elif strange:
            there += f"; names not understood: {first_names(map(str, strange))}"
        raise LabelError(
            folder,
            f"no video is there; expected {camera}VideoSN001_comp.avi and so on, in "
            f"Videos_{camera}Camera or elsewhere below, or extracted frames such as "
            f"{camera}VideoSN001_comp/00001.jpg or SN001/0.png; {there}.",
        )
    return Recordings(videos, pictures, {*groups} & {*left_out}, skipped)


def _choose(
    subject: str, candidates: list[_Pictures], first: int | None, skipped: list[Path]
) -> tuple[Path, ...]:
    """Take the extracted frames among a subject's numbered pictures."""
    chosen, *others = sorted(candidates, key=lambda one: -len(one.names))
    if others and 2 * len(others[0].names) > len(chosen.names):
        one, other = (min(part.names)[1] for part in (chosen, others[0]))
        raise LabelError(
            chosen.folder / one,
            f"it and {others[0].folder / other} both begin extracted frames of {subject}; "
            "keep one of the two.",
        )
    skipped += [one.folder / name for one in others for _, name in one.names]
    return chosen.in_order(first)


def _subject(names: Iterable[str]) -> str | None:
    """The subject of the first of the names that has one."""
    matches = (_NAME.fullmatch(name) for name in names)
    return next((subject_of(match[1]) for match in matches if match), None)


def _camera(names: Iterable[str]) -> str | None:
    matches = (_CAMERA.search(name) for name in names)
    return next((match[1].capitalize() for match in matches if match), None)
