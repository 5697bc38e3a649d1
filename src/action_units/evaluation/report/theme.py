"""Colours of figures and page, and figures as PNG or as inline SVG.

The hues are Okabe and Ito's (2008), told apart with any kind of colour vision.
An inline SVG is drawn in stand-in colours that are then replaced by the page's CSS
variables, so that it follows the page between light and dark.
"""

import io
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Palette:
    """The colours of a figure, by what they stand for."""

    ink: str = "#1b1f24"
    muted: str = "#5d6670"
    grid: str = "#dfe3e8"
    paper: str = "#ffffff"
    ours: str = "#0072b2"
    scratch: str = "#b87400"
    right: str = "#00795a"
    wrong: str = "#b34700"


LIGHT = Palette()
STAND_INS = Palette(**{f.name: f"#{0xA1B200 + i:06x}" for i, f in enumerate(fields(Palette))})

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "action_units",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
}


def settings(palette: Palette) -> AbstractContextManager[None]:
    """Matplotlib's settings while a figure is made in these colours."""
    coloured: dict[Any, Any] = {
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
    return rc_context({**_SETTINGS, **coloured})


def to_png(figure: Figure, dpi: int = 144) -> bytes:
    """A figure drawn in `LIGHT` as PNG, the same bytes each time."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def to_inline_svg(figure: Figure, name: str, description: str) -> str:
    """A figure drawn in `STAND_INS` as an SVG element to put into the page.

    Args:
        figure: The figure.
        name: Unique in the page; the ids inside start with it.
        description: What a screen reader says.
    """
    buffer = io.StringIO()
    with rc_context(_SETTINGS):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for field in fields(Palette):
        text = text.replace(getattr(STAND_INS, field.name), f"var(--{field.name})")
    text = re.sub(r"(?:'DejaVu Sans'|DejaVu Sans)(?:, [^;\"]*)?", "var(--sans)", text)
    # Only ids that are pointed at are kept, made unique in the page.
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", text))
    text = re.sub(
        r'\sid="([^"]+)"',
        lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "",
        text,
    )
    text = re.sub(r"(url\(#|href=\"#)", rf"\1{name}-", text)
    view_box = re.search(r'viewBox="[^"]+"', text)
    assert view_box is not None  # matplotlib always writes one
    width = view_box[0].split()[2]
    opening = (
        f'<svg {view_box[0]} style="max-width:{float(width) * 4 / 3:.0f}px" '
        f'role="img" aria-label="{_attribute(description)}">'
    )
    return opening + text[text.index(">") + 1 :].replace("xlink:href", "href")


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
