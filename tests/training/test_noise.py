"""Intensities and early-learning regularisation, against their formulas and on toys."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit
from scipy.stats import percentileofscore
from torch.nn import functional

from action_units.config import LossOptions, NetworkSpec, Recipe
from action_units.errors import ConfigurationError
from action_units.training.data import check_data, ranks
from action_units.training.inference import predict
from action_units.training.losses import build_loss
from action_units.training.noise import NoiseModel
from tests.training.blobs import AUS, blobs, train

GENERATOR = np.random.default_rng(5)
N = 60
TARGETS = (GENERATOR.random((N, 3)) < 0.4).astype(float)
TARGETS[:7, 1] = -1
POSITIONS = torch.arange(N)


plain = build_loss(LossOptions(), torch.full((3,), 0.5))
FEATURES = torch.from_numpy(GENERATOR.normal(size=(N, 5))).float()


def noise_model(values=None, **options):
    faces = np.zeros((N, 16, 16), np.uint8)
    data = check_data(faces, TARGETS, range(N), [], AUS)
    data = replace(data, ranks=values)
    return NoiseModel(Recipe(**options), data, 5, seed=0)


def batch_of(model, targets=TARGETS):
    return model.batch(torch.from_numpy(targets).float(), POSITIONS[: len(targets)])


def test_without_a_method_the_loss_is_the_plain_one():
    model = noise_model()
    logits = torch.randn(N, 3)
    batch = batch_of(model)
    assert torch.equal(model.loss(plain, logits, FEATURES, batch), plain(logits, batch.targets))
    assert list(model.parameters()) == []
    assert model.state_dict() == {}


def test_early_learning_is_its_formula_and_has_its_gradient():
    model = noise_model(early_learning={"strength": 3.0, "memory": 0.8})
    start = model.memory.clone()
    np.testing.assert_allclose(start[0, 1], TARGETS[7:, 1].mean(), atol=1e-6)
    logits = torch.randn(N, 3, requires_grad=True)
    batch = batch_of(model)
    loss = model.loss(plain, logits, FEATURES, batch)
    loss.backward()
    p = expit(logits.detach().double().numpy())
    t = 0.8 * start.double().numpy() + 0.2 * p
    known = TARGETS >= 0
    extra = 3.0 * np.log(1 - (t * p + (1 - t) * (1 - p)))
    expected = float(plain(logits.detach(), batch.targets)) + extra[known].mean()
    assert float(loss.detach()) == pytest.approx(expected, abs=1e-5)
    # Liu et al.'s gradient: the plain one, less what holds p near t, which has no gradient.
    slope = (p - np.maximum(TARGETS, 0)) - 3.0 * (2 * t - 1) * p * (1 - p) / (
        1 - (t * p + (1 - t) * (1 - p))
    )
    np.testing.assert_allclose(logits.grad.numpy(), slope * known / known.sum(), atol=1e-6)


def test_labels_are_compared_with_what_the_annotator_would_say():
    model = noise_model(error_rates=0.01)
    with torch.no_grad():
        model.rates.copy_(torch.randn(2, 3))
    a, b = torch.softmax(torch.cat([model.rates, torch.zeros(1, 3)]), dim=0)[:2].detach()
    logits = torch.randn(N, 3, requires_grad=True)
    batch = batch_of(model)
    loss = model.loss(plain, logits, FEATURES, batch)
    loss.backward()
    assert model.rates.grad.abs().min() > 0
    q = a + (1 - a - b) * torch.sigmoid(logits.detach())
    known = torch.from_numpy(TARGETS >= 0)
    each = functional.binary_cross_entropy(q, batch.targets.clamp(min=0), reduction="none")
    volume = 0.01 * torch.log(1 - a - b).expand(N, 3)
    expected = (each + volume)[known].mean()
    assert float(loss.detach()) == pytest.approx(float(expected), abs=1e-5)


def test_extreme_logits_have_finite_slopes():
    model = noise_model(error_rates=0.01, early_learning={"strength": 1.0})
    logits = torch.linspace(-1e4, 1e4, 3 * N).reshape(N, 3).requires_grad_()
    loss = model.loss(plain, logits, FEATURES, batch_of(model))
    loss.backward()
    assert torch.isfinite(logits.grad).all()
    assert torch.isfinite(model.rates.grad).all()


def test_known_rates_are_found_and_the_truth_with_them():
    """Flips of 35 % of absent and 15 % of present AUs, and nobody says so."""
    faces, truth = blobs(n=1500, seed=1)
    random = np.random.default_rng(0)
    flipped = random.random(truth.shape) < np.where(truth == 1, 0.15, 0.35)
    noisy = np.where(flipped, 1 - truth, truth)
    spec = NetworkSpec(architecture="residual", width=0.25, image_size=32)
    found = []
    for volume in (0.0, 0.001):
        recipe = Recipe(
            epochs=6, batch_size=30, learning_rate=0.01, average=0.9, error_rates=volume,
            augmentation={"rotation": 0, "flip": 0},
        )  # fmt: skip
        result = train(spec, recipe, faces, noisy, range(1500), [], AUS, seed=0)
        found.append(predict(result.model, faces[:400], "cpu"))
    plain_error, error = (np.abs(p - truth[:400]).mean() for p in found)
    assert error < 0.5 * plain_error
    assert np.abs((found[1] > 0.5) - truth[:400]).mean() < 0.05


def test_each_face_has_a_memory_of_its_own():
    model = noise_model(early_learning={"strength": 1.0, "memory": 0.9})
    start = model.memory.clone()
    some = torch.tensor([4, 40])
    model.remember(some, torch.tensor([[1.0, 0.0, 0.5]] * 2))
    expected = start.clone()
    expected[some] = 0.9 * start[some] + 0.1 * torch.tensor([1.0, 0.0, 0.5])
    torch.testing.assert_close(model.memory, expected)


def test_faces_of_no_known_label_cost_nothing():
    model = noise_model(early_learning={"strength": 1.0})
    batch = batch_of(model, np.full((4, 3), -1.0))
    assert float(model.loss(plain, torch.randn(4, 3), FEATURES[:4], batch)) == 0.0


def test_the_second_head_learns_ranks_where_there_are_values():
    values = GENERATOR.random((N, 3)).astype(np.float32)
    values[:, 2] = -1  # the program has none of this AU
    values[3, 0] = -1
    model = noise_model(values, intensity_weight=0.5)
    logits = torch.randn(N, 3)
    batch = batch_of(model)
    found = float(model.loss(plain, logits, FEATURES, batch).detach())
    z = model.head(FEATURES).detach()
    each = functional.binary_cross_entropy_with_logits(
        z, torch.from_numpy(values).clamp(min=0), reduction="none"
    )
    counted = torch.from_numpy((values >= 0) & (TARGETS >= 0))
    expected = plain(logits, batch.targets) + 0.5 * each[counted].sum() / (TARGETS >= 0).sum()
    assert found == pytest.approx(float(expected), abs=1e-5)


def test_ranks_are_scipys_and_need_no_scale():
    targets = np.ones((50, 2), np.float32)
    targets[5, 1] = -1
    values = np.round(GENERATOR.gamma(1.0, size=(50, 2)), 1).clip(0, 5)
    values[9, 0] = np.nan
    found = ranks(targets, values, None)
    np.testing.assert_array_equal(np.argwhere(found < 0), [[5, 1], [9, 0]])
    for column, left_out in ((0, 9), (1, 5)):
        one = np.delete(values[:, column], left_out)
        shares = [percentileofscore(one, value, "mean") / 100 for value in one]
        np.testing.assert_allclose(np.delete(found[:, column], left_out), shares, atol=1e-6)
    shrunk = ranks(targets, None, 0.03 * values + 0.2)
    np.testing.assert_array_equal(found, shrunk)
    assert ranks(targets, None, None) is None


def test_presence_is_learned_alone_where_a_set_has_no_values(caplog):
    faces, labels = blobs(n=60)
    spec = NetworkSpec(image_size=32, width=0.25)
    recipe = Recipe(epochs=1, batch_size=20, intensity_weight=1.0)
    with caplog.at_level("INFO"):
        train(spec, recipe, faces, labels, range(60), [], AUS, seed=0)
    assert "has no intensities to learn from; it learns presence" in caplog.text


@pytest.mark.parametrize("how", [{"micro_batch": 7}, {"devices": 2}], ids=["micro", "devices"])
def test_parts_of_a_batch_give_the_result_of_the_whole(how):
    spec = NetworkSpec(architecture="convnext", width=0.5, image_size=32)
    faces, labels = blobs(n=100)
    labels = labels.astype(float)
    labels[:40, 1] = -1
    recipe = Recipe(
        epochs=2, batch_size=18, early_learning={"strength": 1.0},
        intensity_weight=1.0, error_rates=0.001,
    )  # fmt: skip
    results = []
    for split in ({}, how):
        arguments = {"seed": 3, **split}
        arguments["intensities"] = np.where(labels > 0, 3.0, 0.5) + 0.01 * np.arange(3)
        rows = range(80), range(80, 100)
        results.append(train(spec, recipe, faces, labels, *rows, AUS, **arguments))
    losses = [result.curve.train_loss.tolist() for result in results]
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)


@pytest.mark.parametrize(
    "option", [{"intensity_weight": 0.5}, {"early_learning": {"strength": 2.0}}], ids=str
)
def test_neither_goes_with_blended_faces(option):
    with pytest.raises(ConfigurationError, match=f"{next(iter(option))}.* must be 0"):
        Recipe(augmentation={"mixup": 0.2}, **option)
