"""Options that check themselves: typed dataclass fields with a sentence and limits.

A configuration class is a frozen dataclass whose fields are made by ``option``. It is
checked whenever it is built, from Python or from the plain dict of a YAML file, and a
misspelt name or an impossible value is refused with the choices.
"""

import dataclasses
import difflib
import math
import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, Self, Union, get_args, get_origin, get_type_hints

from action_units.errors import ConfigurationError


def option(
    default: Any,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Any:
    """Declare one option of a configuration class.

    Args:
        default: Its value where the configuration is silent.
        doc: One sentence for the documentation.
        low: Smallest value allowed.
        high: Largest value allowed.
        above: The value must be greater than this.
        below: The value must be smaller than this.
    """
    limits = {"low": low, "high": high, "above": above, "below": below}
    return dataclasses.field(default=default, metadata={"doc": doc, **limits})


@dataclasses.dataclass(frozen=True)
class Options:
    """Base of the configuration classes; see the module."""

    def __post_init__(self) -> None:
        """Check every field, and build nested classes that came as plain dicts."""
        hints = get_type_hints(type(self))
        for field in dataclasses.fields(self):
            name = f"{_title(type(self))} option '{field.name}'"
            value = _checked(getattr(self, field.name), hints[field.name], name)
            _check_limits(value, field, name)
            object.__setattr__(self, field.name, value)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from a plain dict, such as one of ``parameters.yml``.

        Raises:
            ConfigurationError: It is no dict, a key is unknown or a value impossible.
        """
        if not isinstance(values, Mapping):
            raise ConfigurationError(f"it is {values!r}; it must be a mapping of options.")
        known = [field.name for field in dataclasses.fields(cls)]
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                guess = f" Did you mean '{near[0]}'?" if near else ""
                raise ConfigurationError(
                    f"'{key}' is not an option of {_title(cls)}.{guess} "
                    f"The options are: {', '.join(known)}."
                )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """The plain dict of all options, ready for JSON or YAML."""
        plain: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Options):
                value = value.to_dict()
            plain[field.name] = list(value) if isinstance(value, tuple) else value
        return plain


def describe(cls: type[Options], prefix: str = "") -> list[tuple[str, str, str]]:
    """Name, default and sentence of every option, nested ones with a dotted name."""
    rows: list[tuple[str, str, str]] = []
    for field in dataclasses.fields(cls):
        if isinstance(field.default, Options):
            rows += describe(type(field.default), f"{prefix}{field.name}.")
        else:
            rows.append((prefix + field.name, str(field.default), field.metadata["doc"]))
    return rows


def _title(cls: type[Options]) -> str:
    return cls.__name__


def _checked(value: Any, expected: Any, name: str) -> Any:
    """The value as the annotated type, or a ConfigurationError."""
    origin = get_origin(expected)
    if origin is Literal:
        choices = get_args(expected)
        if not any(value == choice and type(value) is type(choice) for choice in choices):
            listed = ", ".join(str(choice) for choice in choices)
            raise ConfigurationError(f"{name} is {value!r}; it must be one of: {listed}.")
        return value
    if origin in (Union, types.UnionType):
        inner = [kind for kind in get_args(expected) if kind is not type(None)]
        return None if value is None else _checked(value, inner[0], name)
    if origin is tuple:
        kind = get_args(expected)[0]
        if not isinstance(value, list | tuple):
            raise ConfigurationError(
                f"{name} is {value!r}; it must be a list of {_noun(kind)}."
            )
        return tuple(_checked(item, kind, name) for item in value)
    if isinstance(expected, type) and issubclass(expected, Options):
        if isinstance(value, Mapping):
            return expected.from_dict(value)
        if not isinstance(value, expected):
            raise ConfigurationError(f"{name} is {value!r}; it must be a mapping of options.")
        return value
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    exact = type(value) is expected
    if not exact or (expected is float and not math.isfinite(value)):
        raise ConfigurationError(f"{name} is {value!r}; it must be {_noun(expected)}.")
    return value


def _noun(kind: type) -> str:
    nouns = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return nouns.get(kind, kind.__name__)


def _check_limits(value: Any, field: "dataclasses.Field[Any]", name: str) -> None:
    tests: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
        "low": ("at least", lambda item, limit: item >= limit),
        "high": ("at most", lambda item, limit: item <= limit),
        "above": ("greater than", lambda item, limit: item > limit),
        "below": ("smaller than", lambda item, limit: item < limit),
    }
    limits = {key: field.metadata.get(key) for key in tests}
    wanted = [
        f"{tests[key][0]} {limit:g}" for key, limit in limits.items() if limit is not None
    ]
    for item in value if isinstance(value, tuple) else (value,):
        for key, limit in limits.items():
            if limit is not None and item is not None and not tests[key][1](item, limit):
                raise ConfigurationError(
                    f"{name} is {value!r}; it must be {' and '.join(wanted)}."
                )
