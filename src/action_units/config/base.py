"""The base of every group of settings: checks types and ranges and words the errors.

Nothing is converted: ``yes`` is not ``true``, 3.0 is not a whole number, and a number is not
text. The sentence about a wrong value is made from its type. The docstring under a field is
its documentation; ``docs/recipes.md`` is made from those of the recipes.
"""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Self,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from action_units.errors import ConfigurationError


@dataclass(frozen=True)
class Expected:
    """What a value must be, in words; in place of those made from its type."""

    words: str


Number: TypeAlias = int | float  # keeps the type, so that files show what was written
Count: TypeAlias = Annotated[int, Field(ge=1, lt=2**31)]
Part: TypeAlias = Annotated[Number, Field(ge=0, le=1)]
PartBetween: TypeAlias = Annotated[Number, Field(gt=0, lt=1)]
Seed: TypeAlias = Annotated[int, Field(ge=0, lt=2**63)]
PathText: TypeAlias = Annotated[
    str, Field(min_length=1), Expected("a path as text (./7 where its name is a number)")
]


class Settings(BaseModel):
    """Base of the groups; an instance is always valid."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )

    def __init__(self, **values: Any) -> None:
        """Build from Python; raises ConfigurationError as ``read``."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigurationError(_message(type(self), error, values, "")) from None

    # Lets pydantic build groups within groups without calling this method.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def read(cls, values: Any, name: str = "") -> Self:
        """Build from plain values as they stand in a YAML or JSON file.

        Args:
            values: By name.
            name: The full name of this group, such as ``preprocess.crop``.

        Raises:
            ConfigurationError: A value is unknown, missing, of another type or out of range;
                the message has its full name.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigurationError(_message(cls, error, values, name)) from None

    def to_json(self) -> dict[str, Any]:
        """The plain values of all fields, ready for JSON or YAML; the inverse of ``read``."""
        return self.model_dump(mode="json")


def _message(cls: type[Settings], error: ValidationError, values: Any, name: str) -> str:
    """The first error: the value's full name, what it is, and what it must be.

    An unknown name comes before a missing one, which it may be a misspelling of.
    """
    errors = error.errors()
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    kind: Any = cls
    for key in first["loc"]:
        group, plain = _group(kind), _plain(kind)
        if group is not None and key not in group.model_fields:
            return _unknown(str(key), group, name)
        if group is not None:
            kind = get_type_hints(group, include_extras=True)[str(key)]
            name = f"{name}.{key}" if name else str(key)
            values = values.get(key) if isinstance(values, Mapping) else values
        elif get_origin(plain) in (list, tuple) and isinstance(key, int):
            kind, values, name = get_args(plain)[0], values[key], f"{name}[{key}]"
        elif get_origin(plain) is dict and key in values:
            kind, values, name = get_args(plain)[1], values[key], f"{name}.{key}"
        else:
            break  # the name of a choice within the value's type
    if first["type"] == "value_error":
        reason = f"{first['ctx']['error']}."
        return f"{name}: {reason}" if name else reason
    state = "missing" if first["type"] == "missing" else _shown(values)
    return f"{name or cls.__name__} is {state}; it must be {_expected(kind)}."


def _unknown(name: str, group: type[Settings], above: str) -> str:
    above = f"{above}." if above else ""
    names = sorted(group.model_fields)
    near = get_close_matches(name, names, 1)
    guess = f"Did you mean {above}{near[0]}? " if near else ""
    return f"{above}{name} is not a parameter. {guess}There are: {', '.join(names)}."


def _plain(kind: Any) -> Any:
    """A type without its ranges, and without null."""
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    others = [one for one in _choices(kind) if one is not type(None)]
    return _plain(others[0]) if _choices(kind) and len(others) == 1 else kind


def _choices(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else ()


def _group(kind: Any) -> type[Settings] | None:
    kind = _plain(kind)
    return kind if isinstance(kind, type) and issubclass(kind, Settings) else None


def _shown(value: Any) -> str:
    words = {None: "null", True: "true", False: "false"}
    text = words[value] if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


_NOUNS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _expected(kind: Any) -> str:
    """A type in words: ``a whole number from 1, or null``."""
    if get_origin(kind) is Annotated:
        inner, *marks = get_args(kind)
        if words := [mark.words for mark in marks if isinstance(mark, Expected)]:
            return words[0]
        infos = [mark for mark in marks if isinstance(mark, FieldInfo)]
        return _expected(inner) + _range([limit for info in infos for limit in info.metadata])
    if choices := _choices(kind):
        if set(choices) == {int, float}:
            return "a number"
        words = [_expected(one) for one in choices if one is not type(None)]
        return " or ".join(words) + (", or null" if type(None) in choices else "")
    if get_origin(kind) is Literal:
        names = [str(name) for name in get_args(kind)]
        return names[0] if len(names) == 1 else f"one of: {', '.join(names)}"
    if get_origin(kind) in (list, tuple):
        return "a list"
    if (group := _group(kind)) is not None:
        return f"a group of parameters: {', '.join(group.model_fields)}"
    return _NOUNS.get(kind, "values by name")


def _range(limits: list[Any]) -> str:
    bounds = {
        key: getattr(limit, key)
        for limit in limits
        for key in ("ge", "gt", "le", "lt")
        if getattr(limit, key, None) is not None
    }
    if "ge" in bounds and "le" in bounds:
        return f" from {bounds['ge']} to {bounds['le']}"
    words = {"ge": "from", "gt": "above", "le": "at most", "lt": "below"}
    texts = [f"{words[key]} {limit}" for key, limit in bounds.items() if limit < 2**31]
    return f" {' and '.join(texts)}" if texts else ""
