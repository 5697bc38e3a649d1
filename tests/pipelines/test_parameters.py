"""No parameter is ignored without a word, and none that is impossible waits for its stage."""

from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import save_file

from action_units.config import Parameters
from action_units.errors import ArtifactError, ConfigurationError
from action_units.faces.store import FaceStore
from action_units.models.registry import build_network
from action_units.pipelines.parameters import check_stages, read_parameters
from action_units.stages import finetune, pretrain, train_from_scratch
from tests.test_config import configured

CONFIGURED = configured()
STAGES = {"preprocess", "pretrain", "finetune", "evaluate"}
PATHS = {"data": "sample"}


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


@pytest.mark.parametrize(
    ("parameters", "paths", "sentence"),
    [
        (
            {},
            {"run": "own"},
            r"^run is no longer read from globals.yml; .*local/parameters.yml",
        ),
        ({}, {"protocol": "standard"}, r"^protocol is no .*conf/local/parameters_data\.yml"),
        ({"preprocess": {"disfa": {}}}, {}, r"^preprocess.disfa is now coded_sets.disfa; set "),
        ({"preprocess": {"web": {}}}, {}, r"^preprocess.web is now web_sets.web \(min_conf"),
        ({"preprocess": {"start_from": "raw"}}, {}, "^preprocess.start_from is now start_fr"),
        ({}, {"data": "disfa"}, "^data is 'disfa' .* also the name of a set"),
    ],
)
def test_what_has_moved_is_told(parameters, paths, sentence):
    given = deepcopy(CONFIGURED)
    given["preprocess"] |= parameters.get("preprocess", {})
    with pytest.raises(ConfigurationError, match=sentence):
        read_parameters(given, PATHS | paths, {})


def changed(place, value):
    parameters = deepcopy(CONFIGURED)
    *above, name = place.split(".")
    inner = parameters
    for key in above:
        inner = inner[key]
    inner[name] = value
    return parameters


def test_what_is_configured_is_possible():
    check_stages(Parameters.read(CONFIGURED), STAGES)


@pytest.mark.parametrize(
    ("stage", "name", "value", "sentence"),
    [
        ("pretrain", "device", "cuda:99", "^device 'cuda:99' is not available"),
        ("finetune", "devices", 10**6, "^devices is 1000000; this computer has "),
        (
            "pretrain",
            "recipes.modern.pretrain.backbone_weights",
            "nowhere.pt",
            r"^recipes.modern.pretrain: .* is nowhere.pt, which does not exist",
        ),
        (
            "finetune",
            "recipes.modern.from_scratch.backbone_weights",
            "nowhere.pt",
            r"^recipes.modern.from_scratch: .* is nowhere.pt, which does not exist",
        ),
        (
            "pretrain",
            "recipes.modern.network.architecture",
            "resnet",
            r"^recipes\.modern\.network with .* 'resnet'; it must be one of: convnext, ",
        ),
        (
            "pretrain",
            "face_size",
            50,
            r"^recipes\.modern\.network with face_size=50: image_size is 50; .* multiple of 16",
        ),
        (
            "pretrain",
            "recipes.modern.from_scratch.unfreeze",
            [0] * 7,
            r"^recipes\.modern\.from_scratch: .* has 6 blocks",
        ),
        ("predict", "source", None, "^predict needs a source: "),
        ("preprocess", "preprocess.crop.align", "eyes", "^preprocess: align='eyes' needs the "),
        (
            "preprocess",
            "preprocess.crop.align",
            "template",
            "^preprocess: align='template' needs the positions of eyes, nose and mouth, and ",
        ),
    ],
)
def test_what_is_impossible_is_refused_before_the_first_stage(stage, name, value, sentence):
    given = changed(name, value)
    given["preprocess"]["detector"]["name"] = "ssd"
    parameters = Parameters.read(given)
    check_stages(parameters, {"compare", "export"})
    with pytest.raises(ConfigurationError, match=sentence):
        check_stages(parameters, {stage})


def test_a_recipe_of_colours_is_told_before_faces_are_made_grey(caplog):
    given = changed("recipes.modern.pretrain.augmentation.hue", 0.1)
    check_stages(Parameters.read(given), {"pretrain"})  # faces that are there may have colours
    assert caplog.records == []
    check_stages(Parameters.read(given), {"preprocess", "pretrain"})
    assert "recipes.modern changes the colours of faces, but they will be grey" in caplog.text
    caplog.clear()
    given["preprocess"]["crop"]["colour"] = True
    check_stages(Parameters.read(given), {"preprocess", "pretrain"})
    assert caplog.records == []


def test_weights_of_another_network_are_refused_before_any_stage(tmp_path):
    spec = Parameters.read(CONFIGURED).to_params()["training"].recipe.network
    given = changed("recipes.modern.pretrain.backbone_weights", f"{tmp_path}/w.safetensors")
    for options, sentence in (
        ({"width": 0.5}, "tensor .* is .* and the network needs"),
        ({"architecture": "vgg13"}, "has no tensor .* so it is of another network"),
    ):
        backbone = build_network(spec.model_copy(update=options), 1).backbone
        save_file(backbone.state_dict(), tmp_path / "w.safetensors")
        with pytest.raises(ArtifactError, match=sentence):
            check_stages(Parameters.read(given), {"preprocess", "pretrain"})
    save_file(build_network(spec, 1).backbone.state_dict(), tmp_path / "w.safetensors")
    check_stages(Parameters.read(given), {"preprocess", "pretrain"})


def test_weights_of_a_stage_that_does_not_run_are_not_needed():
    given = changed("recipes.modern.pretrain.backbone_weights", "nowhere.pt")
    check_stages(Parameters.read(given), {"finetune", "evaluate"})
    given = changed("recipes.modern.from_scratch.backbone_weights", "nowhere.pt")
    given["finetune"]["also_from_scratch"] = False
    check_stages(Parameters.read(given), STAGES)


@pytest.mark.parametrize(
    ("part", "value", "sentence"),
    [
        (
            "network",
            {"widht": 2.0},
            r"^recipes\.modern\.network\.widht is not .*network\.width\?",
        ),
        ("finetune", {"epoch": 9}, r"^recipes\.modern\.finetune\.epoch is not .*\.epochs\?"),
        (
            "pretrain",
            {"loss": {"name": "mse"}},
            r"\.loss\.name is 'mse'; .* one of: bce, weight",
        ),
        ("flip_average", "no", r"modern\.flip_average is 'no'; it must be true or false"),
        (
            "finetune",
            {"backbone_weights": "w.pt"},
            r"^recipes\.modern\.finetune: backbone_weights is w\.pt; fine-tuning starts from",
        ),
        *(
            ("network", value, r"^recipes\.modern\.network(\.1)? is ")
            for value in (None, [1], {1: 2})
        ),
    ],
)
def test_a_wrong_recipe_is_refused_with_its_full_name(part, value, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        Parameters.read(changed(f"recipes.modern.{part}", value))


@pytest.mark.parametrize("value", [None, 3, True, [1], {1: 2}, "x", {}])
def test_a_recipe_that_is_not_a_group_is_refused(value):
    with pytest.raises(ConfigurationError, match=r"^recipes\.modern(\.\w+)? is "):
        Parameters.read(changed("recipes.modern", value))


def test_the_size_of_faces_is_set_once():
    given = changed("face_size", 48)
    assert Parameters.read(given).to_params()["training"].recipe.network.image_size == 48
    given["recipes"]["fg2020"]["network"]["image_size"] = 64
    sentence = r"^recipes.fg2020.network.image_size is 64 and face_size is 48; leave image_size"
    with pytest.raises(ConfigurationError, match=sentence):
        Parameters.read(given)


@pytest.mark.parametrize("stage", ["pretrain", "finetune", "train_from_scratch"])
def test_faces_packed_with_another_size_are_not_trained_on(stage, tmp_path):
    training = Parameters.read(changed("face_size", 48)).to_params()["training"]
    images = ["RightVideoSN001_00000000.jpg", "RightVideoSN002_00000000.jpg"]
    table = pd.DataFrame({"image": images, "subject": ["SN001", "SN002"], "AU12": [0, 1]})
    table["split"] = ["train", "test"]
    faces = FaceStore(np.zeros((2, 32, 32), np.uint8), table, (12,))
    split = {"protocol": "fg2020", "fold": 1, "train": ["SN001"], "validation": ["SN002"]}
    sentence = "face_size is 48, .* packed with 32; run `kedro run --pipeline preprocess`"
    with pytest.raises(ConfigurationError, match=sentence):
        if stage == "pretrain":
            pretrain(faces, tmp_path, training)
        elif stage == "finetune":
            spec = training.recipe.network.model_copy(update={"image_size": 32})
            pretrained = SimpleNamespace(spec=spec)
            finetune(faces, split, pretrained, tmp_path, training)
        else:
            train_from_scratch(faces, split, tmp_path, training)


def test_an_unknown_recipe_is_refused_with_those_there_are():
    with pytest.raises(
        ConfigurationError, match="^recipe='best' is unknown; choose one of fg2"
    ):
        Parameters.read(changed("recipe", "best"))


def test_nodes_get_typed_groups_and_the_machine_by_its_flat_names():
    params = Parameters.read(changed("threads", 3)).to_params()
    assert params["training"].machine.threads == params["threads"] == 3
    assert params["training"].recipe.finetune is params["recipes"]["modern"].finetune
    assert Parameters.from_params(params).to_params() == params


def test_a_misspelt_option_of_the_last_stage_stops_a_run_before_its_first(empty_project):
    option = "recipes.modern.finetune.patiense=3"
    printed = empty_project.run("--env", "tiny", "--params", option, fails=True)
    assert "recipes.modern.finetune.patiense is not a parameter. Did you mean " in printed
    assert "[1/" not in printed
    assert not (empty_project.path / "data").exists()


def test_a_wrong_value_of_a_file_stops_every_pipeline_before_its_first_node(empty_project):
    own = empty_project.path / "conf/local/parameters.yml"
    own.parent.mkdir(exist_ok=True)
    own.write_text("preprocess:\n  crop:\n    margin: abc\n")
    printed = empty_project.run("--env", "tiny", "--pipeline", "compare", fails=True)
    assert printed.splitlines() == [
        "Error: preprocess.crop.margin is 'abc'; it must be a number from 0 to 2."
    ]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--nodes", "preprocess.disfa.pack_face"],
            "no node 'preprocess.disfa.pack_face'. Did you mean preprocess.disfa.pack_fac",
        ),
        (["--tags", "evaluat"], "There is no tag 'evaluat'. Did you mean evaluate? There are "),
        (["--pipeline", "preproces"], "no pipeline 'preproces'. Did you mean preprocess?"),
        (["--params", "seed=[1"], "The command line cannot be read: while parsing a flow seq"),
    ],
)
def test_a_misspelt_option_is_one_line(empty_project, options, sentence):
    printed = empty_project.run("--env", "tiny", *options, fails=True)
    assert sentence in printed
    assert len(printed.splitlines()) == 1
