import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from action_units.training.randomness import (
    _hashes,
    _mixed,
    dropout_seed,
    epoch_order,
    face_uniforms,
    noise_seed,
    weights_seed,
)

MASK = 2**64 - 1


def splitmix64(seed, n):
    """The published generator in Python's own integers."""
    values = []
    for _ in range(n):
        seed = (seed + 0x9E3779B97F4A7C15) & MASK
        z = seed
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        values.append(z ^ (z >> 31))
    return values


def test_hashes_are_splitmix64():
    ours = _hashes(1234567, torch.arange(1, 6)).numpy().view(np.uint64)
    assert list(ours) == splitmix64(1234567, 5)
    # The generator's published test vector.
    assert list(ours[:3]) == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5))
def test_mixing_is_exact_for_every_bit_pattern(words):
    ours = _mixed(torch.tensor(words)).numpy().view(np.uint64)
    golden = 0x9E3779B97F4A7C15
    assert list(ours) == [splitmix64((word - golden) & MASK, 1)[0] for word in words]


def test_values_do_not_drift_between_versions():
    assert epoch_order(3, 1, 8).tolist() == [2, 3, 1, 0, 4, 6, 5, 7]
    assert dropout_seed(3, 1) == 1627425808956683846
    expected = [
        [0.9599208831787109, 0.011352300643920898],
        [0.40644973516464233, 0.5719414353370667],
    ]
    got = face_uniforms(3, 1, torch.tensor([0, 70000]), 2)
    assert torch.equal(got, torch.tensor(expected))


@given(st.integers(0, 2**63 - 1), st.integers(0, 10_000), st.integers(1, 500))
def test_an_epochs_order_is_a_permutation(seed, epoch, n):
    order = epoch_order(seed, epoch, n)
    assert torch.equal(order.sort().values, torch.arange(n))


def test_orders_differ_between_epochs_and_seeds():
    orders = {tuple(epoch_order(s, e, 50).tolist()) for s in range(5) for e in range(20)}
    assert len(orders) == 100


def test_every_face_takes_every_place_equally_often():
    first = np.array([int(epoch_order(0, epoch, 10)[0]) for epoch in range(5000)])
    assert stats.chisquare(np.bincount(first, minlength=10)).pvalue > 1e-3


@given(
    st.integers(0, 2**63 - 1),
    st.integers(0, 1000),
    st.lists(st.integers(0, 2**40), min_size=1, max_size=20, unique=True),
)
def test_a_faces_numbers_do_not_depend_on_its_batch(seed, epoch, faces):
    together = face_uniforms(seed, epoch, torch.tensor(faces), 7)
    for row, face in enumerate(faces):
        assert torch.equal(
            together[row], face_uniforms(seed, epoch, torch.tensor([face]), 7)[0]
        )
    assert torch.equal(together[:, :3], face_uniforms(seed, epoch, torch.tensor(faces), 3))


def test_a_faces_numbers_are_uniform_and_unrelated():
    u = face_uniforms(1, 0, torch.arange(20_000), 4).numpy()
    later = face_uniforms(1, 1, torch.arange(20_000), 4).numpy()
    assert u.min() >= 0
    assert u.max() < 1
    for column in range(4):
        assert stats.kstest(u[:, column], "uniform").pvalue > 1e-3
    together = np.corrcoef(np.hstack([u, later, np.roll(u, 1, axis=0)]).T)
    assert np.abs(together - np.eye(12)).max() < 0.035


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_seeds_of_different_uses_differ(seed):
    seeds = [dropout_seed(seed, 0), dropout_seed(seed, 1), weights_seed(seed), noise_seed(seed)]
    assert len(set(seeds)) == 4
    assert all(0 <= s < 2**63 for s in seeds)
