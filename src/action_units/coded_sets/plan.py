"""What is cropped of a coded set: every frame with codes, by the name of its crop.

Nothing is decoded for that, so that what does not match is known before any work is done.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pandas as pd

from action_units.coded_sets.image_names import name_images
from action_units.coded_sets.reader import Media, media_folder
from action_units.coded_sets.registry import read_coded_set
from action_units.config.data import CodedSetSettings
from action_units.errors import ConfigurationError, LabelError
from action_units.faces.preprocess import Recording, check_recording
from action_units.labels.action_units import au_columns, aus_of_columns
from action_units.labels.coded_frames import MISSING
from action_units.labels.exclusions import exclude, parse_exclusions
from action_units.labels.label_files import first_names
from action_units.media.images import MAX_MEGAPIXELS

logger = logging.getLogger(__name__)

_UNUSED = {
    "no_score": "frames have no AU that was scored, and are not used",
    "no_picture": "frames with codes have no picture",
    "no_codes": "pictures have no codes, and are not used",
}


@dataclass(frozen=True)
class CodedPlan:
    """What to crop of a coded set.

    Attributes:
        name: Of the set.
        recordings: The recordings, each with its labelled frames.
        frames: A row a frame in which at least one AU is scored, ordered by subject,
            recording and frame: ``image`` (the name of its crop), ``subject``,
            ``recording``, ``frame`` (the set's own number), int8 presence ``AU01`` …, and
            int8 intensity ``AU01_r`` … where the set has them; −1 where not scored.
        excluded: Those of them that are excluded, with the ``reason``.
        left_out: Whole subjects that are left out, and why.
        set_aside: Recordings that cannot be used, and why.
        skipped: Other files in the folders, not read.
        unused: What is not used, by subject: ``no_score``, frames in which no AU was
            scored; ``no_picture``, frames without a picture; ``no_codes``, pictures without
            codes. The last two are of pictures: how many frames a video has is only known
            when it is opened, and those without a score then count as without codes.
        without_picture: The image of the first frame that has no picture.
        source: The file or folder of the codes, for messages.
        place_of: As of ``CodedData``.
        unmatched: The share of the frames with codes that may have no picture.
        unlabelled: The share of the pictures that may have no codes.
    """

    name: str
    recordings: list[Recording]
    frames: pd.DataFrame
    excluded: pd.DataFrame
    left_out: dict[str, str]
    set_aside: dict[str, str]
    skipped: list[Path]
    unused: Mapping[str, Counter[str]]
    without_picture: str | None
    source: Path
    place_of: Callable[[str, str, int], tuple[Path, int | None]] | None = None
    unmatched: float = 0.0
    unlabelled: float = 1.0

    @property
    def aus(self) -> tuple[int, ...]:
        """The AUs of the frames, in the order of their columns."""
        return aus_of_columns(self.frames.columns)

    def check(self, max_megapixels: float | None = MAX_MEGAPIXELS) -> None:
        """Open every recording, and count where its length is in doubt.

        Raises:
            LabelError: One cannot be read, its frames are not as many as its labels where
                they must be, or too many frames of the set do not match.
        """
        unused = {kind: Counter(by_subject) for kind, by_subject in self.unused.items()}
        first = self.without_picture
        for one in self.recordings:
            n_frames = check_recording(one, max_megapixels)
            if one.pictures is None and one.tolerance is None:
                there = range(one.first_frame, one.first_frame + n_frames)
                missing = [name for frame, name in one.images.items() if frame not in there]
                first = first or next(iter(missing), None)
                unused["no_picture"][one.subject] += len(missing)
                unused["no_codes"][one.subject] += n_frames - len(one.images) + len(missing)
        self.check_shares(unused, first)

    def check_shares(
        self, unused: Mapping[str, Counter[str]], without_picture: str | None
    ) -> None:
        """Check that not too many frames and pictures are unused.

        Args:
            unused: As the attribute.
            without_picture: As the attribute.

        Raises:
            LabelError: More than the set's settings allow.
        """
        n_frames = len(self.frames)
        n_pictures = n_frames - unused["no_picture"].total() + unused["no_codes"].total()
        for kind, total, option, allowed in (
            ("no_picture", n_frames, "unmatched", self.unmatched),
            ("no_codes", n_pictures, "unlabelled", self.unlabelled),
        ):
            if (n := unused[kind].total()) <= allowed * total:
                continue
            path, line, example = self.source, None, ""
            if kind == "no_picture" and without_picture is not None:
                row = self.frames[self.frames["image"] == without_picture].iloc[0]
                example = f", such as frame {row['frame']} of {row['recording']}"
                if self.place_of is not None:
                    path, line = self.place_of(row["subject"], row["recording"], row["frame"])
            raise LabelError(
                path,
                f"{n:,} of {total:,} {_UNUSED[kind]} ({_by_subject(unused[kind])}){example}. "
                "Are all files there, and numbered alike? If so, leave subjects out by "
                f"coded_sets.{self.name}.exclude, or raise the share that may be so, "
                f"coded_sets.{self.name}.{option}, from {allowed:g}.",
                line,
            )

    def log_counts(self) -> None:
        """Log what of the set is not used."""
        if self.set_aside:
            lines = first_names(f"{name} ({why})" for name, why in self.set_aside.items())
            logger.warning("%s: recordings set aside: %s", self.name, lines)
        for kind, words in _UNUSED.items():
            if n := self.unused[kind].total():
                by_subject = _by_subject(self.unused[kind])
                logger.info("%s: %s %s (%s)", self.name, f"{n:,}", words, by_subject)


def plan_coded_set(
    name: str,
    settings: CodedSetSettings,
    folder: Path | str,
    withdrawn: Collection[str] = (),
    suffix: str = ".jpg",
) -> CodedPlan:
    """Read a coded set, and match its codes with its pictures.

    Args:
        name: Of the set, for messages.
        settings: Of the set.
        folder: The set's folder in ``data/01_raw``.
        withdrawn: People who must not be used, of any data set.
        suffix: Of the crops.

    Raises:
        LabelError: Codes or pictures are missing, not sound or do not match.
        ConfigurationError: The reader is unknown, or an exclusion names what the data does
            not have.
    """
    folder = Path(folder)
    exclusions = parse_exclusions(settings.exclude)
    left_out = {one.subject: one.reason for one in exclusions if one.whole_subject}
    data = read_coded_set(settings, folder, {*left_out, *withdrawn})
    coded = data.frames.present(settings.present_from)
    known = {*data.left_out, *coded.table["subject"]}
    if unknown := sorted(set(left_out) - known):
        raise ConfigurationError(
            f"coded_sets.{name}.exclude names {unknown[0]}, who has no pictures and no labels."
        )
    left_out |= dict.fromkeys({*withdrawn} & known, "withdrawn")
    rows = coded.table[~coded.table["subject"].isin(list(left_out))]
    if rows.empty:
        raise ConfigurationError(f"coded_sets.{name}: no subject is left to read.")
    has_score = (rows[au_columns(coded.aus)] != MISSING).any(axis=1)
    frames = rows[has_score].reset_index(drop=True)
    if frames.empty:
        raise LabelError(coded.source, "no AU was scored in any of its frames.")
    frames.insert(0, "image", name_images(frames, data.images, suffix, coded.source))
    _, excluded = exclude(frames, [one for one in exclusions if not one.whole_subject])
    unused = {kind: Counter[str]() for kind in _UNUSED}
    unused["no_score"].update(rows.loc[~has_score, "subject"])
    recordings, skipped = [], [*data.skipped]
    without_picture = None
    coded_frames = rows.groupby(["subject", "recording"])["frame"].agg(set).to_dict()
    without_codes = dict(data.media)
    for key, part in frames.groupby(["subject", "recording"], sort=False):
        subject, recording = cast(tuple[str, str], key)
        media = without_codes.pop((subject, recording), None)
        media = media or Media(media_folder(settings, folder), {})
        images = dict(zip(part["frame"].tolist(), part["image"].tolist(), strict=True))
        recordings.append(_recording(subject, recording, media, images))
        if media.pictures is not None and media.tolerance is None:
            missing = [name for frame, name in images.items() if frame not in media.pictures]
            without_picture = without_picture or next(iter(missing), None)
            unused["no_picture"][subject] += len(missing)
            unused["no_codes"][subject] += len(media.pictures.keys() - coded_frames[key])
    for (subject, _), media in without_codes.items():
        if media.pictures is None:
            skipped.append(media.path)
        elif subject not in left_out:
            unused["no_codes"][subject] += len(media.pictures)
    plan = CodedPlan(
        name,
        recordings,
        frames,
        excluded,
        left_out,
        dict(data.set_aside),
        sorted(skipped),
        unused,
        without_picture,
        coded.source,
        data.place_of,
        settings.unmatched,
        settings.unlabelled,
    )
    plan.check_shares(unused, without_picture)
    return plan


def _recording(subject: str, recording: str, media: Media, images: dict[int, str]) -> Recording:
    pictures = media.pictures
    if pictures is not None and media.tolerance is None:
        pictures = {frame: pictures[frame] for frame in images if frame in pictures}
    return Recording(
        media.id or f"{subject}/{recording}",
        subject,
        media.path,
        images,
        pictures,
        media.first_frame,
        media.tolerance,
    )


def _by_subject(counts: Counter[str]) -> str:
    """``F001 12, F002 3 and 7 more``: the subjects with most first."""
    return first_names(f"{subject} {n:,}" for subject, n in counts.most_common() if n)
