"""A finished run as annotator: its networks' probabilities for a folder of crops."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from action_units.errors import ConfigurationError, UnusableFace
from action_units.evaluation.run_folder import MODEL
from action_units.faces.packing import packed_face
from action_units.labels.action_units import au_columns
from action_units.labels.annotations.read import Annotations
from action_units.media.images import Pixels, read_content
from action_units.media.paths import AnyPath
from action_units.prediction.loading import load_classifier
from action_units.progress import Progress

logger = logging.getLogger(__name__)

_BATCH = 512  # crops that are read, then predicted, at once


def annotate_crops(
    folder: AnyPath,
    crops: pd.DataFrame,
    run: Path,
    made_with: dict[str, Any],
    *,
    present_from: float | None = None,
    device: str = "auto",
) -> Annotations:
    """Label crops with a run's networks, all folds combined as in prediction.

    Args:
        folder: Of the crops.
        crops: A row a crop, with ``image`` and ``rectsize``.
        run: The folder of the run's models, or anything that ``load_classifier`` takes.
        made_with: How the crops were made (``FaceSettings.provenance``).
        present_from: The probability from which an AU is present; None: the run's thresholds.
        device: Where to compute.

    Returns:
        ``AU01`` …, and the probabilities ``AU01_p`` …, by the names of the crops.

    Raises:
        ConfigurationError: The run's faces were cut out in another way than the crops.
        ArtifactError: A file of the run is missing or damaged.
    """
    classifier = load_classifier(run, device=device)
    known = classifier.faces
    _check_crops(known.settings.provenance(), made_with, run)
    images = crops["image"].tolist()
    parts: list[npt.NDArray[np.float32]] = []
    present: list[npt.NDArray[np.bool_]] = []
    used: list[str] = []
    lost: list[tuple[str, str, int, str]] = []

    def read(row: int) -> Pixels | UnusableFace:
        try:
            content = read_content(folder / images[row])
            rectsize = str(crops["rectsize"].iloc[row])
            return packed_face(content, known.size, rectsize, known.colour)
        except UnusableFace as error:
            return error

    with (
        Progress("Annotating crops", len(images), "crops") as progress,
        ThreadPoolExecutor() as pool,
    ):
        for rows in _batches(len(images)):
            batch = []
            for row, face in zip(rows, pool.map(read, rows), strict=True):
                if isinstance(face, UnusableFace):
                    lost.append((images[row], images[row], 1, f"{face.reason}: {face.detail}"))
                else:
                    batch.append(face)
                    used.append(images[row])
            if batch:
                p, shown, _ = classifier.combine(classifier.probabilities(np.stack(batch)))
                parts.append(p)
                present.append(shown if present_from is None else p >= present_from)
            progress.advance(len(rows))
    width = len(classifier.aus)
    p = np.concatenate([np.empty((0, width), np.float32), *parts])  # (N, A)
    labels = np.concatenate([np.empty((0, width), bool), *present]).astype(np.int8)
    names = au_columns(classifier.aus)
    table = pd.concat(
        [
            pd.DataFrame({"image": used}, dtype=str),
            pd.DataFrame(labels, columns=names),
            pd.DataFrame(p, columns=[f"{name}_p" for name in names]),
        ],
        axis=1,
    )
    dropped = pd.DataFrame(lost, columns=["image", "file", "line", "reason"])
    logger.info("%s crops annotated by %s", f"{len(table):,}", classifier.name)
    return Annotations(table, dropped, title=f"run {classifier.name}")


def find_run(given: str, models: Path) -> Path:
    """The folder of a run's models, given that or the run's name.

    Args:
        given: A folder or file, or the name of a run.
        models: The folder in which each run has one of its own.

    Raises:
        ConfigurationError: There is none, or the run has several.
    """
    path = Path(given)
    if path.exists():
        return path
    own = models / path.name  # a name may have been made a path
    places = sorted({file.parent.parent for file in own.rglob(f"fold*/{MODEL}")})
    if len(places) == 1:
        return places[0]
    if not places:
        raise ConfigurationError(
            f"annotations.path={given!r} is neither a folder nor the name of a finished run in "
            f"{models}."
        )
    raise ConfigurationError(
        f"the run {path.name} has been trained on several sets or protocols; set "
        f"annotations.path to one of {', '.join(map(str, places))}."
    )


def _check_crops(expected: dict[str, Any], made_with: dict[str, Any], run: Path) -> None:
    """Check that faces were cut out as those that the networks know."""
    differ = [
        f"{group}.{name} is {made_with[group].get(name, False)!r} here and {value!r} there"
        for group in ("detector", "crop")
        for name, value in expected[group].items()
        # Where the network of the detector lies, and how a crop is stored, change nothing; nor
        # do colours that a network does not look at.
        if name not in ("model", "suffix", "quality") and made_with[group].get(name) != value
    ]
    if differ:
        raise ConfigurationError(
            f"the faces of {run} were cut out in another way than these: {'; '.join(differ)}. "
            "Its networks do not know such faces; set `preprocess` as in that run."
        )


def _batches(count: int) -> Iterator[range]:
    for start in range(0, count, _BATCH):
        yield range(start, min(start + _BATCH, count))
