"""Parsing an image's name: the subject and frame, or the identity and face.

DISFA's crops are named ``RightVideoSN005_00003268.jpg`` and numbered from 0, as
the frames come out of the video, while DISFA's label files number the same
frames from 1. Here a *frame* is always DISFA's number, counted from 1: the name
above is frame 3,269 of SN005.

Web faces are named ``m.0d27_dy_84-FaceId-0.jpg``: the Freebase identifier of the
person, which may itself hold or end in underscores, the photograph's number, and
the number of the face in it.
"""

import re
from dataclasses import dataclass

from action_units.errors import ConfigurationError

CAMERAS = ("Right", "Left")
DISFA_NAME = (
    r"(?P<camera>Right|Left)Video(?P<subject>SN\d{3})_(?P<index>\d{8})\.(?:jpg|jpeg|png)"
)
WEB_NAME = r"(?P<subject>[^/\\,\"\s]+)_(?P<number>\d+)-FaceId-(?P<face>\d+)\.(?:jpg|jpeg|png)"

_DISFA = re.compile(DISFA_NAME, re.ASCII)
_WEB = re.compile(WEB_NAME, re.ASCII)
_MOST_FRAMES = 10**8


@dataclass(frozen=True)
class DisfaName:
    """A frame of DISFA.

    Attributes:
        subject: Such as ``SN005``.
        frame: DISFA's number of the frame, from 1.
        camera: ``Right`` or ``Left``.
    """

    subject: str
    frame: int
    camera: str = "Right"


@dataclass(frozen=True)
class WebName:
    """A face of the web set.

    Attributes:
        identity: Who it is, such as ``m.0d27_dy``.
        number: The photograph's number among those of the identity.
        face: The face's number in the photograph.
    """

    identity: str
    number: int
    face: int


def parse_disfa_name(image: str) -> DisfaName:
    """Read a DISFA crop's name; raises ValueError where it is not one."""
    match = _DISFA.fullmatch(image)
    if match is None:
        raise ValueError(
            f"{image!r} is not the name of a DISFA frame such as RightVideoSN005_00003268.jpg"
        )
    return DisfaName(match["subject"], int(match["index"]) + 1, match["camera"])


def parse_web_name(image: str) -> WebName:
    """Read a web face's name; raises ValueError where it is not one."""
    match = _WEB.fullmatch(image)
    if match is None:
        raise ValueError(
            f"{image!r} is not the name of a web face such as m.0d27_dy_84-FaceId-0.jpg"
        )
    return WebName(match["subject"], int(match["number"]), int(match["face"]))


def disfa_image(subject: str, frame: int, camera: str = "Right", suffix: str = ".jpg") -> str:
    """The name of a DISFA crop.

    Args:
        subject: Such as ``SN005``.
        frame: DISFA's number of the frame, from 1.
        camera: ``Right`` or ``Left``.
        suffix: Of the file, with its dot.

    Raises:
        ConfigurationError: An unknown camera.
        ValueError: A subject or frame that no name can carry.
    """
    if camera not in CAMERAS:
        raise ConfigurationError(
            f"camera {camera!r} does not exist: choose {' or '.join(CAMERAS)}."
        )
    if not 1 <= frame <= _MOST_FRAMES or not re.fullmatch(r"SN\d{3}", subject, re.ASCII):
        raise ValueError(
            f"subject {subject!r}, frame {frame}: expected a subject such as SN005 and a "
            "frame from 1"
        )
    return f"{camera}Video{subject}_{frame - 1:08d}{suffix}"
