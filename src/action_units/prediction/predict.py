"""From a source and a model to tables: the Python function, the command and the pipeline."""

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from action_units.errors import ConfigurationError, UnusableFace
from action_units.evaluation.metrics import Floats
from action_units.faces.quarantine import Quarantine
from action_units.locks import locked
from action_units.media.images import Pixels
from action_units.media.paths import given_path
from action_units.prediction.centring import centrings_of, neutral_references
from action_units.prediction.classifier import Classifier
from action_units.prediction.engine import Engine, InputImage
from action_units.prediction.loading import load_classifier
from action_units.prediction.outputs import (
    Outcome,
    Rows,
    arrow_table,
    data_frame,
    summary_table,
    write_tables,
)
from action_units.prediction.sources import Photographs, Source, open_source, skipped_text

logger = logging.getLogger(__name__)


def predict(
    source: Path | str | Pixels | Sequence[Path | str],
    model: Path | str | Classifier,
    *,
    fold: int | None = None,
    out: Path | str | None = None,
    faces: str = "all",
    person_centred: str = "none",
    neutral: Path | str | None = None,
    device: str = "auto",
    workers: int | None = None,
    batch_size: int | None = None,
    detector: str | None = None,
    min_confidence: float | None = None,
) -> pd.DataFrame:
    """Predict the action units of all faces in pictures or videos.

    Args:
        source: A picture, a video, a folder of either, a text with one path a line, a URL of
            photographs, or several of these; or one picture's pixels, uint8 gray ``(H, W)`` or
            blue-green-red ``(H, W, 3)``, as OpenCV reads them.
        model: The folder of a run's models, such as
            ``data/06_models/sample/main/disfa/fg2020``, one ``.safetensors`` of it, an
            exported folder, or a classifier of ``load_classifier``, which saves loading it
            again.
        fold: Which fold's network; None combines all that exist.
        out: A folder for tables, for sources of any length; see ``predict_files``.
        faces: ``all`` follows every face; ``one`` takes the face that preprocessing takes.
        person_centred: Whether probabilities are relative to the person's own face: ``none``;
            ``running``, from the frames of the face until now; ``video``, from all its frames.
            Photographs, and faces of few frames, are as with ``none``.
        neutral: Pictures or a video of the person's neutral face, for the same in place of
            frames of the source; with ``faces="one"``.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        workers: Threads; None for one a core.
        batch_size: Faces in a batch; changes speed and memory only.
        detector: ``yunet`` or ``ssd``, in place of the one the model was trained with.
        min_confidence: The lowest detector score that counts as a face.

    Returns:
        Without `out`, one row for each face of each frame: ``image`` (of pictures),
        ``frame``, ``timestamp``, ``face_id``, ``confidence``, ``success``, the box ``x, y,
        width, height``, probabilities ``AU01_p`` …, expected intensities ``AU01_r`` …
        (0 to 5, where the model has them) and calls ``AU01_c`` …. A frame without a face has
        one row, with ``face_id`` -1 and ``success`` 0. Where the source has several tables, a
        first column ``source`` distinguishes them. With `out`, one row for each table written:
        ``source, table, frames, rows, faces, set_aside, done_before``.

    Raises:
        LabelError: The source does not exist, or (without `out`) a video is damaged.
        UnusableFace: Without `out`, a picture cannot be used.
        ArtifactError: The model is missing or damaged, or the disk refused.
        ConfigurationError: A value is outside its choices, or no path was given.

    Example:
        >>> import action_units
        >>> table = action_units.predict("photograph.png", "models/fg2020", fold=3)
        >>> table[["image", "face_id", "success"]]
                    image  face_id  success
        0  photograph.png        0        1
    """
    if out is not None:
        if isinstance(source, np.ndarray):
            raise ConfigurationError("out is for files; a picture in memory has no name.")
        files = predict_files(
            source,
            model,
            out,
            fold=fold,
            faces=faces,
            person_centred=person_centred,
            neutral=neutral,
            device=device,
            workers=workers,
            batch_size=batch_size,
            detector=detector,
            min_confidence=min_confidence,
        )
        return summary_table(files.outcomes)
    opened = None if isinstance(source, np.ndarray) else open_source(source)
    classifier = _classifier(model, fold, device, detector, min_confidence)
    given = _neutral(neutral, person_centred, faces, classifier, workers, batch_size)
    with Engine(classifier, faces, workers, batch_size, person_centred, given) as engine:
        if isinstance(source, np.ndarray):
            return _table_of_pixels(source, engine)
        assert opened is not None
        return _table_in_memory(opened, engine)


@dataclass(frozen=True)
class PredictedFiles:
    """What ``predict_files`` wrote.

    Attributes:
        outcomes: One for the photographs of the source, and one for each video.
        drawings: Annotated copies and timelines.
        complete: Nothing of the source was quarantined.
    """

    outcomes: list[Outcome]
    drawings: list[Path]
    complete: bool


def predict_files(
    source: Path | str | Sequence[Path | str],
    model: Path | str | Classifier,
    out: Path | str,
    *,
    fold: int | None = None,
    faces: str = "all",
    person_centred: str = "none",
    neutral: Path | str | None = None,
    device: str = "auto",
    workers: int | None = None,
    batch_size: int | None = None,
    detector: str | None = None,
    min_confidence: float | None = None,
    annotate: bool = False,
    timeline: bool = False,
) -> PredictedFiles:
    """Write the tables of sources of any length, and their drawings.

    What was done before with the same model and settings is not done again, and what cannot
    be used is quarantined. One process at a time writes in `out`. `annotate` adds copies of
    pictures and videos with boxes and bars, `timeline` a plot of every AU along each video,
    one for each face; all other arguments are those of ``predict``.

    Raises:
        LabelError: The source does not exist, or is a single video, which is damaged.
        UnusableFace: It is a single picture, which cannot be used.
        ArtifactError: The model is missing or damaged, or the disk refused.
        ConfigurationError: A value is outside its choices, or no path was given.
    """
    out = given_path(out)
    opened = open_source(source, out)
    classifier = _classifier(model, fold, device, detector, min_confidence)
    with locked(out):
        given = _neutral(neutral, person_centred, faces, classifier, workers, batch_size)
        with Engine(classifier, faces, workers, batch_size, person_centred, given) as engine:
            outcomes = write_tables(opened, engine, out)
        drawings: list[Path] = []
        if annotate or timeline:
            from action_units.prediction.draw import draw  # loads matplotlib and PyAV

            drawings = draw(outcomes, annotate=annotate, timeline=timeline)
    complete = not (len(opened.quarantine) or any(len(one.quarantine) for one in outcomes))
    return PredictedFiles(outcomes, drawings, complete)


def _classifier(
    model: Path | str | Classifier,
    fold: int | None,
    device: str,
    detector: str | None,
    min_confidence: float | None,
) -> Classifier:
    if not isinstance(model, Classifier):
        model = load_classifier(model, fold, device=device)
    elif fold is not None:
        raise ConfigurationError("fold is for a model on disk; load_classifier takes it.")
    return model.with_detector(detector, min_confidence)


def _neutral(
    path: Path | str | None,
    person_centred: str,
    faces: str,
    classifier: Classifier,
    workers: int | None,
    batch_size: int | None,
) -> Floats | None:
    """The reference of a person from neutral frames, (M, A); None without a path."""
    if path is None:
        return None
    if faces != "one" or person_centred != "none":
        raise ConfigurationError(
            f"neutral={path} is of one person and takes the place of other frames: give "
            "faces=one, and leave person_centred out."
        )
    centrings, raw = centrings_of(classifier), []
    source = open_source(path)
    _check_usable(source.quarantine)
    with Engine(classifier, "one", workers, batch_size) as engine:
        for part in source.parts:
            quarantine = Quarantine()
            frames = part.read() if isinstance(part, Photographs) else part.path
            raw.append(engine.raw_probabilities(frames, quarantine))
            _check_usable(quarantine)
    together = np.concatenate(raw, axis=1)
    if not together.shape[1]:
        raise ConfigurationError(
            f"neutral={path}: no face was found in it; give pictures or a video of the "
            "person's neutral face."
        )
    logger.info("%s: %s neutral frames.", path, f"{together.shape[1]:,}")
    return neutral_references(centrings, together)


def _table_of_pixels(pixels: Pixels, engine: Engine) -> pd.DataFrame:
    colour = pixels.ndim == 3 and pixels.shape[2] == 3
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or colour) or not pixels.size:
        raise ConfigurationError(
            f"the picture is {pixels.dtype} {pixels.shape}; expected uint8 (H, W) or (H, W, 3)."
        )
    rows = list(engine.images(iter([InputImage("", 1, 0.0, pixels)]), Quarantine()))
    classifier = engine.classifier
    return data_frame(arrow_table(rows, classifier.aus, False, classifier.estimated))


def _table_in_memory(source: Source, engine: Engine) -> pd.DataFrame:
    _check_usable(source.quarantine)
    if source.skipped:
        logger.warning("%s: skipped: %s", source.location, skipped_text(source.skipped))
    tables = []
    for part in source.parts:
        photographs, quarantine = isinstance(part, Photographs), Quarantine()
        stream = (
            engine.photographs(part.read(), quarantine)
            if isinstance(part, Photographs)
            else engine.video(part.path)
        )
        rows: list[Rows] = []
        with closing(stream):
            for some in stream:
                rows.append(some)
                _check_usable(quarantine)
        _check_usable(quarantine)
        for path, reason, detail, _ in quarantine.rows():
            logger.warning("%s: %s: %s", path, reason, detail)
        classifier = engine.classifier
        table = data_frame(arrow_table(rows, classifier.aus, photographs, classifier.estimated))
        if len(source.parts) > 1:
            table.insert(0, "source", part.name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _check_usable(quarantine: Quarantine) -> None:
    """A table in memory has no quarantine file, so nothing may be left out of it."""
    if unusable := quarantine.unusable():
        path, reason, detail, _ = unusable[0]
        raise UnusableFace(
            reason, f"{path}: {detail}; with a folder `out` it would be quarantined."
        )
