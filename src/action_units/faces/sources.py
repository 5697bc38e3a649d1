"""From raw photographs and videos to a folder of crops and a table of them.

The work runs in several processes; tables, quarantine and the bytes of the crops
do not depend on how many.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import pandas as pd

from action_units.errors import ConfigurationError, LabelError, UnusableFace
from action_units.faces.cropping import Crop, crop_face
from action_units.faces.decoding import MAX_MEGAPIXELS, Pixels, decode, read_content
from action_units.faces.detection import DetectorSettings, FaceDetector, read_model
from action_units.faces.parallel import map_in_order
from action_units.faces.quarantine import Quarantine
from action_units.faces.video import read_frames
from action_units.facs.names import disfa_image
from action_units.files import write_bytes
from action_units.progress import Progress

_SHARD = 32
_SUFFIXES = (".jpg", ".png")


@dataclass(frozen=True)
class CropSettings:
    """How faces are found and cut out.

    Attributes:
        detector: How faces are looked for.
        margin: Grows the detector's box on each side, in parts of its size.
        max_size: Larger crops are made smaller to it, in pixels; None keeps them.
        suffix: ``.jpg`` or ``.png``.
        quality: Of JPEG, 1 to 100.
        max_megapixels: The largest photograph that is decoded.
    """

    detector: DetectorSettings = field(default_factory=DetectorSettings)
    margin: float = 0.1
    max_size: int | None = 300
    suffix: str = ".jpg"
    quality: int = 95
    max_megapixels: float = MAX_MEGAPIXELS

    def __post_init__(self) -> None:
        """Refuse what cannot be; raises ConfigurationError."""
        if self.suffix not in _SUFFIXES:
            raise ConfigurationError(
                f"suffix={self.suffix!r} is unknown: crops are {' or '.join(_SUFFIXES)}."
            )
        if not 0 <= self.margin <= 2:
            raise ConfigurationError(f"margin={self.margin!r} must lie between 0 and 2.")
        if self.max_size is not None and self.max_size < 1:
            raise ConfigurationError(f"max_size={self.max_size!r} must be 1 pixel or more.")
        if not 1 <= self.quality <= 100:
            raise ConfigurationError(f"quality={self.quality!r} must lie between 1 and 100.")


@dataclass(frozen=True)
class Video:
    """A video to crop.

    Attributes:
        path: The file.
        subject: Who it shows, such as ``SN001``.
        frames: How many frames have labels.
        camera: ``Right`` or ``Left``.
    """

    path: Path
    subject: str
    frames: int
    camera: str = "Right"


@dataclass(frozen=True)
class CropResult:
    """What came of cropping.

    Attributes:
        table: One row a crop, in the order of the input: ``image`` (the crop's file),
            ``rectsize``, ``source`` (its square in the photograph or frame), ``score``;
            of photographs also ``photograph``, of videos ``subject`` and ``frame``.
        quarantine: What gave no crop, and why.
        lost: Of videos: how many frames of each subject gave no crop, and so lose
            their labels; subjects that lost none are not in it.
    """

    table: pd.DataFrame
    quarantine: Quarantine
    lost: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Shard:
    """Some photographs, cropped by one worker in one go."""

    photographs: Path
    images: tuple[str, ...]
    names: tuple[str, ...]
    out: Path
    settings: CropSettings


_Row = dict[str, Any]
_Outcome = _Row | tuple[str, str, str, str]  # a crop's row, or a line of the quarantine


def crop_photographs(
    photographs: Path | str,
    images: Sequence[str],
    out: Path | str,
    settings: CropSettings | None = None,
    workers: int | None = None,
    names: Sequence[str] | None = None,
) -> CropResult:
    """Cut one face out of each photograph.

    Args:
        photographs: Their folder.
        images: Their names in it.
        out: The folder of the crops.
        settings: How faces are found and cut out.
        workers: Processes; None takes one a processor.
        names: The crops' names, without suffix; None takes the photographs'.

    Raises:
        LabelError: A name leads out of the folder, or two crops get the same name.
        ArtifactError: The detector's model is missing, or the disk refused.
    """
    photographs, out, settings = Path(photographs), Path(out), settings or CropSettings()
    stems = [PurePosixPath(image).stem for image in images] if names is None else list(names)
    files = [stem + settings.suffix for stem in stems]
    _check_names(photographs, images, files)
    read_model(settings.detector.model)  # before the workers start, for one clear error
    out.mkdir(parents=True, exist_ok=True)
    shards = [
        _Shard(
            photographs,
            tuple(images[start : start + _SHARD]),
            tuple(files[start : start + _SHARD]),
            out,
            settings,
        )
        for start in range(0, len(images), _SHARD)
    ]
    rows: list[_Row] = []
    quarantine = Quarantine()
    with Progress("Cropping", len(images), "photographs") as progress:
        for outcomes in map_in_order(_crop_shard, shards, workers):
            _sort(outcomes, rows, quarantine)
            progress.advance(len(outcomes), quarantine.summary())
    columns = ["image", "rectsize", "photograph", "source", "score"]
    return CropResult(pd.DataFrame(rows, columns=columns), quarantine)


def crop_videos(
    videos: Sequence[Video],
    out: Path | str,
    settings: CropSettings | None = None,
    workers: int | None = None,
) -> CropResult:
    """Cut one face out of each frame of some videos, a process each.

    The crops of a video are written once all its frames have been decoded and
    counted, so none is ever there under the number of another frame.

    Args:
        videos: The videos.
        out: The folder of the crops.
        settings: How faces are found and cut out.
        workers: Processes; None takes one a processor.

    Raises:
        LabelError: A video is missing or damaged, or its frames are not as many as
            its labels.
        ArtifactError: The detector's model is missing, or the disk refused.
    """
    out, settings = Path(out), settings or CropSettings()
    read_model(settings.detector.model)
    out.mkdir(parents=True, exist_ok=True)
    rows: list[_Row] = []
    quarantine = Quarantine()
    lost: dict[str, int] = {}
    tasks = [(video, out, settings) for video in videos]
    with Progress("Cropping", sum(video.frames for video in videos), "frames") as progress:
        results = map_in_order(_crop_video, tasks, workers)
        for video, outcomes in zip(videos, results, strict=True):
            before = len(quarantine)
            _sort(outcomes, rows, quarantine)
            if len(quarantine) > before:
                lost[video.subject] = lost.get(video.subject, 0) + len(quarantine) - before
            progress.advance(video.frames, quarantine.summary())
    columns = ["image", "rectsize", "subject", "frame", "source", "score"]
    return CropResult(pd.DataFrame(rows, columns=columns), quarantine, lost)


def find_videos(folder: Path | str, camera: str = "Right") -> dict[str, Path]:
    """DISFA's videos of one camera, by subject.

    Args:
        folder: With files such as ``RightVideoSN001_comp.avi``.
        camera: ``Right`` or ``Left``.

    Raises:
        LabelError: There is none, or a subject has two.
    """
    folder = Path(folder)
    found: dict[str, Path] = {}
    for path in sorted(folder.glob(f"{camera}Video*")):
        match = re.fullmatch(rf"{camera}Video(SN\d{{3}})(_\w+)?\.\w+", path.name, re.ASCII)
        if match is None:
            continue
        if match[1] in found:
            raise LabelError(
                folder,
                f"{found[match[1]].name} and {path.name} are both of {match[1]}; keep one.",
            )
        found[match[1]] = path
    if not found:
        raise LabelError(
            folder, f"no video is there; expected {camera}VideoSN001_comp.avi and so on."
        )
    return found


def with_labels(crops: pd.DataFrame, labels: pd.DataFrame, on: str = "image") -> pd.DataFrame:
    """Put the columns of a label table beside the crops, matched by name, never by order.

    Args:
        crops: As in ``CropResult.table``.
        labels: One row for each value of its column ``image``.
        on: The column of `crops` that `labels` calls ``image``: ``photograph`` where
            labels are a photograph's.

    Raises:
        ValueError: A crop has no labels, or a label row is there twice.
    """
    if labels["image"].duplicated().any():
        raise ValueError(
            f"{labels['image'][labels['image'].duplicated()].iloc[0]} has two rows"
        )
    new = [name for name in labels if name not in crops or name == "image"]
    keyed = labels[new].set_index("image")
    rows = keyed.index.get_indexer(pd.Index(crops[on]))
    if (rows < 0).any():
        raise ValueError(f"{crops[on].iloc[int((rows < 0).argmax())]} has no labels")
    beside = keyed.iloc[rows].reset_index(drop=True)
    return pd.concat([crops.reset_index(drop=True), beside], axis=1)


def _crop_shard(shard: _Shard) -> list[_Outcome]:
    detector = _detector(shard.settings.detector)
    outcomes: list[_Outcome] = []
    for image, name in zip(shard.images, shard.names, strict=True):
        path, content = shard.photographs / image, b""
        try:
            content = read_content(path)
            pixels = decode(content, max_megapixels=shard.settings.max_megapixels)
            row, encoded = _crop(pixels, name, detector, shard.settings)
        except UnusableFace as error:
            digest = hashlib.sha256(content).hexdigest() if content else ""
            outcomes.append((str(path), error.reason, error.detail, digest))
            continue
        write_bytes(shard.out / name, encoded)
        outcomes.append({**row, "photograph": image})
    return outcomes


def _crop_video(task: tuple[Video, Path, CropSettings]) -> list[_Outcome]:
    video, out, settings = task
    detector = _detector(settings.detector)
    outcomes: list[_Outcome] = []
    crops: list[tuple[str, bytes]] = []
    for frame, pixels in enumerate(read_frames(video.path, video.frames), 1):
        name = disfa_image(video.subject, frame, video.camera, settings.suffix)
        try:
            row, encoded = _crop(pixels, name, detector, settings)
        except UnusableFace as error:
            detail = f"frame {frame} of {video.path.name}: {error.detail}"
            outcomes.append((name, error.reason, detail, ""))
            continue
        crops.append((name, encoded))
        outcomes.append({**row, "subject": video.subject, "frame": frame})
    for name, encoded in crops:
        write_bytes(out / name, encoded)
    return outcomes


def _crop(
    pixels: Pixels, name: str, detector: FaceDetector, settings: CropSettings
) -> tuple[_Row, bytes]:
    face = detector.best(pixels)
    crop = crop_face(pixels, face.box, settings.margin, settings.max_size)
    row = {
        "image": name,
        "rectsize": crop.rectsize,
        "source": "({},{},{},{})".format(*crop.source),
        "score": round(face.score, 4),
    }
    return row, _encoded(crop, settings)


def _encoded(crop: Crop, settings: CropSettings) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, settings.quality] if settings.suffix == ".jpg" else []
    _, encoded = cv2.imencode(settings.suffix, crop.pixels, options)
    return encoded.tobytes()


@lru_cache(maxsize=1)
def _detector(settings: DetectorSettings) -> FaceDetector:
    """This process's detector: loading the network once serves all its shards."""
    return FaceDetector(settings)


def _sort(outcomes: list[_Outcome], rows: list[_Row], quarantine: Quarantine) -> None:
    for outcome in outcomes:
        if isinstance(outcome, dict):
            rows.append(outcome)
        else:
            quarantine.add(*outcome)


def _check_names(folder: Path, images: Sequence[str], files: Sequence[str]) -> None:
    taken: dict[str, str] = {}
    for image, file in zip(images, files, strict=True):
        path = PurePosixPath(image)
        if path.is_absolute() or ".." in path.parts or {"\\", "\0"} & set(image) or "/" in file:
            raise LabelError(folder, f"image {image!r} leads out of the folder.")
        if file in taken:
            raise LabelError(
                folder, f"{taken[file]} and {image} would both become the crop {file}."
            )
        taken[file] = image
