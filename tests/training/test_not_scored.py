"""Faces in which an AU was not scored: they teach and choose nothing about that AU."""

import logging

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.nn import functional

from action_units.config import LossOptions, Recipe
from action_units.training.data import check_data, intensities_of
from action_units.training.losses import LOSSES, build_loss, prevalence_of
from action_units.training.validation import validation_scores
from tests.training.killed_run import weights_hash
from tests.training.test_train import FACES, LABELS, quick

N, A = 24, 3
labels = hnp.arrays(np.float32, (N, A), elements=st.sampled_from([0.0, 0.3, 1.0]))
masks = hnp.arrays(np.bool_, N)
logits = hnp.arrays(np.float64, (N, A), elements=st.floats(-20, 20))
columns = st.integers(0, A - 1)


@given(labels, logits, masks, columns, st.sampled_from(sorted(LOSSES)))
def test_the_slope_of_a_masked_au_is_that_of_the_faces_that_are_scored(
    y, z, mask, column, name
):
    """Up to the mean's divisor, which all labels share; other AUs keep their slopes."""
    masked = y.copy()
    masked[mask, column] = -1
    loss = build_loss(LossOptions(name=name), torch.tensor([0.1, 0.5, 0.9])).double()

    def slopes(targets, known):
        at = torch.from_numpy(z).requires_grad_()
        loss(at, torch.from_numpy(targets).double()).backward()
        return at.grad * max(known, 1)

    whole = slopes(y, N * A)
    found = slopes(masked, N * A - mask.sum())
    expected = whole.clone()
    expected[torch.from_numpy(mask), column] = 0
    assert torch.allclose(found, expected, atol=1e-9)


@given(labels, logits, masks, columns)
def test_cross_entropy_is_torchs_on_the_labels_that_are_known(y, z, mask, column):
    masked = y.copy()
    masked[mask, column] = np.nan
    known = ~np.isnan(masked)
    got = build_loss(LossOptions(), torch.full((A,), 0.5))(
        torch.from_numpy(z), torch.from_numpy(masked).double()
    )
    expected = functional.binary_cross_entropy_with_logits(
        torch.from_numpy(z[known]), torch.from_numpy(masked[known]).double()
    )
    assert got.item() == pytest.approx(expected.item(), rel=1e-9)


@given(labels, masks, columns)
def test_prevalence_is_that_of_the_faces_that_are_scored(y, mask, column):
    masked = y.copy()
    masked[mask, column] = -1
    found = prevalence_of(torch.from_numpy(masked))
    whole = prevalence_of(torch.from_numpy(y))
    scored = y[~mask, column]
    assert found[column] == pytest.approx(scored.mean() if scored.size else 0.5)
    others = [k for k in range(A) if k != column]
    assert torch.equal(found[others], whole[others])


@given(labels, logits, masks, columns)
def test_the_validation_score_is_that_of_the_faces_that_are_scored(y, z, mask, column):
    y = np.round(y)
    masked = y.copy()
    masked[mask, column] = -1
    alone = validation_scores(masked[:, [column]], z[:, [column]])
    dropped = validation_scores(y[~mask][:, [column]], z[~mask][:, [column]])
    assert alone == pytest.approx(dropped, nan_ok=True)


RECIPE = Recipe(epochs=1, batch_size=20, loss={"name": "weighted_bce"}, balance="aus")


@pytest.mark.parametrize("part", [slice(0, 160), slice(160, 200), slice(0, 200), slice(20, 40)])
def test_an_au_that_is_never_scored_breaks_no_training(part):
    masked = LABELS.astype(np.float32)
    masked[part, 1] = np.nan
    result = quick(RECIPE, labels=masked)
    assert np.isfinite(result.curve["train_loss"]).all()
    assert result.curve["validation_average_precision"].notna().all()


def test_what_is_never_scored_is_named(caplog):
    masked = LABELS.astype(np.float32)
    masked[:160, 1] = -1
    masked[160:, 2] = -1
    with caplog.at_level(logging.WARNING):
        quick(RECIPE, labels=masked, description="Fine-tuning, fold 1")
    assert "Fine-tuning, fold 1: AU04 is scored in no face to learn from" in caplog.text
    assert "AU04, AU12 are scored in no face that chooses the epoch" in caplog.text


def test_faces_without_any_label_teach_nothing():
    masked = np.full(LABELS.shape, -1.0)
    masked[:20] = LABELS[:20]
    result = quick(RECIPE, labels=masked)
    assert np.isfinite(result.curve["train_loss"]).all()
    assert result.curve["validation_loss"].isna().all()
    assert result.best_epoch == 1


def test_an_au_that_is_not_learned_does_not_choose_the_epoch():
    masked = LABELS.astype(np.float32)
    masked[:160, 1] = -1
    data = check_data(FACES, masked, range(160), range(160, 200), (1, 4, 12))
    assert (data.targets[:, 1] == -1).all()
    assert data.not_scored == {"train": [4], "validation": [4]}
    whole = check_data(FACES, LABELS, range(160), range(160, 200), (1, 4, 12))
    assert whole.not_scored == {}


@pytest.mark.parametrize("hole", [np.nan, -1])
def test_nan_and_minus_one_are_the_same(hole):
    masked = LABELS.astype(np.float32)
    masked[::3, 0] = -1
    other = np.where(masked < 0, hole, masked)
    assert weights_hash(quick(RECIPE, labels=other)) == weights_hash(
        quick(RECIPE, labels=masked)
    )


def test_an_intensity_that_was_not_scored_is_missing():
    table = pd.DataFrame({"AU01_r": [0, 3, -1], "AU02_r": [np.nan, 5.0, 2.0]})
    expected = [[0, np.nan, np.nan], [3, 5, np.nan], [np.nan, 2, np.nan]]
    np.testing.assert_array_equal(intensities_of(table, (1, 2, 4)), expected)


def test_sets_matter_only_where_they_are_balanced():
    sets = np.where(np.arange(200) < 150, "disfa", "studio")
    recipe = Recipe(epochs=1, batch_size=20, balance="sets")
    plain = Recipe(epochs=1, batch_size=20)
    assert weights_hash(quick(recipe, sets=sets)) != weights_hash(quick(plain))
    assert weights_hash(quick(plain, sets=sets)) == weights_hash(quick(plain))
