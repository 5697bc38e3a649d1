"""The limits of the live view."""

from dataclasses import dataclass

from action_units.errors import ConfigurationError


@dataclass(frozen=True)
class Limits:
    """How much the live view accepts.

    Attributes:
        upload_mb: The largest file of a video or picture, in 10⁶ bytes.
        frame_mb: The largest frame of a webcam, in 10⁶ bytes.
        megapixels: The largest picture or frame that is decoded, in 10⁶ pixels.
        sessions: Webcams at the same time.
        idle_seconds: A webcam that sends nothing for longer is forgotten.
        uploads: Files that may be received at the same time.
        patience: Seconds that the other side may do nothing: before the head of a request is
            complete, before and between the parts of its body or of an answer.
        slowest_kb: A body must come faster than this many 10³ bytes a second, after
            `patience`.
        connections: At the same time.
    """

    upload_mb: float = 500.0
    frame_mb: float = 4.0
    megapixels: float = 64.0
    sessions: int = 4
    idle_seconds: float = 60.0
    uploads: int = 8
    patience: float = 15.0
    slowest_kb: float = 50.0
    connections: int = 200

    def __post_init__(self) -> None:
        """Check the values; raises ConfigurationError."""
        for name, value in vars(self).items():
            if not value > 0:
                raise ConfigurationError(f"{name}={value!r} must be above 0.")
