"""What is wrong with a recipe is told before the first stage, and with its place."""

from copy import deepcopy

import pytest

from action_units.errors import ConfigurationError
from action_units.pipelines.settings import TrainingSettings
from tests.pipelines.test_selection import settings

PARAMETERS = settings("parameters") | settings("parameters_recipes")


@pytest.mark.parametrize(
    ("part", "value", "sentence"),
    [
        (
            "network",
            {"widht": 2.0},
            r"^recipes\.modern\.network\.widht is not .*network\.width\?",
        ),
        (
            "finetune",
            {"epoch": 9},
            r"^recipes\.modern\.finetune\.epoch is not .*finetune\.epochs\?",
        ),
        (
            "pretrain",
            {"loss": {"name": "mse"}},
            r"^recipes\.modern\.pretrain\.loss\.name is 'mse'; .* one of: bce, weighted",
        ),
        ("from_scratch", {"unfreeze": [0] * 7}, r"modern\.from_scratch: .* has 6 blocks"),
        ("flip_average", "no", r"modern\.flip_average is 'no'; it must be true or false"),
        (
            "finetune",
            {"backbone_weights": "w.pt"},
            r"finetune: backbone_weights is w\.pt; fine-t",
        ),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_with_its_place(part, value, sentence):
    parameters = deepcopy(PARAMETERS)
    parameters["recipes"]["modern"][part] = value
    with pytest.raises(ConfigurationError, match=sentence):
        TrainingSettings.read(parameters)


@pytest.mark.parametrize("value", [None, 3, True, [1], {1: 2}, "x"])
def test_a_recipe_or_a_part_of_it_that_is_no_mapping_is_refused_in_a_sentence(value):
    for part in ("network", "pretrain", "from_scratch"):
        parameters = deepcopy(PARAMETERS)
        parameters["recipes"]["modern"][part] = value
        with pytest.raises(ConfigurationError, match=rf"^recipes\.modern\.{part}(\.1)? is "):
            TrainingSettings.read(parameters)
    parameters["recipes"]["modern"] = value
    with pytest.raises(ConfigurationError, match=r"^recipes\.modern(\.\w+)? is .*"):
        TrainingSettings.read(parameters)
