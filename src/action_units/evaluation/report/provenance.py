"""Provenance of a run: what was quarantined or lost, and what the run was made of."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from action_units.evaluation.fold import FoldEvaluation

_EXPECTED = {
    "git_commit": "git commit",
    "seed": "seed",
    "recipe": "recipe",
    "protocol": "fold protocol",
    "device": "device",
    "wall_time": "wall time",
    "started": "started",
    "data_sha256": "data, SHA-256",
    "weights_sha256": "weights, SHA-256",
    "packages": "packages",
}
"""Facts that every page shows, n/a where they were not recorded."""


def quarantine_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Quarantined images, counted by source and reason.

    Args:
        table: ``source, path, reason, detail``; may be empty.
    """
    if table.empty:
        return []
    grouped = table.groupby(["source", "reason"], sort=True)
    return [
        {"source": source, "reason": reason, "count": len(rows), "first": rows["path"].iloc[0]}
        for (source, reason), rows in grouped
    ]


def lost_rows(table: pd.DataFrame) -> dict[str, Any] | None:
    """Frames without a usable face, by subject.

    Args:
        table: ``subject, frames, lost, reasons``; may be empty.

    Returns:
        The rows of subjects that lost any, most first, and totals; None without a table.
    """
    if table.empty:
        return None
    losing = table[table["lost"] > 0].sort_values(["lost", "subject"], ascending=[False, True])
    return {
        "rows": losing.to_dict(orient="records"),
        "subjects": len(table),
        "frames": int(table["frames"].sum()),
        "lost": int(table["lost"].sum()),
    }


def provenance(given: Mapping[str, Any], folds: Sequence[FoldEvaluation]) -> dict[str, Any]:
    """What a run was made of, in parts for the foot of its page.

    Args:
        given: What was recorded of the run, any JSON values. Of it ``git_commit, seed,
            recipe, protocol, device, wall_time, started, data_sha256, weights_sha256,
            packages`` are always shown; mappings of any other name, such as
            ``configuration``, can be unfolded.
        folds: Its folds; what is not given is taken from their records.

    Returns:
        ``facts`` (pairs of name and text), ``unfolded`` (pairs of name and JSON text), and
        ``by_fold`` (what each fold recorded; a value that differs, for each fold).
    """
    recorded = dict(folds[0].provenance) if folds else {}
    known = {"protocol": folds[0].protocol} if folds else {}
    known |= {key: value for key, value in recorded.items() if key in _EXPECTED}
    known |= given
    facts = [(title, text_of(known.pop(key, None))) for key, title in _EXPECTED.items()]
    unfolded = []
    for key, value in known.items():
        title = key.replace("_", " ")
        if isinstance(value, Mapping):
            text = json.dumps(value, indent=2, sort_keys=True, default=str, ensure_ascii=False)
            unfolded.append((title, text))
        else:
            facts.append((title, text_of(value)))
    return {"facts": facts, "unfolded": unfolded, "by_fold": _by_fold(folds)}


def text_of(value: Any) -> str:
    """A recorded value in a line; n/a if missing."""
    if value is None or value == "" or value == {}:
        return "n/a"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text_of(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(str(item) for item in value)
    return str(value)


def _by_fold(folds: Sequence[FoldEvaluation]) -> list[tuple[str, list[tuple[str, str]]]]:
    """What is recorded of the folds, then of each network."""
    parts = [("What the networks share", [fold.provenance for fold in folds])]
    for name, title in folds[0].titles.items():
        having = [fold.models[name].provenance for fold in folds if name in fold.models]
        if len(having) == len(folds):
            parts.append((title, having))
    numbers = [fold.fold for fold in folds]
    return [(title, _entries(numbers, each)) for title, each in parts if any(each)]


def _entries(
    numbers: Sequence[int], each: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """All entries; one that differs is given for each fold."""
    flat = [_flat(one) for one in each]
    rows = []
    for key in sorted({key for one in flat for key in one}):
        values = [one.get(key, "n/a") for one in flat]
        each_fold = (f"fold {n}: {value}" for n, value in zip(numbers, values, strict=True))
        rows.append((key, values[0] if len(set(values)) == 1 else "; ".join(each_fold)))
    return rows


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{name}: ")
        else:
            flat[name] = text_of(value)
    return flat
