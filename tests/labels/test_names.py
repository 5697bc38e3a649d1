"""Image names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_units.errors import ConfigurationError
from action_units.labels.names import (
    DisfaName,
    WebName,
    disfa_image,
    parse_disfa_name,
    parse_web_name,
)


def test_crops_count_from_0_and_frames_from_1():
    name = parse_disfa_name("RightVideoSN005_00003268.jpg")
    assert name == DisfaName("SN005", 3269, "Right")
    assert disfa_image("SN005", 3269) == "RightVideoSN005_00003268.jpg"
    assert parse_disfa_name("LeftVideoSN001_00000000.png") == DisfaName("SN001", 1, "Left")


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("m.059w4s_84-FaceId-0.jpg", WebName("m.059w4s", 84, 0)),
        ("m.0d27_dy_84-FaceId-12.jpg", WebName("m.0d27_dy", 84, 12)),
        ("m.030xk__5-FaceId-0.jpg", WebName("m.030xk_", 5, 0)),
        ("m.02r42___7-FaceId-0.jpg", WebName("m.02r42__", 7, 0)),
        ("m.0_1_2-FaceId-3.jpg", WebName("m.0_1", 2, 3)),
    ],
)
def test_identities_may_hold_underscores(image, name):
    assert parse_web_name(image) == name


@given(
    frame=st.integers(1, 10**8),
    number=st.integers(0, 999),
    camera=st.sampled_from(["Right", "Left"]),
)
def test_disfa_names_go_there_and_back(frame, number, camera):
    subject = f"SN{number:03d}"
    image = disfa_image(subject, frame, camera)
    assert parse_disfa_name(image) == DisfaName(subject, frame, camera)


@pytest.mark.parametrize(
    "image",
    ["", "x.jpg", "RightVideoSN5_00000001.jpg", "RightVideoSN005_1.jpg", "../RightVideoSN005_"
     "00000001.jpg", "RightVideoSN005_00000001.jpg\n", "RightVideoSN005_0000000१.jpg",
     "CenterVideoSN005_00000001.jpg", "m.059w4s-FaceId-0.jpg", "m.0/5_1-FaceId-0.jpg"],
)  # fmt: skip
def test_other_names_are_refused(image):
    for parse in (parse_disfa_name, parse_web_name):
        with pytest.raises(ValueError, match="is not the name of a"):
            parse(image)


def test_names_that_cannot_be_are_not_made():
    with pytest.raises(ConfigurationError, match="choose Right or Left"):
        disfa_image("SN001", 1, "right")
    for subject, frame in (("SN001", 0), ("SN1", 1), ("m.1", 1)):
        with pytest.raises(ValueError, match="expected a subject"):
            disfa_image(subject, frame)
