import numpy as np
import pytest
import torch
from torch.nn import functional

from action_units.training.losses import LOSSES, LossOptions, build_loss, prevalence_of

PREVALENCE = torch.tensor([0.1, 0.3, 0.5])


def example(seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(40, 3, generator=generator, dtype=dtype)
    targets = (torch.rand(40, 3, generator=generator) < 0.3).to(dtype)
    return logits, targets


def value(name, logits, targets, **options):
    return build_loss(LossOptions(name=name, **options), PREVALENCE)(logits, targets)


def test_bce_is_torchs():
    logits, targets = example()
    expected = functional.binary_cross_entropy_with_logits(logits, targets)
    assert value("bce", logits, targets) == pytest.approx(expected.item(), rel=1e-12)


def test_weighted_bce_is_torchs_with_weights():
    logits, targets = example()
    for power in (0.5, 1.0):
        weight = torch.tensor([9.0, 7 / 3, 1.0], dtype=torch.float64) ** power
        expected = functional.binary_cross_entropy_with_logits(
            logits, targets, pos_weight=weight
        )
        got = value("weighted_bce", logits, targets, weight_power=power)
        assert got == pytest.approx(expected.item(), rel=1e-6)


def test_weights_are_limited():
    loss = build_loss(
        LossOptions(name="weighted_bce", weight_power=1.0, max_weight=5.0),
        torch.tensor([0.001, 0.999, 0.0]),
    )
    assert loss.weight.tolist() == pytest.approx([5.0, 0.2, 5.0])


def test_focal_is_its_formula():
    logits, targets = example()
    p = 1 / (1 + np.exp(-logits.numpy()))
    p_t = np.where(targets.numpy() == 1, p, 1 - p)
    expected = np.mean(-((1 - p_t) ** 2) * np.log(p_t))
    assert value("focal", logits, targets) == pytest.approx(expected, rel=1e-9)


def test_asymmetric_is_its_formula():
    logits, targets = example()
    p = 1 / (1 + np.exp(-logits.numpy()))
    p_m = np.maximum(p - 0.05, 0)
    positive = (1 - p) ** 1 * np.log(p)
    negative = p_m**4 * np.log(1 - p_m)
    expected = -np.mean(np.where(targets.numpy() == 1, positive, negative))
    got = value("asymmetric", logits, targets, gamma_positive=1.0)
    assert got == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("focal", {"gamma": 0.0}),
        ("weighted_bce", {"weight_power": 0.0}),
        ("asymmetric", {"gamma_positive": 0.0, "gamma_negative": 0.0, "margin": 0.0}),
    ],
)
def test_every_variant_contains_bce(name, options):
    logits, targets = example()
    expected = value("bce", logits, targets).item()
    assert value(name, logits, targets, **options).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_the_value(name):
    logits, targets = example(3)
    loss = build_loss(LossOptions(name=name, label_smoothing=0.1), PREVALENCE).double()
    logits = logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, targets), (logits,), atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_extreme_logits_stay_finite(name):
    logits = torch.tensor([[200.0, -200.0, 0.0]] * 2, requires_grad=True)
    loss = value(name, logits, torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_missing_labels_count_for_nothing(name):
    logits, targets = example()
    missing = torch.rand(40, 3, generator=torch.Generator().manual_seed(1)) < 0.4
    holed = torch.where(missing, -1.0, targets).requires_grad_(False)
    logits.requires_grad_()
    loss = value(name, logits, holed)
    loss.backward()
    assert (logits.grad[missing] == 0).all()
    each = build_loss(LossOptions(name=name), PREVALENCE).each(logits, targets)
    assert loss.item() == pytest.approx(each[~missing].mean().item(), rel=1e-9)


def test_a_batch_without_a_label_costs_nothing():
    assert value("bce", torch.randn(4, 3), torch.full((4, 3), -1.0)).item() == 0.0


def test_smoothing_moves_the_targets():
    logits, targets = example()
    expected = functional.binary_cross_entropy_with_logits(logits, targets * 0.8 + 0.1)
    got = value("bce", logits, targets, label_smoothing=0.2)
    assert got.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("name", ["bce", "weighted_bce"])
def test_the_prior_is_the_losss_best_constant(name):
    targets = (torch.arange(1000)[:, None] < 1000 * PREVALENCE).double()
    loss = build_loss(LossOptions(name=name), PREVALENCE).double()
    bias = torch.logit(torch.tensor(loss.prior(), dtype=torch.float64)).requires_grad_()
    loss(bias.expand(1000, 3), targets).backward()
    assert bias.grad.abs().max() < 1e-6


def test_prevalence_counts_known_labels_only():
    targets = torch.tensor([[1.0, -1.0, -1.0], [0.0, 1.0, -1.0], [0.0, 0.5, -1.0]])
    assert prevalence_of(targets).tolist() == pytest.approx([1 / 3, 0.75, 0.5])
