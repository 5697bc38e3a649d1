"""Webcams: frames come one at a time, and a face keeps its number from one to the next."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from action_units.errors import ActionUnitsError, UnusableFace
from action_units.faces.detection.registry import thread_detector
from action_units.live.limits import Limits
from action_units.media.images import Pixels, decode
from action_units.prediction.classifier import Classifier
from action_units.prediction.tables import NO_FACE, Key, Rows
from action_units.prediction.tracks import Tracker, make_tracker

_NAN = float("nan")


class Ended(ActionUnitsError):
    """A webcam's session that is not there any more."""


class Busy(ActionUnitsError):
    """More is asked for at the same time than there is room for."""


@dataclass
class Webcam:
    """One webcam's faces so far.

    Attributes:
        tracker: Knows which face is whose.
        used: When its last frame came, in seconds of a steady clock.
        frame: The number of its last frame, from 1.
        at_work: A frame of it is being looked at.
    """

    used: float
    tracker: Tracker = field(default_factory=lambda: make_tracker("all"))
    frame: int = 0
    at_work: bool = False


class Webcams:
    """The webcams that are watched now; they are forgotten when they fall silent."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin without any.

        Args:
            limits: How many there may be, and for how long they may be silent.
            clock: A steady one, in seconds.
        """
        self._limits, self._clock = limits, clock
        self._there: dict[str, Webcam] = {}

    def begin(self) -> str:
        """Begin a session and tell the name it goes by; raises Busy."""
        now = self._clock()
        idle = self._limits.idle_seconds
        self._there = {
            name: cam
            for name, cam in self._there.items()
            if cam.at_work or now - cam.used <= idle
        }
        if len(self._there) >= self._limits.sessions:
            raise Busy(
                f"{len(self._there)} webcams are being watched already; close another page, or "
                f"wait {idle:g} seconds after closing it."
            )
        name = secrets.token_urlsafe(16)
        self._there[name] = Webcam(now)
        return name

    def end(self, name: str) -> None:
        """Forget a webcam."""
        self._there.pop(name, None)

    def of(self, name: str) -> Webcam:
        """The webcam of a session.

        Raises:
            Ended: It was silent for too long, or never began.
            Busy: Its last frame is still being looked at.
        """
        cam = self._there.get(name)
        now = self._clock()
        if cam is None or (not cam.at_work and now - cam.used > self._limits.idle_seconds):
            raise Ended("The webcam was silent for too long; start it again.")
        if cam.at_work:
            raise Busy("The frame before is still being looked at; send one at a time.")
        cam.used = now
        return cam


def look(classifier: Classifier, cam: Webcam, content: bytes, megapixels: float) -> Rows:
    """Find the faces of a webcam's next frame and ask about them.

    The probabilities are calibrated but not smoothed: smoothing needs the frames to come.

    Args:
        classifier: What is asked.
        cam: Is moved on by one frame.
        content: A JPEG or PNG.
        megapixels: The largest frame that is decoded, in 10⁶ pixels.

    Raises:
        UnusableFace: The frame cannot be decoded.
    """
    pixels = decode(content, max_megapixels=megapixels)
    found = thread_detector(classifier.faces.settings.detector).detect(pixels)
    cam.frame += 1
    keys: list[Key] = []
    rows: list[int] = []
    crops: list[Pixels] = []
    for number, place in cam.tracker.follow(cam.frame, found):
        face = found[place]
        try:
            crops.append(classifier.faces.face(pixels, face))
            rows.append(len(keys))
        except UnusableFace:  # such as a box outside of the picture
            pass
        usable = int(bool(rows) and rows[-1] == len(keys))
        keys.append(("", cam.frame, _NAN, number, round(face.score, 4), usable, *face.box))
    if not keys:
        keys.append(("", cam.frame, _NAN, NO_FACE, 0.0, 0, _NAN, _NAN, _NAN, _NAN))
    p = np.full((len(keys), len(classifier.aus)), np.nan, np.float32)
    present = np.zeros(p.shape, np.bool_)
    if crops:
        p[rows], present[rows] = classifier.combine(classifier.probabilities(np.stack(crops)))
    return Rows(keys, p, present, 1)
