"""What cropping needs and what comes of it, of photographs and of videos alike."""

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self

import pandas as pd

from action_units.config import CropSettings, DetectorSettings
from action_units.errors import ArtifactError, ConfigurationError
from action_units.faces.alignment import with_exact_landmarks
from action_units.faces.cropping import check_alignment, crop_face, encode_crop
from action_units.faces.detection.base import Detection, Detector
from action_units.faces.detection.registry import make_detector, model_sha256
from action_units.faces.folders import Folder, is_local, names_in, place, put_many, sizes_in
from action_units.faces.quarantine import Quarantine
from action_units.faces.work.journal import Entry, Journal
from action_units.faces.work.shards import Work
from action_units.files import sweep
from action_units.hints import command
from action_units.media.decoding import MAX_MEGAPIXELS, Pixels

UNFINISHED = "UNFINISHED"
"""A file in a folder of crops while they do not all belong together yet."""

# The first of a crop's values in the journal; what else a kind of input has comes after.
COLUMNS = ("image", "bytes", "rectsize", "source", "angle", "score")

KILLER = "crash"
KILLED = "it killed the process that worked on it, twice; is it too large, or made to do harm?"
REPEATED = "repeated"

_TABLE_PART = 4096  # rows that are objects at once: as columns they take a fraction
_AT_A_TIME = 16  # crops that are written with one flush
_BEHIND = 4  # such heaps that may wait to be written, so that memory stays small

logger = logging.getLogger(__name__)
_local = threading.local()


@dataclass(frozen=True)
class FaceSettings:
    """How faces are found and cut out.

    Attributes:
        detector: How faces are looked for.
        crop: How they are cut out.
        max_megapixels: The largest photograph that is decoded; None is no limit.
    """

    detector: DetectorSettings = field(default_factory=DetectorSettings)
    crop: CropSettings = field(default_factory=CropSettings)
    max_megapixels: float | None = MAX_MEGAPIXELS

    def __post_init__(self) -> None:
        """Refuse what cannot go together; raises ConfigurationError."""
        check_alignment(self.detector, self.crop)

    def made_with(self) -> dict[str, Any]:
        """All that the crops depend on, as plain values.

        Raises:
            ArtifactError: The detector's model is missing or another.
        """
        used = {
            "weights": model_sha256(self.detector)[:16],
            "score": self.detector.lowest_score,
        }
        return {
            "detector": {**self.detector.model_dump(), **used},
            "crop": self.crop.model_dump(),
            "max_megapixels": self.max_megapixels,
        }

    @classmethod
    def from_dict(cls, made_with: Mapping[str, Any]) -> Self:
        """The settings that `made_with` told; what else is there is passed over.

        Raises:
            ArtifactError: One is missing or cannot be.
        """
        try:
            detector = {n: made_with["detector"][n] for n in DetectorSettings.model_fields}
            crop = {n: made_with["crop"][n] for n in CropSettings.model_fields}
            return cls(
                DetectorSettings(**detector),
                CropSettings(**crop),
                made_with["max_megapixels"],
            )
        except (KeyError, TypeError, ConfigurationError) as error:
            raise ArtifactError(f"how faces were cut out cannot be read ({error}).") from error


@dataclass(frozen=True)
class CropResult:
    """What came of cropping.

    Attributes:
        table: One row a crop, in the order of the input: ``image`` (the crop's file),
            ``rectsize``, ``source`` (its square in the photograph or frame), ``angle``
            (by which it was turned), ``score``; of photographs also ``photograph``
            and ``source_sha256``, of videos ``subject`` and ``frame``.
        quarantine: What gave no crop, and why.
        new: How many pictures were worked on, the others having been done before.
    """

    table: pd.DataFrame
    quarantine: Quarantine
    new: int


def cut(
    pixels: Pixels, face: Detection, name: str, settings: FaceSettings
) -> tuple[list[Any], bytes]:
    """A crop's values in the journal, and its file's bytes.

    Raises:
        UnusableFace: The face cannot be cut out.
    """
    if settings.crop.align == "eyes":
        face = with_exact_landmarks(detector_of_thread(settings.detector), pixels, face)
    crop = crop_face(pixels, face, settings.crop)
    content = encode_crop(crop, settings.crop)
    source = "({},{},{},{})".format(*crop.source)
    angle = round(crop.angle, 2)
    score = round(face.score, 4)
    return [name, len(content), crop.rectsize, source, angle, score], content


def detector_of_thread(settings: DetectorSettings) -> Detector:
    """This thread's detector: loading the network once serves all its shards."""
    made: tuple[DetectorSettings, Detector] | None = getattr(_local, "detector", None)
    if made is None or made[0] != settings:
        made = _local.detector = (settings, make_detector(settings))
    return made[1]


def crop_result(entries: Iterable[Entry], columns: Sequence[str], work: Work) -> CropResult:
    """Gather what portions gave, in their order."""
    rows: list[list[Any]] = []
    parts = [pd.DataFrame(columns=list(columns))]
    quarantine = Quarantine()
    for entry in entries:
        rows.extend(entry.rows)
        for path, reason, detail, sha256 in entry.set_aside:
            quarantine.add(path, reason, detail, sha256)
        if len(rows) >= _TABLE_PART:
            parts.append(pd.DataFrame(rows, columns=list(columns)))
            rows = []
    if rows:
        parts.append(pd.DataFrame(rows, columns=list(columns)))
    table = pd.concat(parts[1:] or parts, ignore_index=True).drop(columns="bytes")
    return CropResult(table, quarantine, work.new)


class CropWriter:
    """Writes crops in a thread of its own, so that no detection waits for the disk."""

    def __init__(self, folder: Folder) -> None:
        """Name the folder."""
        self._folder = folder
        self._thread = ThreadPoolExecutor(1)
        self._writing: list[Future[None]] = []
        self._gathered: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        """Nothing is written yet."""
        return self

    def add(self, name: str, content: bytes) -> None:
        """Take a crop; it may be written later."""
        self._gathered[name] = content
        if len(self._gathered) == _AT_A_TIME:
            self._write()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait until all are on the disk; raises what writing them raised."""
        if kind is None:
            self._write()
        self._thread.shutdown()
        for done in self._writing:
            done.result()

    def _write(self) -> None:
        if len(self._writing) > _BEHIND:
            self._writing.pop(0).result()
        self._writing.append(self._thread.submit(put_many, self._folder, self._gathered))
        self._gathered = {}


class CropFolder:
    """A folder of crops, and what a journal says should be in it."""

    def __init__(self, folder: str | Folder, journal: Journal) -> None:
        """Look at what lies there."""
        self.path, self.journal = place(folder), journal
        self._sizes = sizes_in(self.path)

    def has(self, entry: Entry) -> bool:
        """Whether all crops of a portion lie there with the size they were written with."""
        return all(self._sizes.get(row[0]) == row[1] for row in entry.rows)

    def begin(self) -> None:
        """Say what is done again, and mark the folder until the labels are written."""
        if self.journal.changed and self.journal.void:
            logger.info(
                "%s: everything is done again, because %s",
                self.path,
                "; ".join(self.journal.changed),
            )
        text = f"Crops are being made here. {command('preprocess')} goes on with it.\n"
        put_many(self.path, {UNFINISHED: text.encode()})

    def finish(self, portions: set[str]) -> None:
        """Delete what killed runs and earlier inputs left, and forget those inputs.

        The earlier crops of a portion that gave none this time stay, in no table, until it
        gives some or leaves the input: what set it aside may have been a wrong setting.

        Args:
            portions: The input of now.
        """
        journal = self.journal
        stays = [
            entry
            for entry in journal.void
            if entry.rows and entry.id in portions and not journal.done[entry.id].rows
        ]
        stale = {row[0] for entry in journal.void for row in entry.rows}
        for name, entry in journal.done.items():
            if name not in portions:
                stale.update(row[0] for row in entry.rows)
        for entry in stays:
            stale.difference_update(row[0] for row in entry.rows)
        for name in portions if stale else ():
            stale.difference_update(row[0] for row in journal.done[name].rows)
        for name in names_in(self.path):
            if name in stale:
                (self.path / name).unlink(missing_ok=True)
        if is_local(self.path):
            sweep(self.path)
        journal.tidy(portions, stays)
