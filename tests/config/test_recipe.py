import pytest

from action_units.config import (
    Augmentation,
    LossOptions,
    NetworkSpec,
    Recipe,
    Schedule,
    SoftTargets,
)
from action_units.errors import ConfigurationError


def test_a_recipe_comes_from_a_plain_dict_and_goes_back():
    plain = {
        "epochs": 300,
        "batch_size": 32,
        "optimizer": "adam",
        "learning_rate": 0.005,
        "schedule": {"name": "steps", "warmup": 0, "milestones": [20, 40]},
        "loss": {"name": "focal"},
        "augmentation": {"rotation": 10},
    }
    recipe = Recipe.read(plain)
    assert recipe.schedule.milestones == (20, 40)
    assert recipe.augmentation.rotation == 10.0
    assert Recipe.read(recipe.to_json()) == recipe
    assert Recipe(**plain) == recipe


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"learning_rat": 1}, "Did you mean learning_rate"),
        (
            {"loss": {"name": "mse"}},
            "one of: bce, weighted_bce, focal, asymmetric, generalized_ce",
        ),
        ({"loss": {"gama": 2}}, r"^loss.gama is not .*Did you mean loss.gamma\?"),
        ({"optimizer": "sgd"}, "one of: adam, adamw"),
        ({"augmentation": {"shift": 0.6}}, "from 0 to 0.5"),
        ({"select_by": "test"}, "one of: average_precision, macro_f1, loss"),
        ({"epochs": 0}, "^epochs is 0; it must be a whole number from 1"),
        ({"gradient_clip": 0}, "above 0"),
        ({"loss": {"q": 0}}, "above 0 and at most 1"),
        ({"loss": {"q": 1.5}}, "above 0 and at most 1"),
        ({"schedule": {"name": "one-cycle"}}, "constant, steps, cosine, one_cycle"),
        ({"schedule": {"strat": 0.1}}, "Did you mean schedule.start"),
        ({"layer_decay": 0}, "above 0 and at most 1"),
        ({"layer_decay": 1.1}, "above 0 and at most 1"),
        ({"unfreeze": [1, 2]}, r"\[1, 2\]; the first epoch must be 0"),
        ({"unfreeze": [0, 3, 2]}, "must not fall"),
        ({"unfreeze": [0, 1.5]}, r"^unfreeze\[1\] is 1.5; it must be a whole number from 0"),
        ({"unfreeze": 3}, "must be a list"),
        ({"unfreze": [0]}, "Did you mean unfreeze"),
        ({"balance": "au"}, "one of: none, aus, subjects, both"),
        ({"balanced": "aus"}, "Did you mean balance"),
        ({"soft_targets": "linear"}, "a group of parameters"),
        ({"soft_targets": {"curve": "square"}}, "one of: none, linear, logistic"),
        ({"soft_targets": {"full": 0}}, "above 0 and at most 5"),
        ({"soft_targets": {"centre": 6}}, "from 0 to 5"),
        ({"soft_targets": {"steepness": 0}}, "above 0"),
        ({"backbone_weights": 5}, "must be a path as text"),
        ({"augmentation": {"gamma": 0.5}}, "from 1 to 4"),
        ({"augmentation": {"blur": 0.3}}, "from 0 to 0.2"),
        ({"augmentation": {"mixup": 0.6}}, "from 0 to 0.5"),
        ({"augmentation": {"mixup": 0.2}, "batch_size": 1}, "it must be at least 2"),
    ],
)
def test_an_impossible_recipe_is_refused(options, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        Recipe.read(options)


def test_every_option_has_a_sentence():
    for group in (NetworkSpec, Recipe, Schedule, LossOptions, SoftTargets, Augmentation):
        for name, field in group.model_fields.items():
            assert field.description.endswith("."), name
