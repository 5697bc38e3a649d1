"""What others printed for DISFA, for the comparison table of the report.

F1 × 100 over frames, positive at intensity 2 and above, three folds, as the
authors print it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from action_units.evaluation.fold import FoldEvaluation
from action_units.labels.action_units import EIGHT_AUS
from action_units.labels.folds import FG2020, STANDARD


@dataclass(frozen=True)
class PublishedResult:
    """One row.

    Attributes:
        method: Its name, with what distinguishes its protocol.
        venue: Where and when.
        f1: Per AU of the literature's eight, × 100; empty where only the mean is known.
        mean: Over the eight AUs, × 100.
        source: Where the row was read.
    """

    method: str
    venue: str
    f1: tuple[float, ...]
    mean: float
    source: str

    @property
    def by_au(self) -> dict[int, float]:
        """F1 × 100 by AU, empty where it was not printed."""
        return dict(zip(EIGHT_AUS, self.f1, strict=True)) if self.f1 else {}


PROTOCOLS = (STANDARD, FG2020)
"""Whose folds they were measured on."""


PRESENT_FROM = 2
"""The intensity from which an AU counted as present in them."""


def results_on(
    folds: Sequence[FoldEvaluation], present_from: float | None
) -> tuple[PublishedResult, ...]:
    """The published results that folds may stand beside, none where they measure another thing.

    That is so of folds of another protocol, with subjects missing, or of another data set;
    DISFA+ has nine people of DISFA, under the same names.

    Args:
        folds: The folds.
        present_from: The lowest intensity that is labelled present; None where it is not known,
            as in the paper's own label files.
    """
    if present_from not in (None, PRESENT_FROM):
        return ()
    for protocol in PROTOCOLS:
        if all(
            fold.protocol == protocol.name
            and fold.fold in protocol.folds
            and set(fold.test) == set(protocol.test_subjects(fold.fold))
            for fold in folds
        ):
            return PUBLISHED_DISFA
    return ()


_A = "README of ME-GraphAU"
_B = "results figure of MDHR"
_C = "results figure of FMAE-IAT"

PUBLISHED_DISFA: tuple[PublishedResult, ...] = tuple(
    PublishedResult(*row)
    for row in (
        ("JAA-Net", "ECCV 2018", (43.7, 46.2, 56.0, 41.4, 44.7, 69.6, 88.3, 58.4), 56.0, _A),
        ("LP-Net", "", (29.9, 24.7, 72.7, 46.8, 49.6, 72.9, 93.8, 65.0), 56.9, _A),
        ("ARL", "", (43.9, 42.1, 63.6, 41.8, 40.0, 76.2, 95.2, 66.8), 58.7, _A),
        ("Fung & McDuff (own folds)", "FG 2020", (), 60.0, "abstract of arXiv 1911.05946"),
        ("HMP-PS", "CVPR 2021", (38.0, 45.9, 65.2, 50.9, 50.8, 76.0, 93.3, 67.6), 61.0, _A),
        ("FAUDT", "CVPR 2021", (46.1, 48.6, 72.8, 56.7, 50.0, 72.1, 90.8, 55.4), 61.5, _A),
        (
            "ME-GraphAU, ResNet-50",
            "IJCAI 2022",
            (54.6, 47.1, 72.9, 54.0, 55.7, 76.7, 91.1, 53.0),
            63.1,
            _A,
        ),
        ("PIAP", "ICCV 2021", (50.2, 51.8, 71.9, 50.6, 54.5, 79.7, 94.1, 57.2), 63.8, _C),
        ("CLEF", "ICCV 2023", (64.3, 61.8, 68.4, 49.0, 55.2, 72.9, 89.9, 57.0), 64.8, _C),
        (
            "MDHR, Swin-B (temporal)",
            "CVPR 2024",
            (65.4, 60.2, 75.2, 50.2, 52.4, 74.3, 93.7, 58.2),
            66.2,
            _B,
        ),
        ("FMAE, ViT-L", "", (62.7, 59.5, 67.3, 55.6, 61.8, 77.9, 95.0, 69.8), 68.7, _C),
        ("FMAE-IAT", "FG 2025", (64.7, 61.3, 70.8, 58.1, 59.4, 79.9, 95.2, 71.3), 70.1, _C),
    )
)
"""In the order of the mean."""
