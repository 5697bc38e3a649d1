"""The table of a network's predictions."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from action_units.faces.store import FaceStore
from action_units.labels.action_units import au_columns

_COLUMNS = ("image", "subject", "recording", "frame", "origin")


def predictions_of(
    faces: FaceStore, aus: Sequence[int], probabilities: npt.NDArray[np.floating]
) -> pd.DataFrame:
    """Join probabilities to the labels.

    Args:
        faces: The predicted faces.
        aus: The AUs.
        probabilities: Of each face and AU, ``(N, A)``.

    Returns:
        One row a face: ``image, subject, frame, origin``, labels ``AU01`` …, intensities
        ``AU01_r`` … where the data has them, probabilities ``AU01_p`` ….
    """
    columns = au_columns(aus)
    names = [*_COLUMNS, *columns, *(f"{column}_r" for column in columns)]
    table = faces.table[[name for name in names if name in faces.table]].reset_index(drop=True)
    table[[f"{column}_p" for column in columns]] = probabilities
    return table
