"""Parameters of the command line that would otherwise be ignored without a word."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from action_units.errors import ConfigurationError

_FREE = ("recipes",)  # checked option by option when the recipe is read


def refuse_unknown(given: Mapping[str, Any], known: Mapping[str, Any], above: str = "") -> None:
    """Refuse a parameter that nothing reads.

    Args:
        given: What ``--params`` said, nested.
        known: The parameters of the configuration, nested.
        above: Names of the mappings that these are in, with dots.

    Raises:
        ConfigurationError: A name is unknown, or belongs to the sample, whose
            parameters the catalog reads before ``--params`` is heard.
    """
    for key, value in given.items():
        name = f"{above}{key}"
        if name == "sample":
            raise ConfigurationError(
                "the sample's parameters are not taken from --params; put them into "
                "conf/local/parameters_sample.yml and delete the rendered folder."
            )
        if key not in known:
            near = get_close_matches(str(key), [str(other) for other in known], 1)
            meant = f"Did you mean {above}{near[0]}? " if near else ""
            raise ConfigurationError(
                f"{name} is not a parameter. {meant}There are {above}"
                f"{f', {above}'.join(sorted(map(str, known)))}."
            )
        if isinstance(value, Mapping) and isinstance(known[key], Mapping) and key not in _FREE:
            refuse_unknown(value, known[key], f"{name}.")
