"""DISFA's recordings, as videos or as extracted frames, matched with their labels.

Nothing is decoded for that, so that what does not match is known before any work is done.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NoReturn

from action_units import hints
from action_units.coded_sets.reader import (
    CodedData,
    Media,
    labels_path,
    media_folder,
    scale_of,
    setting,
)
from action_units.config.data import CodedSetSettings
from action_units.errors import LabelError
from action_units.labels.disfa import RECORDING, find_labels, read_disfa
from action_units.labels.label_files import (
    check_same_content,
    describe_folder,
    first_names,
    subject_of,
    walk,
)
from action_units.labels.names import CAMERAS, disfa_image
from action_units.media.file_types import PICTURES, VIDEOS

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
class _Pictures:
    """Pictures of one folder whose names differ by a number only."""

    folder: Path
    names: list[tuple[int, str]] = field(default_factory=list)

    def in_order(self, first: int | None, option: str) -> tuple[Path, ...]:
        """The pictures by their numbers, which must begin at `first` and have no gap.

        Args:
            first: 0 or 1; None takes the lowest.
            option: The name of the setting that gives it.
        """
        ordered = sorted(self.names)
        numbers = [number for number, _ in ordered]
        begin = numbers[0] if first is None else first
        if numbers[0] != begin or begin not in (0, 1):
            raise LabelError(
                self.folder,
                f"its frames begin with {ordered[0][1]}; expected number "
                f"{'0 or 1' if first is None else first}"
                + (
                    f" ({option})."
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


def read_disfa_set(
    settings: CodedSetSettings, folder: Path, left_out: Collection[str] = ()
) -> CodedData:
    """Find DISFA's recordings and label files, match them, and read the codes.

    Args:
        settings: ``camera``, ``first_frame`` and ``frame_count_tolerance`` say which
            recordings are used, and how.
        folder: In which both lie, at any depth, unless the settings name others.
        left_out: Subjects whose files are not checked, and who may lack files.

    Raises:
        LabelError: A subject lacks a recording or labels, or the labels are not sound.
    """
    labels, media = labels_path(settings, folder), media_folder(settings, folder)
    camera, first = settings.camera, settings.first_frame
    tolerance = settings.frame_count_tolerance
    coded = find_labels(labels)
    recordings = find_recordings(media, camera, first, left_out, of_set=folder)
    recorded = {*recordings.videos, *recordings.pictures, *recordings.left_out}
    skipped = sorted({*coded.skipped, *recordings.skipped})
    no_recording = f"no video and no extracted frames of the {camera.lower()} camera"
    for place, lacks, missing in (
        (media, no_recording, set(coded.files) - recorded),
        (labels, "no label folder", recorded - set(coded.files)),
    ):
        if subjects := sorted(missing - {*left_out}):
            _raise_missing(place, subjects, lacks, skipped, folder.name)
    frames = read_disfa(coded.without(left_out), settings.aus, scale_of(settings))
    counts = frames.table.groupby("subject").size()
    for subject, pictures in recordings.pictures.items() if first is None else ():
        if subject in counts and 1 <= abs(len(pictures) - counts[subject]) <= tolerance:
            option = setting(folder, "first_frame")
            raise LabelError(
                pictures[0].parent,
                f"{len(pictures):,} extracted frames for {counts[subject]:,} labels, so set "
                f"the number of the first: {option}=0 or =1.",
            )
    return CodedData(
        frames,
        {
            (subject, RECORDING): _media(subject, recordings, camera, tolerance)
            for subject in counts.index
        },
        images=partial(_image, camera),
        left_out={*left_out} & {*coded.files, *recorded},
        skipped=tuple(skipped),
    )


def _media(subject: str, found: Recordings, camera: str, tolerance: int) -> Media:
    name = f"{camera}Video{subject}"
    if subject in found.videos:
        return Media(found.videos[subject], tolerance=tolerance, id=name)
    pictures = found.pictures[subject]
    numbered = dict(enumerate(pictures, 1))
    return Media(pictures[0].parent, numbered, tolerance=tolerance, id=name)


def _image(camera: str, subject: str, recording: str, frame: int) -> str:
    return disfa_image(subject, frame, camera, suffix="")


def _raise_missing(
    folder: Path, subjects: list[str], lacks: str, skipped: list[Path], name: str
) -> NoReturn:
    similar = [p for p in skipped if any(subject in p.name for subject in subjects)]
    named = first_names(str(path) for path in similar or skipped)
    entries = ", ".join(f"{{subject: {subject}, reason: …}}" for subject in subjects)
    raise LabelError(
        folder,
        f"{first_names(subjects)} {'has' if len(subjects) == 1 else 'have'} {lacks}; put it "
        "there, or leave subjects out by this line in "
        f"{hints.own_settings('parameters_data.yml')}: "
        f"coded_sets: {{{name}: {{exclude: [{entries}]}}}}."
        + (f" Skipped: {named}." if named else ""),
    )


def find_recordings(
    folder: Path | str,
    camera: str = "Right",
    first_frame: int | None = None,
    left_out: Collection[str] = (),
    of_set: Path | None = None,
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
        of_set: The folder that has the name of the set; None: `folder`.

    Raises:
        LabelError: No recording, two of one subject, or a missing or repeated frame.
    """
    folder = Path(folder)
    of_set = of_set or folder
    option = setting(of_set, "first_frame")
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
        subject: _choose(subject, candidates, skipped).in_order(first_frame, option)
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
                f"{setting(of_set, 'camera')}={other} takes"
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


def _choose(subject: str, candidates: list[_Pictures], skipped: list[Path]) -> _Pictures:
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
    return chosen


def _subject(names: Iterable[str]) -> str | None:
    """The subject of the first of the names that has one."""
    matches = (_NAME.fullmatch(name) for name in names)
    return next((subject_of(match[1]) for match in matches if match), None)


def _camera(names: Iterable[str]) -> str | None:
    matches = (_CAMERA.search(name) for name in names)
    return next((match[1].capitalize() for match in matches if match), None)
