"""Who shows what in the rendered studio, and what its coders write down.

Everyone is asked for the same expressions, in an order of their own, so that every AU is
shown by everyone. The AUs that are not coded here appear in them as well.
"""

from functools import lru_cache

import numpy as np

from action_units.config import StudioSampleConfig
from action_units.labels.action_units import AUSet, au_columns
from action_units.labels.coded_frames import MISSING
from action_units.sample.canvas import Floats
from action_units.sample.course import Event, play
from action_units.sample.muscles import RENDERED_AUS

STUDIO_AUS: AUSet = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
"""The AUs that the studio's coders score."""

SUBJECTS = tuple(f"P{number:02d}" for number in range(1, 13))

NEVER_SCORED: dict[str, AUSet] = {"P03": (14, 24), "P06": (23,), "P11": (10, 24)}
"""AUs that were not scored in any frame of a subject."""

HIDES: dict[str, AUSet] = {
    "hand": (10, 12, 14, 15, 17, 23, 24),
    "finger": (10, 12, 14, 15, 17, 23, 24),
    "microphone": (15, 17, 23, 24),
    "strand": (1, 2, 4),
}
"""The AUs that cannot be scored behind an occluder."""

EXPRESSIONS: tuple[AUSet, ...] = (
    (6, 12), (6, 7, 12, 25), (12, 14), (14,), (1, 2, 5, 25, 26), (1, 2), (2,), (1, 4, 15),
    (1, 4, 15, 17), (15, 17), (4, 5, 7, 23), (17, 23), (4, 7, 17, 24), (14, 24), (24,),
    (4, 7, 9, 10), (6, 7, 10, 12), (10, 17), (4, 6, 7, 20, 25), (4,),
)  # fmt: skip
"""What everyone is asked to show: a few emotions, and single AUs."""

_MEAN_LENGTH = 2.6  # pictures that an expression lasts
_BUSY = 0.85  # of the pictures, at most
_LETTERS = "0ABCDE"


@lru_cache(maxsize=16)
def intensities(config: StudioSampleConfig, subject: str) -> Floats:
    """True intensities of a subject's pictures, (frames, 19) for RENDERED_AUS.

    The coders' letters are these, rounded: A for 1 to E for 5.
    """
    rng = np.random.default_rng([config.seed, 31, SUBJECTS.index(subject)])
    events = []
    room = int(_BUSY * config.frames_per_subject)
    for index in rng.permutation(len(EXPRESSIONS)):
        length = 1 + int(rng.poisson(_MEAN_LENGTH - 1))
        if length <= room:
            events.append(Event(EXPRESSIONS[index], length))
            room -= length
    course = play(events, config.frames_per_subject, rng, len(RENDERED_AUS))
    clipped: Floats = np.clip(course, 0.0, 5.0)
    clipped.flags.writeable = False
    return clipped


def codes(config: StudioSampleConfig, subject: str) -> np.ndarray:
    """What the coders wrote of a subject's pictures, (frames, 12) for STUDIO_AUS.

    Whole numbers 0–5, and MISSING where an AU was not scored: in the first picture, before
    the subject is ready, behind what hides it, and those in NEVER_SCORED.
    """
    columns = [RENDERED_AUS.index(au) for au in STUDIO_AUS]
    coded = np.rint(intensities(config, subject)[:, columns]).astype(int)
    coded[0] = MISSING
    for index in range(len(coded)):
        hidden = HIDES.get(occluder(config, subject, index)[0], ())
        coded[index, [STUDIO_AUS.index(au) for au in hidden]] = MISSING
    coded[:, [STUDIO_AUS.index(au) for au in NEVER_SCORED.get(subject, ())]] = MISSING
    return coded


def codes_csv(config: StudioSampleConfig) -> str:
    """The coders' table: a row a picture, letters A–E, 0 for absent, 9 for not scored."""
    lines = [",".join(["subject", "frame", *au_columns(STUDIO_AUS)])]
    for subject in SUBJECTS:
        for frame, row in enumerate(codes(config, subject), 1):
            cells = ["9" if code == MISSING else _LETTERS[code] for code in row]
            lines.append(",".join([subject, str(frame), *cells]))
    return "\n".join(lines) + "\n"


def occluder(
    config: StudioSampleConfig, subject: str, index: int
) -> tuple[str, tuple[float, float]]:
    """What hides part of the face in a picture, and where, as in ``View``."""
    rng = np.random.default_rng([config.seed, 32, SUBJECTS.index(subject), index])
    kind = str(rng.choice(list(HIDES))) if rng.random() < config.occlusion else "none"
    return kind, (float(rng.random()), float(rng.random()))
