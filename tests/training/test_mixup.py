"""Blending pairs of faces and labels."""

import torch

from action_units.config import LossOptions
from action_units.training.augment import mix
from action_units.training.losses import build_loss

GENERATOR = torch.Generator().manual_seed(0)


def batch(n=6):
    x = torch.randn(n, 1, 4, 4, generator=GENERATOR)
    targets = (torch.rand(n, 3, generator=GENERATOR) < 0.5).float()
    return x, targets, 0.5 * torch.rand(n, generator=GENERATOR)


def test_neighbours_are_blended_by_their_shares():
    x, targets, part = batch()
    mixed, blended = mix(x, targets, part)
    for mine, other in ((0, 1), (1, 0), (2, 3), (5, 4)):
        share = part[mine]
        expected = (1 - share) * x[mine] + share * x[other]
        assert torch.allclose(mixed[mine], expected, atol=1e-6)
        expected = (1 - share) * targets[mine] + share * targets[other]
        assert torch.allclose(blended[mine], expected, atol=1e-6)


def test_an_odd_last_face_stays_alone():
    x, targets, part = batch(5)
    mixed, blended = mix(x, targets, part)
    assert torch.equal(mixed[4], x[4])
    assert torch.equal(blended[4], targets[4])
    alone, _ = mix(x[:1], targets[:1], part[:1])
    assert torch.equal(alone, x[:1])


def test_even_pieces_of_a_batch_are_blended_alike():
    x, targets, part = batch()
    mixed, blended = mix(x, targets, part)
    for piece in (slice(0, 2), slice(2, 6)):
        x_piece, targets_piece = mix(x[piece], targets[piece], part[piece])
        assert torch.equal(x_piece, mixed[piece])
        assert torch.equal(targets_piece, blended[piece])


def test_a_label_that_either_lacks_is_missing():
    x, targets, part = batch()
    targets[0, 1] = -1.0
    _, blended = mix(x, targets, part)
    missing = torch.zeros(6, 3, dtype=torch.bool)
    missing[:2, 1] = True
    assert torch.equal(blended < 0, missing)


def test_the_loss_of_blended_labels_is_the_blended_loss():
    _, targets, part = batch()
    _, blended = mix(torch.zeros(6, 1, 4, 4), targets, part)
    other = targets[[1, 0, 3, 2, 5, 4]]
    z = torch.randn(6, 3, generator=GENERATOR)
    for name in ("bce", "focal", "asymmetric", "generalized_ce"):
        each = build_loss(LossOptions(name=name), torch.full((3,), 0.5)).each
        share = part[:, None]
        expected = (1 - share) * each(z, targets) + share * each(z, other)
        assert torch.allclose(each(z, blended), expected, atol=1e-5)
