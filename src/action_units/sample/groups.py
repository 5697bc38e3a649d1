"""Who the rendered subjects are: the file of groups of a coded set."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from action_units.files import write_text
from action_units.labels.groups import GROUPS_FILE
from action_units.sample.identity import Identity
from action_units.sample.view import View

# Bands of the renderer's own scales: age from 0 young to 1 old, skin from 0 dark to 1 light,
# and how far a head is turned to a side, in radians, averaged over a video.
_AGES = ((0.35, "younger"), (1.0, "older"))
_SKIN = ((0.55, "dark"), (0.70, "medium"), (1.0, "light"))
_POSES = ((0.06, "frontal"), (0.12, "slightly turned"), (np.inf, "turned"))


def write_groups(
    folder: Path,
    subjects: Sequence[str],
    identity_of: Callable[[str], Identity],
    views_of: Callable[[str], Sequence[View]],
) -> bool:
    """Write ``subject,gender,age,skin tone,glasses,beard,pose`` once.

    It lies beside the pictures and is no part of their record, so that a sample of an earlier
    version gets it without being rendered again, and a person may change it.

    Args:
        folder: Of a rendered set.
        subjects: Of the set, in the order of the rows.
        identity_of: Who plays a subject.
        views_of: How the subject is seen, picture by picture.

    Returns:
        Whether it was written; False where it was there already.

    Raises:
        ArtifactError: The disk refused.
    """
    path = folder / GROUPS_FILE
    if path.exists():
        return False
    rows = ["subject,gender,age,skin tone,glasses,beard,pose"]
    for subject in subjects:
        who = identity_of(subject)
        turned = float(np.mean([abs(view.pose.yaw) for view in views_of(subject)]))
        cells = (
            subject,
            ("woman", "man")[who.gender],
            _band(who.age, _AGES),
            _band(who.skin, _SKIN),
            "none" if who.glasses == "none" else "glasses",
            "none" if who.beard == "none" else "beard",
            _band(turned, _POSES),
        )
        rows.append(",".join(cells))
    write_text(path, "\n".join(rows) + "\n")
    return True


def _band(value: float, bands: Sequence[tuple[float, str]]) -> str:
    return next(name for end, name in bands if value < end or end == bands[-1][0])
