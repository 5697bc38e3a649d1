"""Webcams: frames come one at a time, and a face keeps its number from one to the next."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from action_units.errors import ActionUnitsError
from action_units.live.limits import Limits
from action_units.media.images import decode
from action_units.prediction.engine import Engine
from action_units.prediction.outputs import Rows
from action_units.prediction.tracks import Tracker, make_tracker


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


def look(engine: Engine, cam: Webcam, content: bytes, megapixels: float) -> Rows:
    """Find the faces of a webcam's next frame and ask about them.

    The probabilities are calibrated but not smoothed: smoothing needs the frames to come.

    Args:
        engine: Finds the faces and predicts.
        cam: Is moved on by one frame.
        content: A JPEG or PNG.
        megapixels: The largest frame that is decoded, in 10⁶ pixels.

    Raises:
        UnusableFace: The frame cannot be decoded.
    """
    pixels = decode(content, max_megapixels=megapixels)
    cam.frame += 1
    return engine.webcam_frame(pixels, cam.frame, cam.tracker)
