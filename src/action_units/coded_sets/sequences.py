"""Folders of numbered pictures, and videos, by the subject and recording in their paths."""

from collections.abc import Callable
from pathlib import Path

from action_units.coded_sets.media_tree import MediaTree, without_suffix
from action_units.coded_sets.reader import Media
from action_units.errors import LabelError
from action_units.labels.label_files import describe_folder

Key = tuple[str, str]
"""Subject and recording."""


def find_sequences(
    root: Path,
    key_of: Callable[[str], Key | None],
    first_frame: int | None,
    option: str,
    expected: str,
) -> tuple[dict[Key, Media], list[Path]]:
    """Find the pictures or the video of each recording.

    A picture's frame is the number at the end of its name, however many zeros it begins
    with. Numbers may begin anywhere and have gaps.

    Args:
        root: In which they lie, at any depth.
        key_of: The subject and the recording of a path below it, without a video's suffix;
            None where the path is of none.
        first_frame: The number that the labels give to the first frame; None takes the
            pictures' own numbers.
        option: The full name of the setting ``first_frame``, for messages.
        expected: What the paths should be like, for messages.

    Returns:
        The media, and the videos and pictures that are of no recording.

    Raises:
        LabelError: There is no recording, one is in two places, two pictures have one
            number, or it is not known how a video's frames are numbered.
    """
    tree = MediaTree(root)
    found: dict[Key, str] = {}
    for path in (*tree.pictures, *tree.videos):
        if (key := key_of(without_suffix(path))) is None:
            continue
        if (first := found.setdefault(key, path)) != path:
            name = option.removesuffix("first_frame") + "media"
            raise LabelError(
                root / path,
                f"it and {root / first} are both {key[1]} of {key[0]}; keep one of them, or "
                f"set {name} to a folder that has only one.",
            )
    if not found:
        packed = next(iter(sorted(root.rglob("*.zip"))), None)
        unpack = f" Unpack {packed} and others like it." if packed else ""
        raise LabelError(
            root,
            f"no pictures of a recording are there; expected {expected}, at any depth; "
            f"{describe_folder(root)}.{unpack}",
        )
    numbered = {key: tree.numbered(path) for key, path in found.items()
                if path in tree.pictures}  # fmt: skip
    lowest = min((number for each in numbered.values() for number in each), default=0)
    shift = 0 if first_frame is None else first_frame - lowest
    media: dict[Key, Media] = {}
    for key, path in found.items():
        if key in numbered:
            pictures = {number + shift: one for number, one in numbered[key].items()}
            media[key] = Media(root / path, pictures)
        elif first_frame is None:
            raise LabelError(
                root / path,
                "it is a video, so the number of its first frame is not known; set "
                f"{option}: 0 or 1.",
            )
        else:
            media[key] = Media(root / path, first_frame=first_frame)
    return media, tree.others(set(found.values()))
