"""ICC(3,1), PCC, MAE and MSE, their floors and the confusion of levels, against other ways."""

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn import metrics as sk

from action_units.evaluation.agreement import level_confusion, subject_agreement


def data(n: int = 400) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(n)
    who = random.integers(5, size=n)
    coded = random.integers(0, 6, (n, 2)).astype(float)
    estimates = np.clip(0.4 * coded + random.random((n, 2)) * 3, 0, 5)
    coded[random.random(coded.shape) < 0.1] = np.nan
    return coded, estimates, who


def anova_icc(x: np.ndarray, y: np.ndarray) -> float:
    """From the mean squares, as Shrout and Fleiss write it for k = 2 raters."""
    table = np.stack([x, y], axis=1)
    n, k = table.shape
    rows = k * ((table.mean(axis=1) - table.mean()) ** 2).sum() / (n - 1)
    residual = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    error = (residual**2).sum() / ((n - 1) * (k - 1))
    return (rows - error) / (rows + (k - 1) * error)


def test_a_resample_is_the_textbook_on_repeated_frames():
    coded, estimates, who = data()
    means = np.where(who[:, None] < 2, [0.4, 1.9], [0.5, 2.1])  # as of two folds
    found = subject_agreement(coded, estimates, who, 5, means)
    times = np.random.default_rng(0).multinomial(5, [0.2] * 5, 20).astype(float)
    icc, pcc, mae, mse = (
        metric(times) for metric in (found.icc, found.pcc, found.mae, found.mse)
    )
    for row, drawn in enumerate(times):
        rows = np.repeat(np.arange(len(who)), drawn.astype(int)[who])
        for column in range(2):
            kept = rows[~np.isnan(coded[rows, column])]
            x, y = coded[kept, column], estimates[kept, column]
            assert icc[row, column] == pytest.approx(anova_icc(x, y), abs=1e-12)
            assert pcc[row, column] == pytest.approx(pearsonr(x, y).statistic, abs=1e-12)
            assert mae[row, column] == pytest.approx(np.abs(x - y).mean(), abs=1e-12)
            assert mse[row, column] == pytest.approx(sk.mean_squared_error(x, y), abs=1e-12)
            floors = {"zero": np.zeros_like(x), "mean": means[kept, column]}
            for name, floor in floors.items():
                errors = [
                    getattr(found, f"{metric}_of_{name}")(times)[row, column]
                    for metric in ("mae", "mse")
                ]
                expected = sk.mean_absolute_error(x, floor), sk.mean_squared_error(x, floor)
                assert errors == pytest.approx(expected, abs=1e-12)


def test_consistency_forgives_an_offset_and_the_distance_does_not():
    coded = np.array([[0.0], [1], [2], [3]])
    found = subject_agreement(coded, coded + 0.5, np.zeros(4, int), 1)
    once = np.ones((1, 1))
    assert found.icc(once)[0, 0] == pytest.approx(1)
    assert found.mae(once)[0, 0] == pytest.approx(0.5)


@pytest.mark.parametrize("constant", [0.0, 0.1, 2.35])
def test_what_does_not_vary_has_no_correlation(constant):
    coded = np.array([[0.0], [1], [0], [3], [2]])
    same = np.full((5, 1), constant)
    once = np.ones((1, 1))
    estimate = subject_agreement(coded, same, np.zeros(5, int), 1)
    assert np.isnan(estimate.pcc(once)[0, 0])
    assert estimate.icc(once)[0, 0] == 0  # nothing is shared of what one varies
    neither = subject_agreement(same, same, np.zeros(5, int), 1)
    assert np.isnan([neither.pcc(once)[0, 0], neither.icc(once)[0, 0]]).all()


@pytest.mark.parametrize("constant", np.arange(1, 30) / 10)
def test_a_resample_of_subjects_that_do_not_vary_is_undefined(constant):
    # Sums of such numbers are rounded: a variance that is none may come out above 0.
    estimates = np.array([constant] * 11 + [0.7, 1.9, 3.1] * 5)[:, None]
    coded = np.array([1.0] * 11 + [0, 2, 3] * 5)[:, None]
    found = subject_agreement(coded, estimates, np.array([0] * 11 + [1] * 15), 2)
    times = np.array([[2.0, 0.0], [0.0, 2.0]])
    np.testing.assert_array_equal(np.isnan(found.pcc(times)[:, 0]), [True, False])
    np.testing.assert_array_equal(np.isnan(found.icc(times)[:, 0]), [True, False])


def test_little_is_lost_where_estimates_hardly_differ():
    random = np.random.default_rng(0)
    coded = random.integers(0, 6, (500, 1)).astype(float)
    estimates = 4.99 + 1e-7 * (coded + random.random(coded.shape))
    found = subject_agreement(coded, estimates, np.zeros(500, int), 1)
    expected = pearsonr(coded[:, 0], estimates[:, 0] - 4.99).statistic
    assert found.pcc(np.ones((1, 1)))[0, 0] == pytest.approx(expected, abs=1e-7)


def test_without_intensities_everything_is_undefined():
    nothing = np.full((3, 1), np.nan)
    found = subject_agreement(nothing, np.zeros((3, 1)), np.zeros(3, int), 1)
    once = np.ones((1, 1))
    assert np.isnan([found.icc(once), found.pcc(once), found.mae(once)]).all()


def test_the_mean_floor_is_undefined_where_the_mean_is_not_known():
    coded, estimates, who = data()
    once = np.ones((1, 5))
    assert np.isnan(subject_agreement(coded, estimates, who, 5).mae_of_mean(once)).all()
    means = np.broadcast_to([np.nan, 1.0], coded.shape)
    found = subject_agreement(coded, estimates, who, 5, means).mse_of_mean(once)
    np.testing.assert_array_equal(np.isnan(found[0]), [True, False])


def test_levels_are_confused_as_scikit_learn_counts_them():
    coded, estimates, _ = data()
    estimates[3, 1] = np.nan
    found = level_confusion(coded, estimates)
    for column in range(2):
        kept = ~np.isnan(coded[:, column]) & ~np.isnan(estimates[:, column])
        x, y = np.rint(coded[kept, column]), np.rint(estimates[kept, column])
        expected = sk.confusion_matrix(x, y, labels=range(6))
        np.testing.assert_array_equal(found[column], expected)
