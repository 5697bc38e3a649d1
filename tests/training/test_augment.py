import colorsys
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import affine_transform, gaussian_filter

from action_units.config import Augmentation
from action_units.training.augment import (
    CHUNK,
    Augmenter,
    Plan,
    affine_matrix,
    blur,
    colour_matrix,
    make_plan,
    normalise,
    warp,
)

STILL = Augmentation(shift=0, scale=1, rotation=0, skew=0, flip=0)
EVERYTHING = Augmentation(
    brightness=0.3, contrast=0.3, noise=0.1, erase=0.5, gamma=1.5, blur=0.03, mixup=0.4
)


def faces(n=16, size=64, seed=0):
    return torch.from_numpy(
        np.random.default_rng(seed).integers(0, 256, (n, size, size)).astype(np.uint8)
    )


def scipy_warp(face, shift, scale, rotation, skew, flip):
    """The paper's path: one face, SciPy, then a flip."""
    size = len(face)
    centre = np.array([size / 2, size / 2])
    turn = np.array(
        [[np.cos(rotation), -np.sin(rotation)], [np.sin(rotation), np.cos(rotation)]]
    )
    lean = np.array([[1, -np.sin(skew)], [0, np.cos(skew)]])
    matrix = turn @ lean @ np.diag(scale)
    offset = centre + np.array(shift) * size - matrix @ centre
    warped = affine_transform(face, matrix, offset, order=1, mode="reflect")
    return warped[:, ::-1] if flip else warped


parameter = st.floats(-1, 1, width=32)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(parameter, parameter),
    st.tuples(parameter, parameter),
    parameter,
    parameter,
    st.booleans(),
    st.sampled_from([48, 64]),
)
def test_the_warp_is_scipys(shift, scale, rotation, skew, flip, size):
    shift = 0.08 * np.array(shift)
    scale = 1.05 ** np.array(scale)
    rotation, skew = np.radians(20) * rotation, 0.05 * skew
    face = faces(1, size)[0].double().numpy()
    expected = scipy_warp(face, shift, scale, rotation, skew, flip)
    matrix = affine_matrix(
        torch.tensor(shift)[None],
        torch.tensor(scale)[None],
        torch.tensor([rotation]),
        torch.tensor([skew]),
        torch.tensor([flip]),
        size,
    )
    got = warp(torch.from_numpy(face)[None, None].float(), matrix.float())[0, 0].numpy()
    assert np.abs(got - expected).max() <= 0.01


def test_drawn_parameters_warp_as_scipy_does():
    """The whole path of a batch, from seed to pixels, against single faces."""
    batch = faces(64)
    plan = make_plan(Augmentation(), 5, 2, torch.arange(64), 64)
    got = Augmenter(Augmentation(), 5, torch.device("cpu"))(batch, plan)[:, 0]
    for face, matrix, mine in zip(batch, plan.matrix.double(), got, strict=True):
        expected = affine_transform(
            face.double().numpy(),
            matrix[:, :2].numpy(),
            matrix[:, 2].numpy(),
            order=1,
            mode="reflect",
        )
        grey = (mine.double().numpy() + 1) * 127.5
        assert np.abs(grey - expected).max() <= 0.01


def test_without_options_a_face_is_only_normalised():
    batch = faces()
    plan = make_plan(STILL, 1, 0, torch.arange(16), 64)
    assert not STILL.warps
    got = Augmenter(STILL, 1, torch.device("cpu"))(batch, plan)
    assert torch.allclose(got, normalise(batch), atol=1e-6)
    assert normalise(torch.tensor([[[0, 255]]], dtype=torch.uint8)).tolist() == [
        [[[-1.0, 1.0]]]
    ]


def test_a_flip_alone_mirrors():
    batch = faces()
    options = Augmentation(shift=0, scale=1, rotation=0, skew=0, flip=1)
    plan = make_plan(options, 1, 0, torch.arange(16), 64)
    got = Augmenter(options, 1, torch.device("cpu"))(batch, plan)
    assert torch.allclose(got, normalise(batch).flip(-1), atol=1e-4)


def test_a_face_is_changed_the_same_in_every_batch():
    batch, rows = faces(), torch.arange(100, 116)
    augment = Augmenter(EVERYTHING, 9, torch.device("cpu"))
    together = augment(batch, make_plan(EVERYTHING, 9, 3, rows, 64))
    order = torch.tensor([7, 0, 15])
    apart = augment(batch[order], make_plan(EVERYTHING, 9, 3, rows[order], 64))
    assert torch.equal(together[order], apart)
    again = augment(batch, make_plan(EVERYTHING, 9, 4, rows, 64))
    assert not torch.allclose(together, again)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_large_batch_is_that_of_its_parts(threads):
    """Large batches go in chunks, which must not show: also the last, short one."""
    n = threads * CHUNK * 2 + 5
    batch, plan = faces(n, 48), make_plan(EVERYTHING, 9, 3, torch.arange(n), 48)
    augment = Augmenter(EVERYTHING, 9, torch.device("cpu"))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        whole = augment(batch, plan)
        singly = [augment(batch[i : i + 1], plan[slice(i, i + 1)]) for i in range(n)]
    finally:
        torch.set_num_threads(before)
    assert torch.equal(whole, torch.cat(singly))


def test_one_option_does_not_change_the_draws_of_another():
    rows = torch.arange(50)
    plain = make_plan(Augmentation(), 1, 0, rows, 64)
    more = make_plan(EVERYTHING, 1, 0, rows, 64)
    assert torch.equal(plain.matrix, more.matrix)


def test_parameters_fill_their_ranges():
    options = Augmentation(rotation=0, skew=0, brightness=0.2, contrast=0.4, noise=0.1)
    plan = make_plan(options, 1, 0, torch.arange(20_000), 64)
    scale = plan.matrix[:, 0, 0]
    assert scale.min() == pytest.approx(1 / 1.05, abs=1e-3)
    assert scale.max() == pytest.approx(1.05, abs=1e-3)
    shift = plan.matrix[:, 0, 2] - 32 * (1 - scale)
    assert shift.min() == pytest.approx(-0.08 * 64, abs=0.01)
    assert shift.max() == pytest.approx(0.08 * 64, abs=0.01)
    assert (plan.matrix[:, 1, 1] < 0).float().mean() == pytest.approx(0.5, abs=0.02)
    options = Augmentation(gamma=2.0, blur=0.05, mixup=0.3)
    more = make_plan(options, 1, 0, torch.arange(20_000), 64)
    for values, low, high in (
        (more.gamma, 0.5, 2.0),
        (more.blur, 0.0, 3.2),
        (more.second, 0.0, 0.3),
    ):
        assert values.min() == pytest.approx(low, abs=1e-3)
        assert values.max() == pytest.approx(high, rel=1e-3)
    for values, reach in ((plan.gain - 1, 0.4), (plan.offset, 0.2)):
        assert values.min() == pytest.approx(-reach, abs=1e-3)
        assert values.max() == pytest.approx(reach, abs=1e-3)


def test_rotation_fills_its_range():
    options = Augmentation(shift=0, scale=1, skew=0, flip=0)
    matrix = make_plan(options, 1, 0, torch.arange(20_000), 64).matrix
    angle = torch.rad2deg(torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0]))
    assert angle.min() == pytest.approx(-20, abs=0.01)
    assert angle.max() == pytest.approx(20, abs=0.01)


def test_photometry_is_a_gain_around_mid_grey_and_an_offset():
    options = Augmentation(shift=0, scale=1, rotation=0, skew=0, flip=0, brightness=0.3)
    options = Augmentation(**{**options.to_json(), "contrast": 0.5})
    batch = faces()
    plan = make_plan(options, 1, 0, torch.arange(16), 64)
    got = Augmenter(options, 1, torch.device("cpu"))(batch, plan)
    expected = normalise(batch) * plan.gain[:, None, None, None]
    expected += plan.offset[:, None, None, None]
    assert torch.allclose(got, expected, atol=1e-5)


def test_noise_has_the_planned_size_and_differs_between_faces():
    options = Augmentation(**{**STILL.to_json(), "noise": 0.2})
    grey = torch.full((64, 64, 64), 128, dtype=torch.uint8)
    plan = make_plan(options, 1, 0, torch.arange(64), 64)
    noise = Augmenter(options, 1, torch.device("cpu"))(grey, plan) - normalise(grey)
    assert torch.allclose(noise.std((1, 2, 3)), plan.noise, rtol=0.1, atol=1e-4)
    together = np.corrcoef(noise.reshape(64, -1).numpy()) - np.eye(64)
    assert np.abs(together).max() < 0.1


def test_erasing_paints_the_planned_rectangles():
    options = Augmentation(**{**STILL.to_json(), "erase": 0.5})
    white = torch.full((200, 64, 64), 255, dtype=torch.uint8)
    plan = make_plan(options, 1, 0, torch.arange(200), 64)
    x = Augmenter(options, 1, torch.device("cpu"))(white, plan)[:, 0]
    erased = x == 0
    assert erased.flatten(1).any(1).float().mean() == pytest.approx(0.5, abs=0.1)
    places = np.arange(64) + 0.5  # a pixel is inside when its middle is
    for box, mine in zip(plan.box.numpy(), erased.numpy(), strict=True):
        top, bottom, left, right = box
        inside_rows = (places >= top) & (places < bottom)
        inside_columns = (places >= left) & (places < right)
        assert np.array_equal(mine, np.outer(inside_rows, inside_columns))
        assert 0 <= top <= bottom <= 64
        assert 0 <= left <= right <= 64
        assert max(bottom - top, right - left) <= 0.4 * 64 + 1e-4


@pytest.mark.parametrize("size", [48, 64])
def test_a_blur_is_scipys(size):
    batch = faces(6, size)[:, None].float()
    deviation = torch.tensor([0.0, 0.3, 0.8, 1.5, 3.0, 5.0])
    got = blur(batch, deviation)
    assert torch.equal(got[0], batch[0])
    for face, width, mine in zip(batch, deviation, got, strict=True):
        expected = gaussian_filter(
            face[0].double().numpy(), float(width), mode="reflect", truncate=8.0
        )
        assert np.abs(mine[0].numpy() - expected).max() <= 0.01


def test_gamma_is_a_power_of_the_grey_value():
    options = Augmentation(**{**STILL.to_json(), "gamma": 2.0})
    batch = faces()
    batch[0, 0, :2] = torch.tensor([0, 255])
    plan = make_plan(options, 1, 0, torch.arange(16), 64)
    got = Augmenter(options, 1, torch.device("cpu"))(batch, plan)[:, 0].double().numpy()
    exponent = plan.gamma.double().numpy()[:, None, None]
    expected = 2 * (batch.numpy() / 255.0) ** exponent - 1
    assert np.abs(got - expected).max() < 1e-5
    assert got[0, 0, :2].tolist() == pytest.approx([-1.0, 1.0])


def test_everything_at_once_is_finite():
    options = Augmentation(gamma=4.0, blur=0.2, noise=1.0, erase=1.0, brightness=1.0)
    plan = make_plan(options, 1, 0, torch.arange(16), 64)
    assert torch.isfinite(Augmenter(options, 1, torch.device("cpu"))(faces(), plan)).all()


def test_what_is_drawn_is_unrelated():
    options = Augmentation(**{**EVERYTHING.to_json(), "erase": 1.0})
    plan = make_plan(options, 1, 0, torch.arange(20_000), 64)
    columns = [plan.gain, plan.offset, plan.noise, plan.blur, plan.gamma.log(), plan.second]
    columns += [plan.matrix[:, 0, 2], plan.box[:, 1] - plan.box[:, 0]]
    together = np.corrcoef(torch.stack(columns).numpy()) - np.eye(len(columns))
    assert np.abs(together).max() < 0.03


COLOURS = Augmentation(
    shift=0, scale=1, rotation=0, skew=0, flip=0, hue=0.5, saturation=1, grey=0.3
)
unit = st.floats(0, 1)


def coloured(n=16, size=64, seed=0):
    return torch.from_numpy(
        np.random.default_rng(seed).integers(0, 256, (n, size, size, 3)).astype(np.uint8)
    )


def recoloured(colour, hue=0.0, saturation=1.0):
    """One colour, each part from 0 to 1, by the matrix."""
    numbers = ([hue], [saturation], colour)
    hue, saturation, colour = (torch.tensor(one, dtype=torch.float64) for one in numbers)
    return (colour_matrix(hue, saturation)[0] @ colour).tolist()


@given(st.tuples(unit, unit, unit), st.floats(-3, 3))
def test_a_turn_of_the_hue_is_one_of_the_chroma_in_yiq(colour, angle):
    """Against colorsys, whose luma has 0.30, 0.59 and 0.11, ours one digit more."""
    y, i, q = colorsys.rgb_to_yiq(*colour)
    cos, sin = math.cos(angle), math.sin(angle)
    turned = y, cos * i - sin * q, sin * i + cos * q
    # colorsys clips what leaves 0 to 1.
    expected = colorsys.yiq_to_rgb(*turned)
    assert np.clip(recoloured(colour, angle), 0, 1) == pytest.approx(expected, abs=0.02)


@given(st.tuples(unit, unit, unit), st.floats(-3, 3), st.floats(0, 2))
def test_colours_change_and_luma_stays(colour, hue, saturation):
    weights = np.array([0.299, 0.587, 0.114])
    luma = weights @ colour
    assert recoloured(colour) == pytest.approx(colour, abs=1e-9)
    assert recoloured(colour, hue, 0.0) == pytest.approx([luma] * 3, abs=1e-9)
    assert recoloured([luma] * 3, hue, saturation) == pytest.approx([luma] * 3, abs=1e-9)
    assert weights @ recoloured(colour, hue, saturation) == pytest.approx(luma, abs=1e-9)
    apart = np.array(recoloured(colour, hue, saturation)) - luma
    assert apart == pytest.approx(
        saturation * (np.array(recoloured(colour, hue)) - luma), abs=1e-9
    )


def test_some_faces_become_grey_and_the_others_keep_their_luma():
    batch = coloured(200, 16)
    plan = make_plan(COLOURS, 1, 0, torch.arange(200), 16)
    got = Augmenter(COLOURS, 1, torch.device("cpu"))(batch, plan)
    grey = (got.amax(1) - got.amin(1)).amax((1, 2)) < 1e-3
    assert 0.2 < grey.float().mean() < 0.4
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    lumas = [(weights * x).sum(1) for x in (got, normalise(batch))]
    assert torch.allclose(*lumas, atol=1e-4)
    still = make_plan(STILL, 1, 0, torch.arange(200), 16)
    assert torch.allclose(still.colours, torch.eye(3).expand(200, 3, 3), atol=1e-6)


def test_hues_and_saturations_fill_their_ranges_and_are_drawn_apart():
    options = COLOURS.model_copy(update={"hue": 0.25, "saturation": 0.5, "grey": 0.0})
    colours = make_plan(options, 1, 0, torch.arange(500), 16).colours.double().numpy()
    red = [colorsys.rgb_to_yiq(*one) for one in np.vstack([np.eye(3)[:1], colours[:, :, 0]])]
    (before, *chroma) = (complex(i, q) for _, i, q in red)
    turned = np.array(chroma) / before
    ranges = {
        "hue": (np.angle(turned) / (2 * np.pi), -0.25, 0.25),
        "saturation": (np.abs(turned), 0.5, 1.5),
    }
    for name, (values, lowest, highest) in ranges.items():
        assert values.min() == pytest.approx(lowest, abs=0.02), name
        assert values.max() == pytest.approx(highest, abs=0.02), name
    assert abs(np.corrcoef(np.angle(turned), np.abs(turned))[0, 1]) < 0.15


def test_colours_change_before_gamma():
    options = STILL.model_copy(update={"hue": 0.3, "saturation": 0.5, "gamma": 2.0})
    batch, device = coloured(8, 16), torch.device("cpu")
    plan = make_plan(options, 1, 0, torch.arange(8), 16)
    pixels = batch.permute(0, 3, 1, 2).float() / 255
    recoloured = torch.einsum("nij,njrc->nirc", plan.colours, pixels).clamp(0, 1)
    expected = 2 * recoloured ** plan.gamma[:, None, None, None] - 1
    got = Augmenter(options, 1, device)(batch, plan)
    assert torch.allclose(got, expected, atol=1e-4)


def test_the_channels_of_a_face_move_and_brighten_together():
    """A face whose channels are equal is augmented as the grey one, but for its noise."""
    grey = faces()
    options = EVERYTHING.model_copy(update={"noise": 0.0, "hue": 0.3, "saturation": 0.5})
    plan = make_plan(options, 3, 1, torch.arange(16), 64)
    augment = Augmenter(options, 3, torch.device("cpu"))
    expected = augment(grey, plan)
    got = augment(grey[..., None].expand(-1, -1, -1, 3), plan)
    assert got.shape == (16, 3, 64, 64)
    assert torch.allclose(got, expected.expand(-1, 3, -1, -1), atol=1e-4)


def test_each_channel_has_noise_of_its_own():
    options = STILL.model_copy(update={"noise": 0.5})
    batch = torch.full((8, 512, 512, 3), 128, dtype=torch.uint8)  # beyond the pool's end
    plan = make_plan(options, 1, 0, torch.arange(8), 512)
    noise = Augmenter(options, 1, torch.device("cpu"))(batch, plan) - normalise(batch)
    channels = noise.transpose(0, 1).reshape(3, -1).numpy()
    assert np.abs(np.corrcoef(channels) - np.eye(3)).max() < 0.02


def test_new_options_of_colour_leave_old_plans_as_they_were():
    rows = torch.arange(64)
    plain, more = (
        make_plan(EVERYTHING.model_copy(update=update), 1, 0, rows, 64)
        for update in ({}, {"hue": 0.1, "saturation": 0.4, "grey": 0.2})
    )
    for name in set(Plan.__dataclass_fields__) - {"colours"}:
        assert torch.equal(getattr(plain, name), getattr(more, name)), name
