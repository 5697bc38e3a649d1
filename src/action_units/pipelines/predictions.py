"""The table of a network's predictions."""

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from action_units.faces.store import FaceStore
from action_units.labels.action_units import au_columns
from action_units.labels.coded_frames import MISSING

_COLUMNS = ("image", "subject", "recording", "frame", "origin", "set")


def predictions_of(
    faces: FaceStore,
    aus: Sequence[int],
    probabilities: npt.NDArray[np.floating],
    not_learned: Collection[int] = (),
) -> pd.DataFrame:
    """Join probabilities to the labels.

    Args:
        faces: The predicted faces.
        aus: The AUs.
        probabilities: Of each face and AU, ``(N, A)``.
        not_learned: AUs that no face was scored for in training: their labels are left out,
            so that nothing is fitted to or computed from probabilities that mean nothing.

    Returns:
        One row a face: ``image, subject, recording, frame, origin, set``, labels ``AU01`` …,
        intensities ``AU01_r`` … where the data has them, probabilities ``AU01_p`` ….
    """
    columns = au_columns(aus)
    names = [*_COLUMNS, *columns, *(f"{column}_r" for column in columns)]
    table = faces.table[[name for name in names if name in faces.table]].reset_index(drop=True)
    for column in au_columns(not_learned):
        table[column] = np.int8(MISSING)
        table = table.drop(columns=f"{column}_r", errors="ignore")
    table[[f"{column}_p" for column in columns]] = probabilities
    return table
