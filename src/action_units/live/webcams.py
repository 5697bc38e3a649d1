"""Webcam sessions: frames come one at a time, and a face keeps its number between them."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from action_units.errors import ActionUnitsError
from action_units.live.limits import Limits
from action_units.media.images import decode
from action_units.prediction.centring import RunningReferences
from action_units.prediction.engine import Engine
from action_units.prediction.outputs import Rows
from action_units.prediction.tracks import Tracker, make_tracker


class SessionEnded(ActionUnitsError):
    """A webcam's session that no longer exists."""


class Busy(ActionUnitsError):
    """More requests at the same time than are accepted."""


@dataclass
class Webcam:
    """One webcam's session.

    Attributes:
        last_used: When its last frame came, in seconds of a steady clock.
        tracker: Follows its faces.
        references: Of its faces, where the engine centres by person.
        frame: The number of its last frame, from 1.
        in_work: A frame of it is being processed.
    """

    last_used: float
    tracker: Tracker = field(default_factory=lambda: make_tracker("all"))
    references: RunningReferences | None = None
    frame: int = 0
    in_work: bool = False

    def predict(self, engine: Engine, content: bytes, megapixels: float) -> Rows:
        """Predict the next frame.

        Args:
            engine: Finds the faces and predicts.
            content: A JPEG or PNG.
            megapixels: The largest frame that is decoded, in 10⁶ pixels.

        Raises:
            UnusableFace: The frame cannot be decoded.
        """
        pixels = decode(content, max_megapixels=megapixels)
        if self.frame == 0:
            self.references = engine.running_references()
        self.frame += 1
        return engine.webcam_frame(pixels, self.frame, self.tracker, self.references)


class Webcams:
    """The current sessions; silent ones are forgotten."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without sessions; the clock is in seconds."""
        self._limits, self._clock = limits, clock
        self._sessions: dict[str, Webcam] = {}

    def begin(self) -> str:
        """Begin a session and return its name; raises Busy."""
        for name in [name for name, cam in self._sessions.items() if self._is_silent(cam)]:
            del self._sessions[name]
        if len(self._sessions) >= self._limits.sessions:
            raise Busy(
                f"{len(self._sessions)} webcams are in use; close another page, or wait "
                f"{self._limits.idle_seconds:g} seconds after closing it."
            )
        name = secrets.token_urlsafe(16)
        self._sessions[name] = Webcam(self._clock())
        return name

    def end(self, name: str) -> None:
        """Forget a session."""
        self._sessions.pop(name, None)

    def get(self, name: str) -> Webcam:
        """The webcam of a session, for its next frame.

        Raises:
            SessionEnded: It was silent for too long, or never began.
            Busy: Its last frame is still being processed.
        """
        cam = self._sessions.get(name)
        if cam is None or self._is_silent(cam):
            raise SessionEnded("The webcam was silent for too long; start it again.")
        if cam.in_work:
            raise Busy("The last frame is still being processed; send one at a time.")
        cam.last_used = self._clock()
        return cam

    def _is_silent(self, cam: Webcam) -> bool:
        return not cam.in_work and self._clock() - cam.last_used > self._limits.idle_seconds
