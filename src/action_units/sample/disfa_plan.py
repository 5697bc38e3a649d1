"""When which subject shows what: the rendered DISFA's time course and its statistics.

The statistics are measured on DISFA's label files; no row of them is kept here.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from action_units.config import DisfaSampleConfig
from action_units.labels.action_units import DISFA_AUS, PRETRAIN_AUS
from action_units.labels.folds import DISFA_SUBJECTS, FG2020, STANDARD
from action_units.sample.canvas import Floats
from action_units.sample.course import Event, play

# How often AUs occur together (intensity 2 and above), in percent of frames. Measured by
# counting the 64 commonest of the 234 combinations in the test label files of two of the
# three fg2020 folds (87,209 frames of 18 subjects; they cover 98 %), then scaling the
# counts by iterative proportional fitting until each AU's own prevalence was that of the
# paper's totals over all 130,814 frames for AUs 1, 2, 4, 6, 9, 12, 25, 26 and that of
# the two folds for AUs 5, 15, 17, 20.
COMBINATIONS: tuple[tuple[tuple[int, ...], float], ...] = (
    ((), 48.516), ((25,), 8.869), ((4,), 5.489), ((6, 12, 25), 4.390), ((12, 25), 4.377),
    ((25, 26), 2.757), ((26,), 2.196), ((4, 17), 1.742), ((1, 2), 1.558), ((17,), 1.331),
    ((12,), 1.326), ((20,), 0.915), ((12, 25, 26), 0.901), ((4, 25, 26), 0.745),
    ((1, 2, 4), 0.741), ((4, 25), 0.725), ((9,), 0.684), ((4, 9), 0.671),
    ((6, 12, 25, 26), 0.621), ((6, 25), 0.619), ((17, 20), 0.590), ((2, 4), 0.581),
    ((1, 2, 5), 0.564), ((5,), 0.480), ((4, 15, 17), 0.413), ((6, 12), 0.403),
    ((1, 4, 25), 0.373), ((1,), 0.369), ((2,), 0.367), ((1, 4, 9, 20), 0.364),
    ((15, 25), 0.359), ((4, 15), 0.359), ((4, 6, 9, 17, 25, 26), 0.325), ((1, 4), 0.305),
    ((15, 25, 26), 0.267), ((15,), 0.261), ((4, 17, 20), 0.253), ((1, 2, 6, 12, 25), 0.239),
    ((4, 9, 17, 25, 26), 0.233), ((4, 9, 15, 17), 0.210), ((12, 17), 0.201), ((9, 25), 0.197),
    ((17, 25), 0.197), ((6, 9, 12, 25), 0.196), ((1, 4, 6, 9), 0.196), ((4, 9, 17), 0.187),
    ((4, 6, 9, 20, 25, 26), 0.182), ((6, 9, 15, 25), 0.174), ((1, 2, 25, 26), 0.173),
    ((15, 17), 0.169), ((17, 20, 26), 0.152), ((4, 9, 12, 17), 0.140),
    ((4, 6, 20, 25), 0.138), ((6, 25, 26), 0.134), ((17, 26), 0.133),
    ((4, 15, 17, 20), 0.128), ((4, 9, 25), 0.128), ((4, 5), 0.125), ((4, 6, 9, 25), 0.112),
    ((4, 15, 25), 0.100), ((4, 9, 15), 0.095), ((1, 2, 4, 9, 25), 0.092),
    ((4, 6, 12, 25), 0.088), ((6, 17), 0.077),
)  # fmt: skip

PREVALENCE: dict[int, float] = {
    1: 0.0497, 2: 0.0431, 4: 0.1524, 5: 0.0117, 6: 0.0789, 9: 0.0418, 12: 0.1288, 15: 0.0254,
    17: 0.0648, 20: 0.0272, 25: 0.2771, 26: 0.0882,
}  # fmt: skip
"""Share of frames with intensity 2 or more, from the same sources."""

SUBJECTS = DISFA_SUBJECTS


@dataclass
class _Subject:
    room: int
    events: list[Event] = field(default_factory=list)

    def takes(self, event: Event) -> None:
        self.events.append(event)
        self.room -= event.length


@lru_cache(maxsize=4)
def deal_events(config: DisfaSampleConfig) -> dict[str, list[Event]]:
    """Share out expressions among the subjects so that the totals are DISFA's.

    Rare AUs are dealt first, each to subjects of ever other folds in turn, so that both
    fold protocols find every AU among the test and the training subjects of every fold.
    """
    rng = np.random.default_rng([config.seed, 10])
    total = config.frames_per_subject * len(SUBJECTS)
    affinity = np.exp(rng.normal(0.0, 0.9, (len(SUBJECTS), len(DISFA_AUS))))
    subjects = [
        _Subject(int(rng.uniform(0.62, 0.86) * config.frames_per_subject)) for _ in SUBJECTS
    ]
    order = _interleaved(rng)
    dealt = dict.fromkeys(DISFA_AUS, 0)
    turn = {au: int(rng.integers(len(order))) // 3 * 3 for au in DISFA_AUS}
    for event in sorted(_events(config, total, rng), key=_rarity):
        rarest = min(event.aus, key=PREVALENCE.__getitem__)
        column = DISFA_AUS.index(rarest)
        if dealt[rarest] < 9:
            rank = [order[(turn[rarest] + k) % len(order)] for k in range(len(order))]
            turn[rarest] += 1
            chosen = next((s for s in rank if subjects[s].room >= event.length), rank[0])
        else:
            room = np.array([max(0, s.room - event.length + 1) for s in subjects], dtype=float)
            odds = affinity[:, column] * room
            if odds.sum() == 0:
                odds = np.ones(len(subjects))
            chosen = int(rng.choice(len(subjects), p=odds / odds.sum()))
        subjects[chosen].takes(event)
        for au in event.aus:
            dealt[au] += 1
    return {name: s.events for name, s in zip(SUBJECTS, subjects, strict=True)}


def intensities(config: DisfaSampleConfig, subject: str) -> Floats:
    """True intensities of a subject's pictures, (frames, 18) for PRETRAIN_AUS.

    The coders' labels are these, rounded to whole numbers.
    """
    number = SUBJECTS.index(subject)
    rng = np.random.default_rng([config.seed, 11, number])
    events = deal_events(config)[subject]
    course = play(events, config.frames_per_subject, rng, len(PRETRAIN_AUS))
    _add_distractors(course, config.distractors, rng)
    return np.clip(course, 0.0, 5.0)


def _add_distractors(course: Floats, rate: float, rng: np.random.Generator) -> None:
    """Uncoded AUs, more often together with their partners."""
    column = {au: k for k, au in enumerate(PRETRAIN_AUS)}

    def with_(au: int, base: float, partners: tuple[int, ...], together: float) -> None:
        partner = (course[:, [column[p] for p in partners]] >= 1.5).any(axis=1)
        chance = rate * np.where(partner, together, base)
        on = rng.random(len(course)) < chance
        course[on, column[au]] = rng.uniform(1.0, 4.5, int(on.sum()))

    with_(7, 0.03, (4, 6), 0.25)
    with_(10, 0.02, (9,), 0.30)
    with_(14, 0.04, (12,), 0.08)
    with_(23, 0.02, (17, 4), 0.10)
    with_(28, 0.015, (), 0.0)
    with_(45, 0.05, (), 0.05)
    parted = course[:, column[25]] >= 1.0
    course[parted, column[28]] = 0.0
    course[parted, column[23]] = 0.0


def _events(config: DisfaSampleConfig, total: int, rng: np.random.Generator) -> list[Event]:
    shares = np.array([share for _, share in COMBINATIONS])
    exact = shares / shares.sum() * total
    counts = np.floor(exact).astype(int)
    short = total - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:short]] += 1
    events = []
    for (aus, _), count in zip(COMBINATIONS, counts, strict=True):
        if not aus or not count:
            continue
        number = max(1, round(count / config.mean_event))
        lengths = 1 + rng.multinomial(count - number, np.full(number, 1.0 / number))
        events += [Event(aus, int(length)) for length in lengths]
    return events


def _rarity(event: Event) -> float:
    return min(PREVALENCE[au] for au in event.aus)


def _interleaved(rng: np.random.Generator) -> list[int]:
    """Subject indices such that any three in a row test all folds of both protocols."""
    groups = [FG2020.groups, STANDARD.groups]
    cells = [(row, (row + shift) % 3) for shift in range(3) for row in range(3)]
    members = {
        cell: [int(k) for k in rng.permutation(len(SUBJECTS))
               if SUBJECTS[k] in groups[0][cell[0]] and SUBJECTS[k] in groups[1][cell[1]]]
        for cell in cells
    }  # fmt: skip
    rounds = 3  # the smallest cell has one member, who then appears again
    return [members[cell][k % len(members[cell])] for k in range(rounds) for cell in cells]
