"""The table of what a network said of some faces."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from action_units.faces.store import FaceStore
from action_units.labels.action_units import au_columns

_KEPT = ("image", "subject", "recording", "frame", "origin")


def predictions_of(
    faces: FaceStore, aus: Sequence[int], probabilities: npt.NDArray[np.floating]
) -> pd.DataFrame:
    """Probabilities beside the labels.

    Args:
        faces: The faces that were asked about.
        aus: The AUs.
        probabilities: Of each face and AU, ``(N, A)``.

    Returns:
        One row a face: ``image, subject, frame, origin``, labels ``AU01`` …, intensities
        ``AU01_r`` … where the data has them, probabilities ``AU01_p`` ….
    """
    columns = au_columns(aus)
    kept = [*_KEPT, *columns, *(f"{column}_r" for column in columns)]
    table = faces.table[[name for name in kept if name in faces.table]].reset_index(drop=True)
    table[[f"{column}_p" for column in columns]] = probabilities
    return table
