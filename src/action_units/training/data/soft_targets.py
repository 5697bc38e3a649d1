"""Soft targets from the intensities that OpenFace writes beside its 0/1 labels."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from action_units.config import SoftTargets
from action_units.errors import ConfigurationError
from action_units.labels.action_units import au_column

FloatArray = npt.NDArray[np.float32]

NEEDED = (
    "soft_targets needs the columns AU01_r … of OpenFace's files, which the web set's crops "
    "carry only when they were cut from raw photographs; set soft_targets.curve to none"
)


def soften(
    options: SoftTargets, targets: FloatArray, intensities: npt.ArrayLike | None
) -> FloatArray:
    """The targets to learn from.

    Args:
        options: The curve.
        targets: float32 (N, A), labels in [0, 1]; negative where missing.
        intensities: (N, A) from 0 to 5; NaN where there is none, and there the label stays.

    Returns:
        float32 (N, A); a missing label stays missing.

    Raises:
        ConfigurationError: The curve needs intensities and there are none, or they are not
            such.
    """
    if options.curve == "none":
        return targets
    if intensities is None:
        raise ConfigurationError(f"There are no intensities: {NEEDED}.")
    values = np.asarray(intensities, np.float64)
    if values.shape != targets.shape:
        raise ConfigurationError(
            f"intensities are {values.shape} and labels {targets.shape}; they must be alike."
        )
    given = ~np.isnan(values)
    if not given.any():
        raise ConfigurationError(f"All intensities are missing: {NEEDED}.")
    if values[given].min() < 0 or values[given].max() > 5:
        raise ConfigurationError(
            f"intensities go from {values[given].min():g} to {values[given].max():g}; they "
            "must lie in 0 to 5, NaN where there is none."
        )
    if options.curve == "linear":
        soft = np.minimum(values / options.full, 1.0)
    else:
        soft = 1.0 / (1.0 + np.exp(-options.steepness * (values - options.centre)))
    return np.where(given & (targets >= 0), soft, targets).astype(np.float32)


def intensities_of(table: pd.DataFrame, aus: Sequence[int]) -> FloatArray | None:
    """The intensities that a face store's table holds.

    Args:
        table: One row a face; the intensity of AU 1 is in the column ``AU01_r``.
        aus: The AUs.

    Returns:
        float32 (N, A), NaN where an AU has no column; None where none has.
    """
    columns = [f"{au_column(au)}_r" for au in aus]
    if not any(column in table for column in columns):
        return None
    return table.reindex(columns=columns).to_numpy(np.float32)
