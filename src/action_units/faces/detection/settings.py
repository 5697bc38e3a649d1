"""How faces are looked for."""

from dataclasses import dataclass

from action_units.errors import ConfigurationError

_LOWEST_SCORE = {"yunet": 0.8, "ssd": 0.5}
_CHOICES = ("largest", "central", "surest")


@dataclass(frozen=True)
class DetectorSettings:
    """How faces are looked for.

    Attributes:
        name: ``yunet`` (Wu, Peng & Yu 2023), or ``ssd``, the paper's ResNet-10 SSD,
            which finds no landmarks.
        model: The network's file, for the SSD the one that ends in ``.caffemodel``,
            with ``deploy.prototxt`` beside it; None takes the installed package's.
        score: Faces below this confidence are not faces; None takes 0.8 for YuNet
            and the paper's 0.5 for the SSD.
        longest_side: Larger pictures are made smaller to it, in pixels, before the
            search; boxes come back in the picture's own pixels.
        choose: Of several faces, the ``largest``, the most ``central`` or the
            ``surest``.
        overhang: Only for the SSD: how far a box may pass an edge of the picture, in
            parts of its own size. Boxes that pass it further are dropped.
    """

    name: str = "yunet"
    model: str | None = None
    score: float | None = None
    longest_side: int = 640
    choose: str = "largest"
    overhang: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what cannot be; raises ConfigurationError."""
        if self.name not in _LOWEST_SCORE:
            raise ConfigurationError(
                f"detector name={self.name!r} is unknown: {' and '.join(_LOWEST_SCORE)} are "
                "there."
            )
        if self.choose not in _CHOICES:
            raise ConfigurationError(
                f"choose={self.choose!r} is unknown: a face is chosen by {', '.join(_CHOICES)}."
            )
        if self.score is not None and not 0 < self.score < 1:
            raise ConfigurationError(
                f"score={self.score!r} must lie between 0 and 1, or be null for the "
                "detector's own."
            )
        if self.longest_side < 64:
            raise ConfigurationError(
                f"longest_side={self.longest_side!r} must be at least 64 pixels."
            )
        if not 0 <= self.overhang <= 1:
            raise ConfigurationError(f"overhang={self.overhang!r} must lie between 0 and 1.")

    @property
    def lowest_score(self) -> float:
        """The score that a face must have, given or the detector's own."""
        return _LOWEST_SCORE[self.name] if self.score is None else self.score

    @property
    def has_landmarks(self) -> bool:
        """Whether faces come with eyes, nose and mouth."""
        return self.name == "yunet"
