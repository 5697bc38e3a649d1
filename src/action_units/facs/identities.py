"""Who the people of the web set are: a CSV with the header ``identity,gender``.

A gender is 0 or 1, or a word: woman, female or f is 0, man, male or m is 1, as in the rendered
sample. Numbers are taken as they stand: which is which matters to nothing here, since gender
is only ever used to draw as many of one as of the other.
"""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from action_units.errors import LabelError
from action_units.facs.names import parse_web_name

_HEADER = ["identity", "gender"]
_GENDERS = {"0": 0, "woman": 0, "female": 0, "f": 0, "1": 1, "man": 1, "male": 1, "m": 1}


def read_identities(path: Path | str) -> dict[str, int]:
    """Read the gender, 0 or 1, of each identity.

    Raises:
        LabelError: The file is missing, or a line is not an identity's first and
            only ``identity,gender``; names file and line.
    """
    path = Path(path)
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except FileNotFoundError:
        raise LabelError(path, "there is no such file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LabelError(path, f"the file cannot be read as text ({error}).") from None
    people: dict[str, int] = {}
    if not lines or [cell.strip() for cell in lines[0].split(",")] != _HEADER:
        raise LabelError(path, "the header must be identity,gender.", 1)
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in next(csv.reader([line]))]
        if len(cells) != len(_HEADER) or not cells[0]:
            raise LabelError(path, f"{line!r} is not identity,gender.", number)
        if cells[1].lower() not in _GENDERS:
            raise LabelError(
                path,
                f"gender is {cells[1]!r}; it must be 0 or 1, or a word: woman, female or f "
                "for 0; man, male or m for 1.",
                number,
            )
        if cells[0] in people:
            raise LabelError(path, f"{cells[0]} is there twice.", number)
        people[cells[0]] = _GENDERS[cells[1].lower()]
    return people


def web_people(
    images: Iterable[str], genders: Mapping[str, int], path: Path | str
) -> pd.DataFrame:
    """Who each web face shows: ``image``, ``subject``, ``gender``.

    Args:
        images: Names such as ``m.0d27_dy_84-FaceId-0.jpg``.
        genders: From ``read_identities``.
        path: Where `genders` were read, for the error's sentence.

    Raises:
        LabelError: A name is not a web face's, or its identity is not in `genders`.
    """
    rows = []
    for image in images:
        try:
            identity = parse_web_name(image).identity
        except ValueError as error:
            raise LabelError(path, f"{error}.") from None
        if identity not in genders:
            raise LabelError(path, f"{identity}, whose face is {image}, is not in the file.")
        rows.append((image, identity, genders[identity]))
    table = pd.DataFrame(rows, columns=["image", "subject", "gender"])
    return table.astype({"gender": "int8"})
