"""What centring by person gains on test subjects: a line of its own beside the headline.

It uses all test frames of a person at once, unlabelled, so it answers another question than the
headline does, and published results without such frames are not comparable with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from action_units.evaluation.postprocessing.postprocessing import (
    fit_person_centred,
    fit_postprocessing,
)
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.scores import MetricScores, score_folds


@dataclass(frozen=True)
class CentringChoice:
    """What a fold's validation subjects chose.

    Attributes:
        quantile: Of the person's logits.
        strength: The part that is subtracted; 0: nothing.
        minimum_frames: People with fewer test frames are scored without.
        frames_without: How many test frames are of such people.
    """

    quantile: float
    strength: float
    minimum_frames: int
    frames_without: int


@dataclass(frozen=True)
class PersonCentredScores:
    """The fine-tuned network relative to each test subject's own face.

    Attributes:
        choices: By fold.
        metrics: Every metric; intensities have curves of their own, fitted to person-centred
            probabilities.
        gains: Person-centred minus headline, by metric, paired over subjects.
    """

    choices: dict[int, CentringChoice]
    metrics: dict[str, MetricScores]
    gains: dict[str, MetricScores]


def score_person_centred(
    folds: Mapping[int, tuple[Predictions, Predictions, Predictions]],
    option: str = "raw",
    seed: int = 0,
) -> PersonCentredScores:
    """Fit the centring on validation subjects and score it on test subjects.

    Args:
        folds: By fold, raw predictions of the validation subjects, raw predictions of the test
            subjects, and these as the headline has them.
        option: The postprocessing of the headline; the same follows the centring.
        seed: Of the thresholds and of the bootstrap.

    Raises:
        ConfigurationError: A subject is both validated and tested on.
    """
    choices, centred = {}, {}
    for fold, (validation, test, headline) in folds.items():
        person_centred = fit_person_centred(validation, option, seed)
        plain = fit_postprocessing(validation, option, seed)
        steps = replace(plain, person_centred=person_centred)
        centred[fold] = replace(
            steps.apply_person_centred(test), training_means=headline.training_means
        )
        centring = person_centred.centring
        references = centring.references(test.probabilities, test.subjects)
        choices[fold] = CentringChoice(
            centring.quantile,
            centring.strength,
            centring.minimum_frames,
            int(np.isnan(references).any(axis=1).sum()),
        )
    scores = score_folds(centred, seed)
    plainly = score_folds({fold: part[2] for fold, part in folds.items()}, seed)
    return PersonCentredScores(choices, scores.scores(), (scores - plainly).scores())
