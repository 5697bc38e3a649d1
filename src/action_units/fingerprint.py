"""Was this made before, from the same inputs and with the same settings?

What is made keeps a record of all that it depends on, as plain JSON values. It need not be
made again while that record equals the present one. Long records are stored as their digest.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def of_file(status: os.stat_result) -> str:
    """A text that changes when a file does: its size and its time of change."""
    return f"{status.st_size}-{status.st_mtime_ns}"


def of_values(*values: Any) -> str:
    """The SHA-256 of plain values, in hexadecimal."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as it is when it has been written to JSON and read again."""
    return dict(json.loads(json.dumps(record)))


def read_record(path: Path) -> dict[str, Any]:
    """The record in a JSON file; empty if none can be read."""
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def changes(recorded: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """What differs between two records, such as ``crop.margin was 0.0 and is now 0.1``.

    Args:
        recorded: The record of what was made before.
        current: What it would be made from now; only its entries are compared.

    Returns:
        Nothing where it need not be made again.
    """
    return list(differences({name: recorded.get(name) for name in current}, current))


def differences(before: Any, current: Any, name: str = "") -> Iterator[str]:
    """What differs between two nested plain mappings, by dotted name.

    Args:
        before: What was.
        current: What is now; lists and tuples of the same items are equal.
        name: What the two are called.

    Yields:
        Phrases such as ``crop.margin was 0.0 and is now 0.1``.
    """
    if isinstance(before, Mapping) and isinstance(current, Mapping):
        for key in sorted({*before, *current}):
            inner = f"{name}.{key}" if name else str(key)
            yield from differences(before.get(key), current.get(key), inner)
    elif _as_lists(before) != _as_lists(current):
        yield f"{name} was {_short(before)} and is now {_short(current)}"


def _as_lists(value: Any) -> Any:
    return [_as_lists(item) for item in value] if isinstance(value, list | tuple) else value


def _short(value: Any) -> str:
    text = repr(_as_lists(value))
    return text if len(text) <= 60 else text[:57] + "..."
