"""No parameter is ignored without a word, and none that is impossible waits for its stage."""

from copy import deepcopy

import pytest

from action_units.config import Parameters
from action_units.errors import ConfigurationError
from action_units.pipelines.parameters import read_parameters, refuse_impossible
from tests.test_config import configured

CONFIGURED = configured()
STAGES = {"preprocess", "pretrain", "finetune", "evaluate"}
PATHS = {"data": "sample", "run": "main", "protocol": "fg2020", "sample": {}}


def test_what_is_configured_is_taken():
    assert read_parameters(CONFIGURED, PATHS, {}) == Parameters.read(CONFIGURED)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"sample": {"web": {}}}, r"^sample is not taken .*conf/local/parameters_sample\.yml"),
        ({"data": "mine"}, r"^data is not taken from --params; .*conf/local/globals\.yml"),
    ],
)
def test_what_the_catalog_reads_from_files_is_not_taken_from_params(given, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        read_parameters(CONFIGURED | given, PATHS, given)


@pytest.mark.parametrize(("name", "value"), [("run", "wide"), ("protocol", "standard")])
def test_a_run_is_called_in_its_parameters_as_in_its_paths(name, value):
    told = CONFIGURED | {name: value}
    assert getattr(read_parameters(told, PATHS, {name: value}), name) == value
    assert getattr(read_parameters(told, PATHS | {name: value}, {}), name) == value
    with pytest.raises(ConfigurationError, match=f"{name} is {value} in a .*conf/local/glob"):
        read_parameters(told, PATHS, {})


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
        ("pretrain", "device", "tpu", "^device is 'tpu'; it must be auto, cpu, "),
        ("pretrain", "threads", 0, "^threads is 0; it must be a whole number from 1"),
        ("finetune", "micro_batch", 0, "^micro_batch is 0; it must be a whole number from 1"),
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
        ("predict", "source", None, "^predict needs to know on what: "),
        ("preprocess", "preprocess.crop.align", "eyes", "^preprocess: align='eyes' needs the "),
    ],
)
def test_what_is_impossible_is_refused_before_the_first_stage(stage, place, value, sentence):
    parameters = changed(place, value)
    parameters["preprocess"]["detector"]["name"] = "ssd"
    refuse_impossible(parameters, {"compare", "export"})
    with pytest.raises(ConfigurationError, match=sentence):
        refuse_impossible(parameters, {stage})


def test_weights_of_a_stage_that_does_not_run_are_not_asked_for():
    parameters = changed("recipes.modern.pretrain.backbone_weights", "nowhere.pt")
    refuse_impossible(parameters, {"finetune", "evaluate"})
    parameters = changed("recipes.modern.from_scratch.backbone_weights", "nowhere.pt")
    parameters["finetune"]["also_from_scratch"] = False
    refuse_impossible(parameters, STAGES)


def test_a_misspelt_option_of_the_last_stage_stops_a_run_before_its_first(empty_project):
    option = "recipes.modern.finetune.patiense=3"
    printed = empty_project.kedro("run", "--env", "tiny", "--params", option, fails=True)
    assert "recipes.modern.finetune.patiense is not a parameter. Did you mean " in printed
    assert "[1/" not in printed
    assert not (empty_project.path / "data").exists()


def test_a_wrong_value_of_a_file_stops_every_pipeline_before_its_first_node(empty_project):
    own = empty_project.path / "conf/local/parameters.yml"
    own.parent.mkdir(exist_ok=True)
    own.write_text("preprocess:\n  crop:\n    margin: abc\n")
    printed = empty_project.kedro("run", "--env", "tiny", "--pipeline", "compare", fails=True)
    assert printed.splitlines() == [
        "Error: preprocess.crop.margin is 'abc'; it must be a number from 0 to 2."
    ]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--nodes", "preprocess.pack_disfa_face"],
            "no node 'preprocess.pack_disfa_face'. Did you mean preprocess.pack_disfa_fac",
        ),
        (["--tags", "evaluat"], "There is no tag 'evaluat'. Did you mean evaluate? There are "),
        (["--pipeline", "preproces"], "no pipeline 'preproces'. Did you mean preprocess?"),
        (["--params", "seed=[1"], "The command line cannot be read: while parsing a flow seq"),
    ],
)
def test_a_misspelt_option_is_one_line(empty_project, options, sentence):
    printed = empty_project.kedro("run", "--env", "tiny", *options, fails=True)
    assert sentence in printed
    assert len(printed.splitlines()) == 1
