"""Who the people of the web set are: a CSV with the columns ``identity`` and ``gender``.

An identity is written as its folder is called; a name with a comma stands in quotes. Other
columns are ignored. A gender is 0 or 1, or a word: woman, female or f is 0, man, male or m
is 1, as in the rendered sample. Numbers are taken as they stand: which is which matters to
nothing here, since gender is only ever used to draw as many of one as of the other.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pandas as pd

from action_units.errors import LabelError
from action_units.labels.label_files import check_is_csv, read_header
from action_units.labels.names import parse_web_name

_COLUMNS = ("identity", "gender")
_GENDERS = {"0": 0, "woman": 0, "female": 0, "f": 0, "1": 1, "man": 1, "male": 1, "m": 1}


def read_identities(path: Path | str) -> dict[str, int]:
    """Read the gender, 0 or 1, of each identity.

    Raises:
        LabelError: The file is missing, or a line is not an identity's first and
            only one; names file and line.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        check_is_csv(path, content[:8])
        file = io.StringIO(content.decode("utf-8-sig"), newline="")
    except FileNotFoundError:
        raise LabelError(
            path, "there is no such file; expected a CSV with the header identity,gender."
        ) from None
    except UnicodeDecodeError as error:
        raise LabelError(
            path,
            "the file cannot be read as text; save it as CSV in UTF-8.",
            content.count(b"\n", 0, error.start) + 1,
        ) from None
    except OSError as error:
        raise LabelError(path, f"the file cannot be read as text ({error}).") from None
    header, separator, above, _ = read_header(file)
    names = [name.lower() for name in header]
    if any(names.count(name) != 1 for name in _COLUMNS):
        what = f"it is {','.join(header)}" if any(header) else "the file is empty"
        raise LabelError(
            path,
            f"the header must be identity,gender, perhaps with other columns; {what}.",
            above,
        )
    places = [names.index(name) for name in _COLUMNS]
    people: dict[str, int] = {}
    reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        line = reader.line_num + above
        if len(cells) != len(header) or not cells[places[0]].strip():
            raise LabelError(
                path,
                f"{separator.join(cells)!r} is not {separator.join(header)}; a name with "
                f"{separator!r} in it stands in quotes.",
                line,
            )
        name, gender = (cells[place].strip() for place in places)
        name = name.replace("\\", "/").removeprefix("./").rstrip("/")
        if gender.lower() not in _GENDERS:
            raise LabelError(
                path,
                f"gender is {gender!r}; it must be 0 or 1, or a word: woman, female or f "
                "for 0; man, male or m for 1.",
                line,
            )
        if name in people:
            raise LabelError(path, f"{name} occurs twice.", line)
        people[name] = _GENDERS[gender.lower()]
    if not people:
        raise LabelError(path, "the file has a header, but no person.", above)
    return people


def web_people(
    images: Iterable[str],
    genders: Mapping[str, int],
    path: Path | str,
    name_of: Callable[[str], str] = str,
) -> pd.DataFrame:
    """Who each web face shows: ``image``, ``subject``, ``gender``.

    Args:
        images: Names such as ``m.0d27_dy_84-FaceId-0.jpg``.
        genders: From ``read_identities``, by identities as they stand in `images`.
        path: Where `genders` were read, for the error's sentence.
        name_of: How a person writes an identity.

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
            raise LabelError(
                path, f"{name_of(identity)}, who is shown in {image}, is not in the file."
            )
        rows.append((image, identity, genders[identity]))
    table = pd.DataFrame(rows, columns=["image", "subject", "gender"])
    return table.astype({"gender": "int8"})
