"""Recordings to crop, named as DISFA's."""

from action_units.faces.preprocess import Recording
from action_units.labels.names import disfa_image


def recording(path, subject, frames, tolerance=0):
    """A video whose frames 1 to `frames` have labels."""
    images = {frame: disfa_image(subject, frame) for frame in range(1, frames + 1)}
    return Recording(f"RightVideo{subject}", subject, path, images, tolerance=tolerance)
