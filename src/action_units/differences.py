"""What differs between two settings, in words."""

from collections.abc import Iterator, Mapping
from typing import Any


def differences(found: Any, wanted: Any, name: str = "") -> Iterator[str]:
    """Say what differs between two nested plain mappings, by dotted name.

    Args:
        found: What was.
        wanted: What is asked for now; lists and tuples of the same items are equal.
        name: What the two are called.

    Yields:
        Phrases such as ``crop.margin was 0.0 and is now 0.1``.
    """
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        for key in sorted({*found, *wanted}):
            inner = f"{name}.{key}" if name else str(key)
            yield from differences(found.get(key), wanted.get(key), inner)
    elif _plain(found) != _plain(wanted):
        yield f"{name} was {_short(found)} and is now {_short(wanted)}"


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _short(value: Any) -> str:
    text = repr(_plain(value))
    return text if len(text) <= 60 else text[:57] + "..."
