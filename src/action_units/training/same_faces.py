"""Whether faces were made as those that a network was trained on.

A store can be made again with other settings after a training. Faces of another kind would get
probabilities all the same, and wrong ones.
"""

from typing import Any

from action_units.errors import ConfigurationError
from action_units.faces.store import FaceStore
from action_units.fingerprint import differences
from action_units.hints import command
from action_units.models.trained import TrainedModel


def check_colour(model: TrainedModel, faces: FaceStore) -> None:
    """Check that faces are in colour where a network was trained on such ones, and else grey.

    Raises:
        ConfigurationError: They are not.
    """
    if faces.colour != model.colour:
        kinds = {True: "in colour", False: "grey"}
        as_then = command("preprocess", **{"preprocess.crop.colour": model.colour})
        raise ConfigurationError(
            f"the network was trained on faces that were {kinds[model.colour]}, and these are "
            f"{kinds[faces.colour]}; {as_then} makes such ones, or train again."
        )


def check_same_faces(model: TrainedModel, faces: FaceStore) -> None:
    """Check that faces were found, cut out and packed as those of a network's training.

    How ready-made crops were cut out is not recorded; of them only colour and size are known.

    Raises:
        ConfigurationError: They were not.
    """
    check_colour(model, faces)
    then, now = model.provenance.get("faces"), faces.notes.get("faces")
    changes = list(
        differences(
            {"face_size": model.spec.image_size, **_made(then if now else None)},
            {"face_size": faces.faces.shape[1], **_made(now if then else None)},
        )
    )
    if changes:
        raise ConfigurationError(
            f"these faces were not made as those that the network was trained on: "
            f"{'; '.join(changes)}. Set it as it was and preprocess again, or train again."
        )


def _made(recorded: dict[str, Any] | None) -> dict[str, Any]:
    """What decides where a face lies in its crop."""
    if recorded is None:
        return {}
    detector, crop = recorded["detector"]["name"], recorded["crop"]
    return {"preprocess": {"detector": {"name": detector}, "crop": crop}}
