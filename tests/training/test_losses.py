import numpy as np
import pytest
import torch
from torch.nn import functional

from action_units.config import LossOptions
from action_units.training.losses import LOSSES, build_loss, prevalence_of

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


def test_generalized_ce_is_its_formula():
    logits, targets = example()
    p = 1 / (1 + np.exp(-logits.numpy()))
    p_t = np.where(targets.numpy() == 1, p, 1 - p)
    for q in (0.3, 0.7, 1.0):
        expected = np.mean((1 - p_t**q) / q)
        assert value("generalized_ce", logits, targets, q=q) == pytest.approx(
            expected, rel=1e-9
        )


def test_generalized_ce_forgives_a_label_that_stays_wrong():
    """The slope of a confidently wrong logit: cross-entropy's is 1, this one's fades."""
    logits = torch.tensor([[-8.0, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    target = torch.tensor([[1.0, -1.0, -1.0]], dtype=torch.float64)
    value("generalized_ce", logits, target, q=0.7).backward()
    p = 1 / (1 + np.exp(8.0))
    assert logits.grad[0, 0].item() == pytest.approx(-(p**0.7) * (1 - p), rel=1e-9)
    assert abs(logits.grad[0, 0].item()) < 0.01


@pytest.mark.parametrize("name", LOSSES)
def test_a_soft_target_mixes_the_losses_of_both_labels(name):
    logits, _ = example()
    targets = torch.rand(40, 3, generator=torch.Generator().manual_seed(2)).double()
    each = build_loss(LossOptions(name=name), PREVALENCE.double()).each
    ones = torch.ones_like(targets)
    expected = targets * each(logits, ones) + (1 - targets) * each(logits, 0 * ones)
    assert torch.allclose(each(logits, targets), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("generalized_ce", {"q": 1e-9}),
        ("focal", {"gamma": 0.0}),
        ("weighted_bce", {"weight_power": 0.0}),
        ("asymmetric", {"gamma_positive": 0.0, "gamma_negative": 0.0, "margin": 0.0}),
    ],
)
def test_every_variant_contains_bce(name, options):
    logits, targets = example()
    expected = value("bce", logits, targets).item()
    assert value(name, logits, targets, **options).item() == pytest.approx(expected, rel=1e-6)


EXPONENTS = [
    *[(name, {}) for name in LOSSES],
    ("focal", {"gamma": 0.5}),
    ("asymmetric", {"gamma_positive": 0.5, "gamma_negative": 0.5}),
    ("asymmetric", {"gamma_negative": 0.0, "margin": 0.0}),
    ("asymmetric", {"gamma_negative": 0.5, "margin": 0.0}),
    ("generalized_ce", {"q": 0.05}),
    ("generalized_ce", {"q": 1.0}),
]


@pytest.mark.parametrize(("name", "options"), EXPONENTS)
def test_gradients_are_those_of_the_value(name, options):
    logits, targets = example(3)
    options = LossOptions(name=name, label_smoothing=0.1, **options)
    loss = build_loss(options, PREVALENCE).double()
    logits = logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, targets), (logits,), atol=1e-6)


@pytest.mark.parametrize(("name", "options"), EXPONENTS)
def test_extreme_logits_stay_finite(name, options):
    extremes = [1e4, 200.0, 90.0, 20.0, -3.0, -20.0, -90.0, -200.0, -1e4]
    for target in (0.0, 1.0, 0.5):
        logits = torch.tensor([[z] * 3 for z in extremes], requires_grad=True)
        loss = value(name, logits, torch.full((9, 3), target), **options)
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(("name", "options"), EXPONENTS)
def test_a_label_never_pushes_the_wrong_way(name, options):
    z = torch.linspace(-12, 12, 200, dtype=torch.float64)[:, None].expand(-1, 3)
    for label, sign in ((1.0, -1.0), (0.0, 1.0)):
        logits = z.clone().requires_grad_()
        value(name, logits, torch.full_like(z, label), **options).backward()
        if name != "focal" and name != "asymmetric":  # these may dip where the label fits
            assert (sign * logits.grad >= 0).all()
        wrong = (sign * z > 2).all(1)
        assert (sign * logits.grad[wrong] > 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_missing_labels_count_for_nothing(name):
    logits, targets = example()
    missing = torch.rand(40, 3, generator=torch.Generator().manual_seed(1)) < 0.4
    each = build_loss(LossOptions(name=name), PREVALENCE).each(logits, targets)
    for hole in (-1.0, float("nan")):
        logits = logits.detach().requires_grad_()
        loss = value(name, logits, torch.where(missing, hole, targets))
        loss.backward()
        assert (logits.grad[missing] == 0).all()
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


def test_prevalence_goes_by_how_often_a_face_is_drawn():
    targets = torch.tensor([[1.0, -1.0], [0.0, 1.0], [0.0, 0.0]])
    weights = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    assert prevalence_of(targets, weights).tolist() == pytest.approx([0.5, 0.6])
