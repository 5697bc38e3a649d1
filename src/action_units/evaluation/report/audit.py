"""The page of labels that the pre-trained network disbelieves: one contact sheet an AU."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from action_units.evaluation.report.formatting import templates
from action_units.evaluation.report.theme import to_inline_jpeg
from action_units.labels.action_units import AU_NAMES


def render_audit(
    listed: pd.DataFrame,
    counts: pd.DataFrame,
    faces: NDArray[np.uint8],
    n_identities: int,
    *,
    title: str = "Audit of the web labels",
    rendered: bool = False,
) -> str:
    """The page as one HTML document that loads nothing from anywhere.

    Args:
        listed: From ``audit``, with ``image``, ``identity`` and, where the annotator has them,
            ``set``, ``annotator``, ``intensity`` and ``annotator_probability``.
        counts: From ``audit``.
        faces: All faces that were held out, uint8 (N, H, W[, 3]).
        n_identities: How many people they are.
        title: Heading of the page.
        rendered: The faces are rendered, not people's.
    """
    return (
        templates()
        .get_template("audit.html.j2")
        .render(
            title=title,
            rendered=rendered,
            n=len(faces),
            n_identities=n_identities,
            aus=[_au(au, listed, counts, faces) for au in counts["au"].unique().tolist()],
            names=AU_NAMES,
        )
    )


def _au(
    au: int, listed: pd.DataFrame, counts: pd.DataFrame, faces: NDArray[np.uint8]
) -> dict[str, Any]:
    """One AU: its counts by label, and its sheets."""
    own, counts = listed[listed["au"] == au], counts[counts["au"] == au]
    return {
        "au": au,
        "counts": counts.set_index("label").to_dict("index"),
        "sheets": {
            label: [
                {**row, "src": to_inline_jpeg(faces[row["row"]])}
                for row in own[own["label"] == label].to_dict("records")
            ]
            for label in (1, 0)
        },
    }
