"""No parameter of the command line is ignored without a word."""

import pytest

from action_units.errors import ConfigurationError
from action_units.pipelines.parameters import refuse_unknown

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
