"""The Python interface: ``action_units.predict``."""

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from action_units.config import DetectorSettings
from action_units.errors import ConfigurationError, UnusableFace
from action_units.faces.quarantine import Quarantine
from action_units.locks import locked
from action_units.media.images import Pixels
from action_units.media.paths import given_path
from action_units.prediction.classifier import Classifier, FaceInput
from action_units.prediction.engine import Engine, Shot
from action_units.prediction.folder import predict_into, summary_table
from action_units.prediction.loading import load_classifier
from action_units.prediction.sources import Photographs, Source, open_source, passed_over
from action_units.prediction.tables import Rows, arrow_table, data_frame

logger = logging.getLogger(__name__)


def predict(
    source: Path | str | Pixels | Sequence[Path | str],
    model: Path | str | Classifier,
    *,
    fold: int | None = None,
    out: Path | str | None = None,
    faces: str = "all",
    device: str = "auto",
    workers: int | None = None,
    batch_size: int | None = None,
    detector: str | None = None,
    min_confidence: float | None = None,
) -> pd.DataFrame:
    """Find the faces in pictures or videos, and tell which action units they show.

    Args:
        source: A picture, a video, a folder of either, a text with one path a line, a URL of
            photographs, or several of these; or one picture's pixels, uint8 gray ``(H, W)`` or
            blue-green-red ``(H, W, 3)``, as OpenCV has them.
        model: The folder of a run's models, such as ``data/06_models/sample/main/fg2020``,
            one ``.safetensors`` of it, an exported folder, or a classifier of
            ``load_classifier``, which saves loading it again.
        fold: Which fold's network; None takes all that are there, which answer as one.
        out: A folder for tables, for sources of any length: what was done before with the
            same model is not done again, and what cannot be used is set aside.
        faces: ``all`` follows every face; ``one`` takes the face that preprocessing takes.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        workers: Threads; None for one a core.
        batch_size: Faces that are asked about at once; changes speed and memory only.
        detector: ``yunet`` or ``ssd``, in place of the one the model was trained with.
        min_confidence: The lowest detector's score that counts as a face.

    Returns:
        Without `out`, one row for each face of each frame: ``image`` (of pictures),
        ``frame``, ``timestamp``, ``face_id``, ``confidence``, ``success``, the box ``x, y,
        width, height``, probabilities ``AU01_p`` … and calls ``AU01_c`` …. A frame without
        a face has one row, with ``face_id`` -1 and ``success`` 0. Where the source has
        several tables, a first column ``source`` tells them apart. With `out`, one row for
        each table written: ``source, table, frames, rows, faces, set_aside, done_before``.

    Raises:
        LabelError: Nothing is there, or (without `out`) a video is damaged.
        UnusableFace: Without `out`, a picture cannot be used.
        ArtifactError: The model is missing or damaged, or the disk refused.
        ConfigurationError: A value is outside its choices, or there are no paths.

    Example:
        >>> import action_units
        >>> table = action_units.predict("photograph.png", "models/fg2020", fold=3)
        >>> table[["image", "face_id", "success"]]
                    image  face_id  success
        0  photograph.png        0        1
    """
    if isinstance(model, Classifier):
        if fold is not None:
            raise ConfigurationError("fold is for a model on disk; load_classifier takes it.")
        classifier = model
    else:
        classifier = load_classifier(model, fold, device=device)
    classifier = with_detector(classifier, detector, min_confidence)
    out = None if out is None else given_path(out)
    with Engine(classifier, faces, workers, batch_size) as engine:
        if isinstance(source, np.ndarray):
            if out is not None:
                raise ConfigurationError("out is for files; a picture in memory has no name.")
            return _one_picture(source, engine)
        opened = open_source(source, out)
        if out is not None:
            with locked(out):
                return summary_table(predict_into(opened, engine, out))
        return _in_memory(opened, engine)


def with_detector(
    classifier: Classifier, detector: str | None = None, min_confidence: float | None = None
) -> Classifier:
    """A classifier that finds faces in another way; None leaves things as they are.

    Args:
        classifier: Is not changed.
        detector: ``yunet`` or ``ssd``.
        min_confidence: The lowest score that counts as a face.

    Raises:
        ConfigurationError: A value is outside its choices, or the crops are aligned by
            eyes that the detector does not find.
    """
    settings = classifier.faces.settings
    chosen = settings.detector
    if detector is not None and detector != chosen.name:
        chosen = DetectorSettings.read(
            {**chosen.model_dump(), "name": detector, "model": None, "score": None}, "detector"
        )
    if min_confidence is not None:
        chosen = DetectorSettings.read(
            {**chosen.model_dump(), "score": min_confidence}, "min_confidence: detector"
        )
    if chosen == settings.detector:
        return classifier
    faces = FaceInput(replace(settings, detector=chosen), classifier.faces.size)
    return Classifier(classifier.members, faces, classifier.name, classifier.sha256)


def _one_picture(pixels: Pixels, engine: Engine) -> pd.DataFrame:
    colour = pixels.ndim == 3 and pixels.shape[2] == 3
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or colour) or not pixels.size:
        raise ConfigurationError(
            f"the picture is {pixels.dtype} {pixels.shape}; expected uint8 (H, W) or (H, W, 3)."
        )
    rows = list(engine.pictures(iter([Shot("", 1, 0.0, pixels)]), Quarantine()))
    return data_frame(arrow_table(rows, engine.classifier.aus, photographs=False))


def _in_memory(source: Source, engine: Engine) -> pd.DataFrame:
    _refuse(source.set_aside)
    if source.passed_over:
        logger.warning("%s: passed over: %s", source.location, passed_over(source.passed_over))
    tables = []
    for part in source.parts:
        photographs, quarantine = isinstance(part, Photographs), Quarantine()
        if isinstance(part, Photographs):
            stream = engine.photographs(part.read(), quarantine)
        else:
            stream = engine.video(part.path)
        rows: list[Rows] = []
        with closing(stream):
            for some in stream:
                rows.append(some)
                _refuse(quarantine)
        _refuse(quarantine)
        for path, reason, detail, _ in quarantine.rows():
            logger.warning("%s: %s: %s", path, reason, detail)
        table = data_frame(arrow_table(rows, engine.classifier.aus, photographs))
        if len(source.parts) > 1:
            table.insert(0, "source", part.name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _refuse(quarantine: Quarantine) -> None:
    """A table in memory has no quarantine beside it, so nothing may be left out of it."""
    if unusable := quarantine.unusable():
        path, reason, detail, _ = unusable[0]
        raise UnusableFace(reason, f"{path}: {detail}; give a folder `out` to set it aside.")
