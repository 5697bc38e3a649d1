"""Was this made before, from the same inputs and with the same settings?

What is made keeps a record of all that it depends on, as plain JSON values. It need not be
made again while that record equals the present one. Long records are kept as their digest.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from action_units.differences import differences


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
    """The record in a JSON file; empty where there is none that can be read."""
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
