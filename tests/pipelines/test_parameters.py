"""No parameter is ignored without a word, and none that is impossible waits for its stage."""

from copy import deepcopy

import pytest

from action_units.errors import ConfigurationError
from action_units.pipelines.parameters import refuse_impossible, refuse_unknown
from tests.pipelines.test_lanes import settings

FILES = ("parameters", "parameters_recipes", "parameters_finetune", "parameters_evaluate")
CONFIGURED = {name: value for file in FILES for name, value in settings(file).items()}
STAGES = {"preprocess", "pretrain", "finetune", "evaluate"}
KNOWN = {"fold": None, "finetune": {"validation_subjects": 5}, "recipes": {"modern": {}}}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"fold": 3},
        {"finetune": {"validation_subjects": 2}},
        {"recipes": {"modern": {"finetune": {"patience": 3}}, "mine": {}}},
    ],
)
def test_what_is_known_is_taken(given):
    refuse_unknown(given, KNOWN)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"folds": 3}, r"^folds is not a parameter. Did you mean fold\? There are"),
        ({"finetune": {"validation": 3}}, r"finetune\.validation is not .*validation_subjects"),
        ({"zzz": 1}, r"^zzz is not a parameter. There are finetune, fold, recipes\."),
        ({"sample": {"web": {}}}, r"conf/local/parameters_sample\.yml"),
    ],
)
def test_what_is_unknown_is_named(given, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        refuse_unknown(given, KNOWN)


def changed(place, value):
    parameters = deepcopy(CONFIGURED)
    *above, name = place.split(".")
    inner = parameters
    for key in above:
        inner = inner[key]
    inner[name] = value
    return parameters


def test_what_is_configured_is_possible():
    refuse_impossible(CONFIGURED, STAGES)


@pytest.mark.parametrize(
    ("stage", "place", "value", "sentence"),
    [
        ("pretrain", "restart", "flase", "^restart is 'flase'; it must be true or false"),
        ("pretrain", "device", "tpu", "^device 'tpu' is not there"),
        ("pretrain", "threads", 0, "^threads is 0; it must be a whole number from 1"),
        ("pretrain", "seed", 1.5, "^seed is 1.5; it must be a whole number from 0"),
        ("finetune", "micro_batch", 0, "^micro_batch is 0; it must be a whole number from 1"),
        ("finetune", "finetune.validation_subjects", 0, "^finetune.validation_subjects is 0; "),
        (
            "pretrain",
            "recipes.modern.pretrain.backbone_weights",
            "nowhere.pt",
            r"^recipes.modern.pretrain: .* is nowhere.pt, and there is no such file",
        ),
        (
            "finetune",
            "recipes.modern.from_scratch.backbone_weights",
            "nowhere.pt",
            r"^recipes.modern.from_scratch: .* is nowhere.pt, and there is no such file",
        ),
        ("evaluate", "evaluation.treatment", "best", "^evaluation: treatment 'best' of prob"),
    ],
)
def test_what_is_impossible_is_refused_before_the_first_stage(stage, place, value, sentence):
    parameters = changed(place, value)
    refuse_impossible(parameters, {"preprocess", "predict", "export"})
    with pytest.raises(ConfigurationError, match=sentence):
        refuse_impossible(parameters, {"preprocess", stage})


def test_weights_of_a_stage_that_does_not_run_are_not_asked_for():
    parameters = changed("recipes.modern.pretrain.backbone_weights", "nowhere.pt")
    refuse_impossible(parameters, {"finetune", "evaluate"})
    parameters = changed("recipes.modern.from_scratch.backbone_weights", "nowhere.pt")
    parameters["finetune"]["also_from_scratch"] = False
    refuse_impossible(parameters, STAGES)


def test_a_misspelt_option_of_the_last_stage_stops_a_run_before_its_first(empty_project):
    option = "recipes.modern.finetune.patiense=3"
    printed = empty_project.kedro("run", "--env", "tiny", "--params", option, fails=True)
    assert "recipes.modern.finetune: 'patiense' is not an option" in printed
    assert "[1/" not in printed
    assert not (empty_project.path / "data").exists()
