"""From raw data to crops and labels."""

from typing import Annotated, Any, Literal

from pydantic import Field

from action_units.config.base import Count, Number, Part, PartBetween, PathText, Settings
from action_units.errors import ConfigurationError
from action_units.labels.exclusions import parse_exclusions

DetectorName = Literal["yunet", "ssd"]


class DetectorSettings(Settings):
    """How faces are detected."""

    name: DetectorName = "yunet"
    """yunet (Wu, Peng & Yu 2023), or ssd, the paper's ResNet-10 SSD, which finds no
    landmarks."""
    model: PathText | None = None
    """The network's file, for the SSD the one that ends in ``.caffemodel``, with
    ``deploy.prototxt`` in the same folder; null takes the installed package's."""
    score: PartBetween | None = None
    """The lowest score that counts as a face; null is 0.8 for YuNet and the paper's 0.5 for
    the SSD."""
    longest_side: Annotated[int, Field(ge=64, le=16384)] = 640
    """Larger images are scaled down to this before detection, in pixels; boxes are in the
    pixels of the original."""
    choose: Literal["largest", "central", "surest"] = "largest"
    """Which of several faces is taken."""
    overhang: Part = 0.1
    """ssd: boxes that extend past an edge of the image by more than this part of their size
    are dropped."""

    @property
    def lowest_score(self) -> float:
        """The score that a face must have, given or the detector's own."""
        return {"yunet": 0.8, "ssd": 0.5}[self.name] if self.score is None else self.score

    @property
    def has_landmarks(self) -> bool:
        """Whether faces come with eyes, nose and mouth."""
        return self.name == "yunet"


class CropSettings(Settings):
    """How faces are cropped."""

    margin: Annotated[Number, Field(ge=0, le=2)] = 0.1
    """Grows the detector's box, or the template's square, on each side, in parts of its
    size."""
    max_size: Count | None = 300
    """Larger crops are scaled down to this, in pixels; null keeps them."""
    align: Literal["none", "eyes", "template"] = "none"
    """eyes rotates the crop until the eyes are level; template also shifts and scales it until
    eyes, nose and mouth lie nearest to fixed places."""
    colour: bool = False
    """Crops, and the faces that networks learn from, keep their colours; otherwise they are
    gray, as the paper's."""
    suffix: Literal[".jpg", ".png"] = ".jpg"
    """File format."""
    quality: Annotated[int, Field(ge=1, le=100)] = 95
    """Of JPEG."""


class OpenFaceSettings(Settings):
    """OpenFace's own program."""

    binary: PathText | None
    arguments: list[str]


class FaceSampleSettings(Settings):
    """Which web faces are trained on; see ``labels.sampling.sample_faces``."""

    n: Count | None
    per_identity: Count | None
    identities: Count | None
    even_gender: bool


def exclusions(entries: list[Any]) -> list[Any]:
    """Check entries of ``exclude``; raises ValueError."""
    try:
        parse_exclusions(entries)
    except ConfigurationError as error:
        raise ValueError(str(error).removesuffix(".")) from error
    return entries


class PreprocessSettings(Settings):
    """From raw data to crops and labels."""

    detector: DetectorSettings
    crop: CropSettings
    max_megapixels: Annotated[Number, Field(gt=0, le=1_000_000)] | None
    openface: OpenFaceSettings
