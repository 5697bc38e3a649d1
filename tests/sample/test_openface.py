"""The rendered OpenFace's errors: their rates are real ones, and the kinds differ in which go together."""

import hashlib
from functools import cache

import numpy as np
import pytest

from action_units.config import WebSampleConfig
from action_units.sample.openface import (
    PRESENT_FROM,
    Annotation,
    Scene,
    annotate,
    openface_csv,
)
from action_units.sample.web import list_photographs, scene_of

KINDS = ("mild", "class_conditional", "picture_dependent")

# OpenFace's positive rates on 3,000 rows of the real pre-training labels.
REAL_RATES = (0.605, 0.542, 0.308, 0.396, 0.513, 0.525, 0.307, 0.533, 0.517, 0.634, 0.54, 0.213,
              0.386, 0.173, 0.527, 0.405, 0.236, 0.235)  # fmt: skip


def sample(**settings: object) -> WebSampleConfig:
    return WebSampleConfig.model_validate(settings)


@cache
def web_scene() -> Scene:
    """What the default sample shows; the same for each kind of noise."""
    return scene_of(WebSampleConfig(), list_photographs(WebSampleConfig()))


@cache
def annotated(kind: str) -> Annotation:
    return annotate(web_scene(), sample(noise=kind))


def test_mild_noise_writes_what_was_always_written() -> None:
    """The SHA-256 is of the file that the version before kinds of noise wrote."""
    config = sample(noise="mild", photographs=90, identities=30, size=160, failures=0.1)
    photographs = list_photographs(config)
    images = [photograph.image for photograph in photographs]
    text = openface_csv(images, annotate(scene_of(config, photographs), config))
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "0016aa7b41f21f1f4d93dec0ebb012366b0937c617bebc704f2e8d91a36d0185"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_rates_are_openfaces_and_the_truth_lies_far_below(kind: str) -> None:
    truth, labels = web_scene().truth, annotated(kind).present
    present = truth >= PRESENT_FROM
    np.testing.assert_allclose(labels.mean(axis=0), REAL_RATES, atol=0.04)
    assert (present.mean(axis=0) > 0.08).all()
    assert (present.mean(axis=0) < 0.45).all()
    hits, alarms = rates_by_class(labels, present)
    assert (hits - alarms > 0.25).all()


def rates_by_class(labels: np.ndarray, present: np.ndarray) -> np.ndarray:
    """How often an AU is labelled present where it is, and where it is not, (2, 18)."""
    return np.array(
        [
            np.average(labels.astype(float)[:, k], weights=shown[:, k])
            for shown in (present, ~present)
            for k in range(labels.shape[1])
        ]
    ).reshape(2, -1)
