import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_units.config import DisfaSampleConfig, StudioSampleConfig
from action_units.sample import disfa, studio, studio_plan
from action_units.sample.canvas import Canvas, Pose, Stroke, blur, patch, texture
from action_units.sample.identity import draw_identity
from action_units.sample.layout import RENDERER_VERSION
from action_units.sample.muscles import RENDERED_AUS, face_shape
from action_units.sample.render import render_face
from action_units.sample.view import OCCLUDERS
from tests.sample.people import PLAIN, SHAPE, digest, person, shown, varied_faces

UPPER = (1, 2, 4, 5, 7, 45)  # AUs whose marks all lie above the nose's tip
LOWER = (10, 14, 15, 17, 20, 23, 24, 25, 26, 28)  # and those whose marks lie below the eyes


def changed_rows(au: int, number: int) -> np.ndarray:
    """How much each v of the face changes with one AU, as (v, share of the change)."""
    who = person(number)
    rest = render_face(who, shown(), PLAIN, SHAPE).astype(float)
    moved = render_face(who, shown(au), PLAIN, SHAPE).astype(float)
    change = np.abs(moved - rest).sum(axis=1)
    return change / change.sum()


def test_the_same_arguments_give_the_same_bytes_and_others_do_not() -> None:
    assert digest(varied_faces(3)) == digest(varied_faces(3))
    faces = [render_face(person(k), shown(), PLAIN, SHAPE) for k in range(6)]
    for k in range(5):
        assert np.abs(faces[k].astype(int) - faces[k + 1]).mean() > 3.0


def test_the_bytes_are_those_of_this_version_of_the_renderer() -> None:
    """Whoever changes them raises RENDERER_VERSION."""
    frames = DisfaSampleConfig(occlusion=0.5)
    course = disfa.intensities(frames, "SN003")
    video = [disfa.render_frame(frames, "SN003", k, course[k]) for k in range(0, 100, 20)]
    pictures = StudioSampleConfig()
    posed = studio_plan.intensities(pictures, "P02")
    video += [studio.render_frame(pictures, "P02", k, posed[k]) for k in range(3)]
    assert (RENDERER_VERSION, digest(varied_faces(25))[:16], digest(video)[:16]) == (
        1, "a848880670c6979a", "0ca48f0e48d2ab9d",
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 3, 5, 7]), st.integers(1, 2))
def test_a_mask_is_zero_outside_its_part(seed: int, soft: int, thickness: int) -> None:
    rng = np.random.default_rng(seed)
    canvas = Canvas(SHAPE, Pose(*rng.uniform(20, 140, 2), scale=48.0, roll=rng.normal()))
    points = rng.uniform(-1.2, 1.2, (5, 2)) * rng.uniform(0.05, 1.0)
    fixed = np.rint(canvas.pixels_of(points) * 16).astype(np.int32)
    whole = np.zeros((2, *SHAPE), np.uint8)
    cv2.fillPoly(whole[0], [fixed], 255, cv2.LINE_AA, 4)
    for start, end in pairwise(fixed):
        cv2.line(whole[1], start.tolist(), end.tolist(), 255, thickness, cv2.LINE_AA, 4)
    line = Stroke(points, np.ones(4), thickness)
    masks = [canvas.polygon(points, soft=soft), canvas.strokes([line], soft)]
    for drawn, mask in zip(whole, masks, strict=True):
        laid = np.zeros(SHAPE, np.uint8)
        laid[mask.at] = mask.values
        assert np.array_equal(laid, blur(drawn, soft) if soft else drawn)


def test_a_texture_begins_again_beyond_its_edge() -> None:
    whole = patch("clouds", (700, 520), (200, 255))
    assert whole.shape == (700, 520)
    assert np.array_equal(whole[:312, :257], texture("clouds")[200:, 255:])
    assert np.array_equal(whole[312:, 257:], texture("clouds")[:388, :263])


NO_VECTOR_UNITS = {
    "OPENCV_CPU_DISABLE": "SSE4.1,SSE4.2,AVX,FP16,AVX2,AVX512-SKX",
    "OPENCV_IPP": "disabled",
    "JSIMD_FORCENONE": "1",  # libjpeg-turbo
}


def test_a_processor_without_vector_units_writes_the_same_bytes(tmp_path: Path) -> None:
    dispatched = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    without = {**NO_VECTOR_UNITS, "NPY_DISABLE_CPU_FEATURES": " ".join(dispatched)}
    digests = []
    for name, extra in {"with": {}, "without": without}.items():
        (tmp_path / name).mkdir()
        result = subprocess.run(
            [sys.executable, "-m", "tests.sample.people", tmp_path / name],
            cwd=Path(__file__).parents[2],
            env={**os.environ, **extra},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.append(result.stdout.split())
    assert digests[0] == digests[1]
    assert digests[0][0] == digest(varied_faces(25))


@pytest.mark.parametrize("au", RENDERED_AUS)
def test_each_au_moves_its_own_region(au: int) -> None:
    rows = np.arange(SHAPE[0])
    nose_tip = PLAIN.pose.y + 0.42 * PLAIN.pose.scale
    below_eyes = PLAIN.pose.y + 0.15 * PLAIN.pose.scale
    for number in range(3):
        share = changed_rows(au, number)
        if au in UPPER:
            assert share[rows < nose_tip].sum() > 0.97
        if au in LOWER:
            assert share[rows > below_eyes].sum() > 0.97
        if au == 12:  # a smile lifts the lower lids a little too
            assert share[rows > below_eyes].sum() > 0.85
        if au == 6:
            assert share[(rows > PLAIN.pose.y - 20) & (rows < PLAIN.pose.y + 40)].sum() > 0.9


@pytest.mark.parametrize("au", RENDERED_AUS)
def test_a_stronger_au_changes_the_picture_more(au: int) -> None:
    who = person(1)
    rest = render_face(who, shown(), PLAIN, SHAPE).astype(float)
    changes = []
    for intensity in (1.0, 2.0, 3.5, 5.0):
        face = render_face(who, shown(au, intensity=intensity), PLAIN, SHAPE)
        changes.append(np.abs(face - rest).sum())
    assert changes[0] > 0, "an intensity below the threshold is faintly drawn"
    assert np.all(np.diff(changes) > 0)


def test_every_two_aus_look_different() -> None:
    who = person(2)
    faces = [render_face(who, shown(au), PLAIN, SHAPE).astype(float) for au in RENDERED_AUS]
    for i, one in enumerate(faces):
        for other in faces[i + 1 :]:
            assert (np.abs(one - other) > 25).sum() > 20


def test_a_blink_closes_the_lids_and_a_raised_lid_opens_them() -> None:
    who, even = person(0), np.zeros(18)
    rest = face_shape(who, shown(), even)
    assert np.all(face_shape(who, shown(45), even).closed > 0.97)
    canvas = Canvas(SHAPE, PLAIN.pose)
    eye = np.abs(np.abs(canvas.u) - who.eye_spacing) < 0.05
    eye &= np.abs(canvas.v - 0.005) < 0.03
    lit = {au: render_face(who, shown(au), PLAIN, SHAPE)[canvas.box][eye] for au in (45, 5)}
    assert lit[5].min() < 30 < 60 < lit[45].min(), "a shut lid hides the pupil"
    assert np.all(face_shape(who, shown(5), even).upper_lid > rest.upper_lid + 0.04)
    opening = face_shape(who, shown(7), even)
    assert np.all(opening.upper_lid + opening.lower_lid < rest.upper_lid + rest.lower_lid)


def test_aus_move_what_facs_says() -> None:
    who, even = person(3), np.zeros(18)
    rest = face_shape(who, shown(), even)
    moved = {au: face_shape(who, shown(au), even) for au in RENDERED_AUS}
    assert np.all(moved[1].brow_inner < rest.brow_inner - 0.1)
    assert np.all(moved[2].brow_outer < rest.brow_outer - 0.1)
    assert np.all(moved[4].brow_inner > rest.brow_inner + 0.08)
    assert np.all(moved[4].brow_gap < rest.brow_gap)
    assert np.all(moved[12].corner_v < rest.corner_v - 0.1)
    assert np.all(moved[12].corner_u > rest.corner_u + 0.08)
    assert np.all(moved[15].corner_v > rest.corner_v + 0.08)
    assert np.all(moved[20].corner_u > rest.corner_u + 0.1)
    assert moved[25].gap_up + moved[25].gap_down > 0.1
    assert moved[26].chin_v > rest.chin_v + 0.15
    assert moved[28].rolled == 1.0
    assert moved[24].pressed == 1.0
    assert moved[24].upper_lip < 0.6 * rest.upper_lip
    assert np.all(moved[24].corner_u > moved[23].corner_u + 0.04), "pressed, not narrowed"
    assert moved[10].lip_rise > 0.05


def test_asymmetry_shows_an_au_more_on_one_side() -> None:
    asymmetry = np.full(18, 0.3)
    shape = face_shape(replace(person(0), corner_asymmetry=0.0), shown(12), asymmetry)
    left, right = shape.corner_v
    assert right < left


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-0.4, 0.4), st.floats(-0.25, 0.25), st.floats(-0.3, 0.3),
    st.floats(-0.55, 0.55), st.floats(-0.4, 0.9),
)  # fmt: skip
def test_points_of_a_turned_face_lie_where_their_coordinates_are(
    yaw: float, pitch: float, roll: float, u: float, v: float
) -> None:
    canvas = Canvas(SHAPE, Pose(80.0, 74.0, 48.0, yaw, pitch, roll))
    x, y = canvas.pixels_of(np.array([[u, v]]))[0]
    row, column = round(y) - canvas.box[0].start, round(x) - canvas.box[1].start
    rows, columns = canvas.u.shape
    if 0 <= row < rows and 0 <= column < columns:
        assert abs(canvas.u[row, column] - u) < 0.06
        assert abs(canvas.v[row, column] - v) < 0.06
        window = canvas.window(u, v, 0.1, 0.1)
        assert window[0].start <= row < window[0].stop
        assert window[1].start <= column < window[1].stop


@pytest.mark.parametrize("occluder", OCCLUDERS[1:])
def test_occluders_hide_a_part_but_not_the_whole(occluder: str) -> None:
    who = person(4)
    bare = render_face(who, shown(), PLAIN, SHAPE).astype(int)
    hidden = render_face(who, shown(), replace(PLAIN, occluder=occluder), SHAPE)
    changed = (np.abs(hidden - bare) > 8).mean()
    assert 0.001 < changed < 0.35


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31 - 1), st.sampled_from([None, 0, 1]))
def test_any_person_can_be_drawn(seed: int, gender: int | None) -> None:
    who = draw_identity(np.random.default_rng(seed), gender)
    assert gender is None or who.gender == gender
    assert who.gender == 1 or who.beard == "none"
    face = render_face(who, shown(6, 12, 25), PLAIN, SHAPE)
    assert face.dtype == np.uint8
    assert face.shape == SHAPE
    assert face.std() > 8
