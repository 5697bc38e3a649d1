"""All randomness of a training as pure functions of its seed.

There is no generator whose state would have to be saved: the order of epoch e is a
function of (seed, e), the augmentation of face i of (seed, e, i), the dropout of step s
of (seed, s). A counter goes through SplitMix64 (Steele et al. 2014, "Fast splittable
pseudorandom number generators"), written with integer tensor operations, so that a value
is the same on every device, in every batch and with every version of a library.
"""

import torch
from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15
_MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_ORDER, _AUGMENTATION, _DROPOUT, _WEIGHTS, _NOISE, _DRAW, _BLOCKS = range(1, 8)
_MASK = 2**64 - 1


def epoch_order(seed: int, epoch: int, n: int, device: torch.device | str = "cpu") -> Tensor:
    """The order of an epoch's faces.

    Returns:
        int64 (n,), a permutation of 0 … n-1.
    """
    return torch.argsort(_hashes(_key(seed, _ORDER, epoch), _counter(n, device)), stable=True)


def block_order(
    seed: int, epoch: int, n: int, block: int, blocks: int, device: torch.device | str = "cpu"
) -> Tensor:
    """An order that can be read from a disk: blocks shuffled, and faces within windows.

    Args:
        seed: The training's seed.
        epoch: Counted from 0.
        n: The number of faces.
        block: Faces that lie together.
        blocks: Blocks of a window. Every window but the last is full.
        device: The result's.

    Returns:
        int64 (n,), a permutation of 0 … n-1.
    """
    # The cut begins elsewhere in each epoch: its short last block comes last of all, and
    # would otherwise always be the same faces.
    turn = int(draw_offset(seed, epoch) * n)
    full = n // block
    order = torch.argsort(_hashes(_key(seed, _BLOCKS, epoch), _counter(full, device)))
    place = torch.argsort(order)  # of each full block among the blocks
    place = torch.cat([place, place.new_tensor([full])])
    faces = epoch_order(seed, epoch, n, device)
    windows = place[(faces + turn) % n // block] // blocks
    return faces[torch.argsort(windows, stable=True)]


def draw_offset(seed: int, epoch: int) -> float:
    """Where the comb of an epoch's weighted draw begins, in [0, 1), a multiple of 2**-53."""
    return (_key(seed, _DRAW, epoch) >> 11) * 2.0**-53


def face_uniforms(seed: int, epoch: int, faces: Tensor, n: int) -> Tensor:
    """Uniform numbers of a face in an epoch, whatever batch it is in.

    Args:
        seed: The training's seed.
        epoch: Counted from 0.
        faces: int64 (B,), the faces' sample numbers.
        n: Numbers of a face; the first ones do not depend on it.

    Returns:
        float32 (B, n) in [0, 1), multiples of 2**-24.
    """
    of_face = _hashes(_key(seed, _AUGMENTATION, epoch), faces)  # (B,)
    steps = (_counter(n, faces.device) + 1) * _signed(_GOLDEN)  # (n,)
    bits = _mixed(of_face[:, None] + steps)  # (B, n)
    return _shifted(bits, 40).to(torch.float32) * 2.0**-24


def dropout_seed(seed: int, step: int) -> int:
    """The seed of one step's dropout masks, 0 <= seed < 2**63."""
    return _key(seed, _DROPOUT, step) >> 1


def weights_seed(seed: int) -> int:
    """The seed of the initial weights, 0 <= seed < 2**63."""
    return _key(seed, _WEIGHTS, 0) >> 1


def noise_seed(seed: int) -> int:
    """The seed of the pool of additive noise, 0 <= seed < 2**63."""
    return _key(seed, _NOISE, 0) >> 1


def _key(*words: int) -> int:
    """Hash a few whole numbers into 64 bits; their order matters."""
    state = 0
    for word in words:
        state = _mix((state + _GOLDEN + word) & _MASK)
    return state


def _mix(z: int) -> int:
    """SplitMix64's finaliser on a Python int."""
    z = ((z ^ (z >> 30)) * _MULTIPLIERS[0]) & _MASK
    z = ((z ^ (z >> 27)) * _MULTIPLIERS[1]) & _MASK
    return z ^ (z >> 31)


def _hashes(key: int, counters: Tensor) -> Tensor:
    """One 64-bit hash a counter, int64 of the same shape."""
    return _mixed(counters * _signed(_GOLDEN) + _signed(key))


def _mixed(z: Tensor) -> Tensor:
    """``_mix`` on an int64 tensor, whose products wrap."""
    z = (z ^ _shifted(z, 30)) * _signed(_MULTIPLIERS[0])
    z = (z ^ _shifted(z, 27)) * _signed(_MULTIPLIERS[1])
    return z ^ _shifted(z, 31)


def _shifted(z: Tensor, places: int) -> Tensor:
    """Shift right and fill with zeros; ``>>`` alone copies the sign."""
    return (z >> places) & ((1 << (64 - places)) - 1)


def _signed(word: int) -> int:
    """A 64-bit word as the int64 with the same bits."""
    return word - 2**64 if word >= 2**63 else word


def _counter(n: int, device: torch.device | str) -> Tensor:
    return torch.arange(n, dtype=torch.int64, device=device)
