"""Pictures beside the tables of predictions: annotated copies and timelines, on request."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from action_units.prediction.folder import Outcome
from action_units.prediction.sources import Photographs, PictureFile, short_name
from action_units.prediction.tables import read_table, with_suffix

logger = logging.getLogger(__name__)

VIDEO, PICTURE = "_annotated.webm", "_annotated.png"


def draw(done: Sequence[Outcome], *, annotate: bool, timeline: bool) -> list[Path]:
    """Draw what was asked for beside the tables.

    Args:
        done: What was predicted; of what was set aside nothing is drawn.
        annotate: A copy of each picture and video with boxes, bars and active AUs.
        timeline: A plot of every AU along each video, one for each face.

    Returns:
        The files, in the order of the sources.
    """
    drawn: list[Path] = []
    for outcome in done:
        if outcome.record and (annotate or timeline):
            table = read_table(outcome.table)
            drawn += _annotated(outcome, table) if annotate else []
            drawn += _timelines(outcome, table) if timeline else []
    return drawn


def _timelines(outcome: Outcome, table: pd.DataFrame) -> Iterator[Path]:
    from action_units.prediction.timeline import draw_timelines

    if not isinstance(outcome.part, Photographs):
        out = with_suffix(outcome.stem, "_timeline.png")
        yield from draw_timelines(table, out, title=outcome.part.given)


def _annotated(outcome: Outcome, table: pd.DataFrame) -> Iterator[Path]:
    from action_units.prediction.annotation import annotate

    part, name = outcome.part, str(outcome.record["classifier"])
    if not isinstance(part, Photographs):
        yield annotate(part.path, table, with_suffix(outcome.stem, VIDEO), name=name)
        return
    files = [
        (chunk.id, chunk.path)
        for chunk in part.chunks
        if isinstance(chunk, PictureFile) and isinstance(chunk.path, Path)
    ]
    if len(files) < len(part.chunks):
        logger.warning(
            "%s: photographs in a tar, a TSV or a store are not annotated; copy them "
            "into a folder first.",
            part.location,
        )
    of_image = dict(tuple(table.groupby("image")))
    # As the table's name has it where another source has taken the plain one.
    other = outcome.stem.name.removeprefix(part.name)
    for image, path in files:
        if image in of_image:
            flat = short_name(image.strip("/").replace("/", "~"))
            out = outcome.stem.parent / f"{flat}{other}{PICTURE}"
            yield annotate(path, of_image[image], out, name=name)
