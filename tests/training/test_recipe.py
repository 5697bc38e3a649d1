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
        ({"loss": {"name": "mse"}}, "one of: bce, weighted_bce, focal, asymmetric"),
        ({"loss": {"gama": 2}}, "Did you mean 'gamma'"),
        ({"optimizer": "sgd"}, "one of: adam, adamw"),
        ({"augmentation": {"shift": 0.6}}, "at most 0.5"),
        ({"select_by": "test"}, "one of: average_precision, macro_f1, loss"),
        ({"epochs": 0}, "at least 1"),
        ({"gradient_clip": 0}, "greater than 0"),
    ],
)
def test_an_impossible_recipe_is_refused(options, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        Recipe.from_dict(options)


def test_every_option_has_a_sentence():
    rows = describe(Recipe)
    assert {"epochs", "schedule.name", "loss.name", "augmentation.shift"} <= {
        r[0] for r in rows
    }
    assert all(doc.endswith(".") for _, _, doc in rows)
