"""Contact sheets: many face pictures on one page, each with its caption."""

from collections.abc import Sequence

import cv2
import numpy as np

from action_units.sample.canvas import Bytes

_STRIP, _FONT, _SIZE = 18, cv2.FONT_HERSHEY_SIMPLEX, 0.38


def contact_sheet(
    images: Sequence[Bytes],
    captions: Sequence[str],
    columns: int = 6,
    tile: int | None = None,
    margin: int = 4,
) -> Bytes:
    """Lay pictures out in rows, a line of text under each.

    Args:
        images: Pictures, uint8 (H, W) or (H, W, 3), of one size unless ``tile`` is given.
        captions: One short line each; what does not fit is cut with an ellipsis.
        columns: Pictures in a row.
        tile: Side of a square that every picture is resized to; None keeps their size.
        margin: White pixels around each.

    Returns:
        uint8 (rows, columns[, 3]) page, white behind; a small white page for no pictures.

    Raises:
        ValueError: Captions and pictures differ in number, or sizes differ.
    """
    if len(images) != len(captions):
        raise ValueError(f"{len(images)} images but {len(captions)} captions")
    if not images:
        return np.full((_STRIP, 2 * _STRIP), 255, np.uint8)
    if tile is not None:
        images = [_resized(image, tile) for image in images]
    if len({image.shape for image in images}) > 1:
        raise ValueError("the images differ in size; give a tile size")
    height, width, *channels = images[0].shape
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    cell_h, cell_w = height + _STRIP + margin, width + margin
    page = (rows * cell_h + margin, columns * cell_w + margin, *channels)
    sheet = np.full(page, 255, np.uint8)
    for k, (image, caption) in enumerate(zip(images, captions, strict=True)):
        top = margin + (k // columns) * cell_h
        left = margin + (k % columns) * cell_w
        sheet[top : top + height, left : left + width] = image
        base = (left + 2, top + height + 13)
        cv2.putText(sheet, _fitting(caption, width - 4), base, _FONT, _SIZE, 0, 1, cv2.LINE_AA)
    return sheet


def _resized(image: Bytes, side: int) -> Bytes:
    resized: Bytes = np.asarray(
        cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), dtype=np.uint8
    )
    return resized


def _fitting(text: str, width: int) -> str:
    """The text, cut so that it is at most ``width`` pixels wide."""
    while text and cv2.getTextSize(text, _FONT, _SIZE, 1)[0][0] > width:
        text = text[:-3] + ".." if text.endswith("..") else text[:-1] + ".."
    return text
