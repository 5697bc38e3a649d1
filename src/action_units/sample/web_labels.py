"""What web photographs show."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from action_units.labels.action_units import PRETRAIN_AUS, au_columns
from action_units.sample.canvas import Floats
from action_units.sample.openface import PRESENT_FROM

# Kinds of posed and candid expressions: how common they are, and how often each shows
# which AUs. Made up so that each AU is truly present in some 10–40 % of photographs.
_KINDS: tuple[tuple[float, dict[int, float]], ...] = (
    (0.09, {}),
    (0.26, {12: 0.97, 6: 0.75, 25: 0.65, 7: 0.30, 10: 0.25, 14: 0.20, 26: 0.12}),
    (0.10, {25: 0.85, 26: 0.65, 17: 0.12, 20: 0.35, 10: 0.22, 1: 0.2, 2: 0.2, 45: 0.12}),
    (0.17, {1: 0.90, 2: 0.92, 5: 0.85, 25: 0.60, 26: 0.60}),
    (0.12, {1: 0.75, 4: 0.60, 15: 0.85, 17: 0.50, 20: 0.15, 7: 0.12, 45: 0.15}),
    (0.11, {4: 0.90, 7: 0.60, 5: 0.25, 23: 0.60, 17: 0.40, 9: 0.30, 10: 0.25, 15: 0.25}),
    (0.10, {9: 0.90, 10: 0.60, 4: 0.50, 7: 0.40, 17: 0.30, 20: 0.30, 15: 0.30, 6: 0.35}),
    (0.09, {14: 0.65, 28: 0.55, 23: 0.40, 17: 0.35, 20: 0.40, 15: 0.25, 45: 0.20}),
)  # fmt: skip
_ANYWHERE = {28: 0.20, 45: 0.20, 14: 0.12, 20: 0.10, 23: 0.10, 2: 0.10, 1: 0.08, 9: 0.08}
_ELSEWHERE = 0.06
_IMPOSSIBLE = ((28, 25), (28, 12), (23, 25), (45, 5), (45, 7))  # the first gives way

_COLUMN = {au: k for k, au in enumerate(PRETRAIN_AUS)}
_WEIGHTS = np.array([weight for weight, _ in _KINDS])
_ODDS = _WEIGHTS / _WEIGHTS.sum()
_CHANCES = np.array(
    [
        [max(kind.get(au, 0.0), _ANYWHERE.get(au, _ELSEWHERE)) for au in PRETRAIN_AUS]
        for _, kind in _KINDS
    ]
)


def draw_expression(rng: np.random.Generator) -> Floats:
    """True intensities of one photograph, (18,), 0–5; small traces count too."""
    kind = int(rng.choice(len(_KINDS), p=_ODDS))
    present = rng.random(len(PRETRAIN_AUS)) < _CHANCES[kind]
    strong = PRESENT_FROM + 3.5 * rng.beta(1.5, 1.4, len(PRETRAIN_AUS))
    trace = np.where(rng.random(len(PRETRAIN_AUS)) < 0.30, rng.uniform(0.3, 1.45, 18), 0.0)
    shown: Floats = np.where(present, strong, trace)
    for weaker, stronger in _IMPOSSIBLE:
        if shown[_COLUMN[stronger]] >= 1.0:
            shown[_COLUMN[weaker]] = 0.0
    return shown


def truth_csv(images: Sequence[str], truth: Floats) -> str:
    """The true intensities, which are known because the pictures are rendered."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", *au_columns(PRETRAIN_AUS)])
    for image, row in zip(images, truth, strict=True):
        writer.writerow([image, *(f"{value:.3f}" for value in row)])
    return text.getvalue()
