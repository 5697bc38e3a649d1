import pytest

from action_units.errors import ConfigurationError
from action_units.models.options import describe
from action_units.training.recipe import Recipe


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
    recipe = Recipe.from_dict(plain)
    assert recipe.schedule.milestones == (20, 40)
    assert recipe.augmentation.rotation == 10.0
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert Recipe(**plain) == recipe


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"learning_rat": 1}, "Did you mean 'learning_rate'"),
        (
            {"loss": {"name": "mse"}},
            "one of: bce, weighted_bce, focal, asymmetric, generalized_ce",
        ),
        ({"loss": {"gama": 2}}, "Did you mean 'gamma'"),
        ({"optimizer": "sgd"}, "one of: adam, adamw"),
        ({"augmentation": {"shift": 0.6}}, "at most 0.5"),
        ({"select_by": "test"}, "one of: average_precision, macro_f1, loss"),
        ({"epochs": 0}, "at least 1"),
        ({"gradient_clip": 0}, "greater than 0"),
        ({"loss": {"q": 0}}, "at most 1 and greater than 0"),
        ({"loss": {"q": 1.5}}, "at most 1"),
        ({"schedule": {"name": "one-cycle"}}, "constant, steps, cosine, one_cycle"),
        ({"schedule": {"strat": 0.1}}, "Did you mean 'start'"),
        ({"layer_decay": 0}, "at most 1 and greater than 0"),
        ({"layer_decay": 1.1}, "at most 1"),
        ({"unfreeze": [1, 2]}, r"\[1, 2\]; the first epoch must be 0"),
        ({"unfreeze": [0, 3, 2]}, "must not fall"),
        ({"unfreeze": [0, 1.5]}, "a whole number"),
        ({"unfreeze": 3}, "a list of a whole number"),
        ({"unfreze": [0]}, "Did you mean 'unfreeze'"),
        ({"balance": "au"}, "one of: none, aus, subjects, both"),
        ({"balanced": "aus"}, "Did you mean 'balance'"),
        ({"soft_targets": "linear"}, "a mapping of options"),
        ({"soft_targets": {"curve": "square"}}, "one of: none, linear, logistic"),
        ({"soft_targets": {"full": 0}}, "at most 5 and greater than 0"),
        ({"soft_targets": {"centre": 6}}, "at least 0 and at most 5"),
        ({"soft_targets": {"steepness": 0}}, "greater than 0"),
        ({"backbone_weights": 5}, "must be text"),
        ({"augmentation": {"gamma": 0.5}}, "at least 1 and at most 4"),
        ({"augmentation": {"blur": 0.3}}, "at most 0.2"),
        ({"augmentation": {"mixup": 0.6}}, "at most 0.5"),
        ({"augmentation": {"mixup": 0.2}, "batch_size": 1}, "it must be at least 2"),
    ],
)
def test_an_impossible_recipe_is_refused(options, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        Recipe.from_dict(options)


def test_every_option_has_a_sentence():
    rows = describe(Recipe)
    nested = {"schedule.name", "loss.name", "soft_targets.curve", "augmentation.shift"}
    assert {"epochs", *nested} <= {row[0] for row in rows}
    assert all(doc.endswith(".") for _, _, doc in rows)
