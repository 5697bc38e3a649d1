"""The benchmark of noisy labels changes the labels of pre-training and its method, no more."""

import numpy as np
import pandas as pd
import pytest
from benchmarks.noisy_labels import NOISES, WAYS, labelled, training_of

from action_units.config import WebSampleConfig
from action_units.faces.store import FaceStore
from action_units.labels.action_units import PRETRAIN_AUS, au_columns
from action_units.sample.openface import PRESENT_FROM
from action_units.sample.web import list_photographs, true_intensities

COLUMNS = au_columns(PRETRAIN_AUS)
CONFIG = WebSampleConfig(seed=3)
CHOSEN = list_photographs(CONFIG)[40:10:-1]
TRUTH = np.stack([true_intensities(CONFIG, photograph.index) for photograph in CHOSEN])


@pytest.fixture(scope="module")
def web():
    table = pd.DataFrame(dict.fromkeys(COLUMNS, 9), index=range(len(CHOSEN)))
    table["image"] = [photograph.image for photograph in CHOSEN]
    table["subject"] = [photograph.identity for photograph in CHOSEN]
    table["AU01_r"] = -1.0
    return FaceStore(np.zeros((len(CHOSEN), 16, 16), np.uint8), table, PRETRAIN_AUS)


def test_the_ceiling_has_the_truth(web):
    found = labelled(web, "mild", truth=True, seed=3)
    np.testing.assert_array_equal(found.labels, TRUTH >= PRESENT_FROM)


@pytest.mark.parametrize("noise", NOISES)
def test_labels_are_of_the_right_photographs(web, noise):
    found = labelled(web, noise, truth=False, seed=3)
    shown = TRUTH >= 2
    assert found.labels[shown].mean() > 0.7
    assert found.labels[TRUTH < 0.3].mean() < 0.5
    assert found.table["AU01_r"].between(0, 5).all()
    assert (found.table["image"] == web.table["image"]).all()


@pytest.mark.parametrize("way", WAYS)
def test_a_way_changes_pretraining_alone(way):
    ours, default = (training_of(name, 20, None, 1).recipe for name in (way, "default"))
    assert (ours.pretrain == default.pretrain) == (way in ("default", "student"))
    assert bool(ours.student) == (way == "student")
    assert ours.pretrain.epochs == default.pretrain.epochs
    assert (ours.network, ours.finetune) == (default.network, default.finetune)
