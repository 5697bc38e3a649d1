"""Soft targets from intensities and probabilities."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from action_units.config import SoftTargets
from action_units.errors import ConfigurationError
from action_units.training.data import intensities_of, probabilities_of, soften

LABELS = np.array([[1, 0], [0, 1], [-1, 1], [1, -1]], np.float32)
INTENSITIES = np.array([[2.5, 0.0], [1.0, np.nan], [4.0, 5.0], [5.0, 3.0]])


def test_without_a_curve_labels_are_the_targets():
    assert soften(SoftTargets(), LABELS, None) is LABELS


def test_linear_targets_are_parts_of_the_full_intensity():
    soft = soften(SoftTargets(curve="linear"), LABELS, INTENSITIES)
    assert soft.dtype == np.float32
    assert soft == pytest.approx(np.array([[0.5, 0], [0.2, 1], [-1, 1], [1, -1]]))
    steep = soften(SoftTargets(curve="linear", full=2.0), LABELS, INTENSITIES)
    assert steep == pytest.approx(np.array([[1, 0], [0.5, 1], [-1, 1], [1, -1]]))


def test_logistic_targets_are_their_formula():
    options = SoftTargets(curve="logistic", centre=2.0, steepness=1.5)
    soft = soften(options, LABELS, INTENSITIES)
    expected = expit(1.5 * (INTENSITIES - 2.0))
    known = (LABELS >= 0) & ~np.isnan(INTENSITIES)
    assert soft[known] == pytest.approx(expected[known], rel=1e-6)
    assert soft[1, 1] == 1.0  # no intensity: the label stands
    assert (soft[LABELS < 0] == -1).all()
    extreme = soften(SoftTargets(curve="logistic", steepness=50.0), LABELS, INTENSITIES)
    assert np.isfinite(extreme).all()


@pytest.mark.parametrize("curve", ["linear", "logistic"])
def test_a_probability_is_a_target_as_it_is(curve):
    options, p = SoftTargets(curve=curve), np.array([[0.3, np.nan]] * 3 + [[np.nan, 0.9]])
    soft = soften(options, LABELS, None, p)
    assert soft == pytest.approx(np.array([[0.3, 0], [0.3, 1], [-1, 1], [1, -1]]))
    both = soften(options, LABELS, INTENSITIES, p)
    assert both[:2, 0] == pytest.approx([0.3, 0.3])
    assert both[0, 1] == soften(options, LABELS, INTENSITIES)[0, 1]
    with pytest.raises(
        ConfigurationError, match=r"probabilities go from 0\.3 to 1\.3; .* 0 to 1"
    ):
        soften(options, LABELS, None, p + np.array([0, 0.4]))


@pytest.mark.parametrize(
    ("intensities", "sentence"),
    [
        (None, "No intensities were given: soft_targets needs the columns AU01_r"),
        (np.full((4, 2), np.nan), "All intensities are missing"),
        (INTENSITIES[:3], r"are \(3, 2\) and labels \(4, 2\)"),
        (INTENSITIES + 1, "go from 1 to 6; they must lie in 0 to 5"),
        (INTENSITIES - 1, "go from -1 to 4"),
    ],
)
def test_what_is_no_intensity_is_refused(intensities, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        soften(SoftTargets(curve="linear"), LABELS, intensities)


def test_intensities_are_read_from_a_table():
    table = pd.DataFrame({"image": ["a", "b"], "AU04_r": [1.5, 0.0], "AU04": [1, 0]})
    values = intensities_of(table, (4, 28))
    assert values.dtype == np.float32
    assert values[:, 0].tolist() == [1.5, 0.0]
    assert np.isnan(values[:, 1]).all()
    assert intensities_of(table, (28,)) is None
    assert probabilities_of(table, (4,)) is None
    more = table.assign(AU28_p=[0.5, np.nan])
    assert probabilities_of(more, (4, 28))[0, 1] == 0.5
