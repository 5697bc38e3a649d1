"""Colours of figures and pages, figures as PNG or as inline SVG, and faces inline.

The hues are Okabe and Ito's (2008), which can be distinguished with any kind of colour vision.
In an inline SVG the colours of `LIGHT` become the page's CSS variables of the same names, so
that it follows the page between light and dark.
"""

import base64
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from html import escape
from typing import Any

import cv2
import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray


@dataclass(frozen=True)
class Palette:
    """The colours of a figure, by what they stand for."""

    ink: str = "#1b1f24"
    muted: str = "#5d6670"
    grid: str = "#dfe3e8"
    paper: str = "#ffffff"
    ours: str = "#0072b2"
    scratch: str = "#b87400"
    good: str = "#00795a"
    bad: str = "#b34700"


LIGHT = Palette()

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "action_units",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
}


@contextmanager
def style(palette: Palette = LIGHT) -> Iterator[None]:
    """Matplotlib's settings while a figure is made in these colours; a decorator, too."""
    colours: dict[Any, Any] = {
        "text.color": palette.ink,
        "axes.edgecolor": palette.grid,
        "axes.labelcolor": palette.muted,
        "axes.titlecolor": palette.ink,
        "axes.facecolor": palette.paper,
        "figure.facecolor": palette.paper,
        "grid.color": palette.grid,
        "xtick.color": palette.muted,
        "ytick.color": palette.muted,
    }
    with rc_context({**_STYLE, **colours}):
        yield


def set_margins(
    figure: Figure, left: float, bottom: float, right: float, top: float, **gaps: float
) -> None:
    """Fix a figure's margins, in inches: to have them computed takes as long as drawing.

    Args:
        figure: The figure, before or after its panels are made.
        left: Of the figure's edge to the panels.
        bottom: See there.
        right: See there.
        top: See there.
        gaps: ``wspace`` and ``hspace`` between panels, in parts of a panel.
    """
    width, height = figure.get_size_inches()
    figure.subplots_adjust(
        left / width, bottom / height, 1 - right / width, 1 - top / height, **gaps
    )


def to_png(figure: Figure, dpi: int = 144) -> bytes:
    """A figure as PNG, the same bytes each time."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def to_inline_svg(figure: Figure, name: str, description: str) -> str:
    """A figure drawn in `LIGHT` as an SVG element of the page.

    Args:
        figure: The figure.
        name: Unique in the page; the ids inside start with it.
        description: For screen readers.
    """
    buffer = io.StringIO()
    with rc_context(_STYLE):
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=metadata, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for field in fields(Palette):
        text = text.replace(getattr(LIGHT, field.name), f"var(--{field.name})")
    text = re.sub(r"(?:'DejaVu Sans'|DejaVu Sans)(?:, [^;\"]*)?", "var(--sans)", text)
    # Keep only ids that something refers to, and make them unique in the page.
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", text))
    text = re.sub(
        r'\sid="([^"]+)"',
        lambda match: f' id="{name}-{match[1]}"' if match[1] in used else "",
        text,
    )
    text = re.sub(r"(url\(#|href=\"#)", rf"\1{name}-", text)
    view_box = re.search(r'viewBox="[^"]+"', text)
    assert view_box is not None  # matplotlib always writes one
    width = float(view_box[0].split()[2]) * 4 / 3  # points to CSS pixels
    opening = (
        f'<svg {view_box[0]} style="max-width:{width:.0f}px" '
        f'role="img" aria-label="{escape(description)}">'
    )
    return opening + text[text.index(">") + 1 :].replace("xlink:href", "href")


def to_inline_jpeg(face: NDArray[np.uint8]) -> str:
    """A face, uint8 (H, W) or in colour (H, W, 3), as the address of an image in the page."""
    pixels = face if face.ndim == 2 else cv2.cvtColor(face, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"
