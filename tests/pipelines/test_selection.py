"""What parameters leave of the pipelines, and configuration that agrees with the code."""

import pytest
import yaml
from docs import recipes
from kedro.pipeline import Pipeline

from action_units.config import DisfaSampleConfig, Parameters, WebSampleConfig
from action_units.errors import ConfigurationError
from action_units.pipeline_registry import register_pipelines
from action_units.pipelines.selection import Selection
from action_units.pipelines.shape import Shape
from tests.conftest import PROJECT
from tests.test_config import configured

FROM_CROPS = {
    "coded_sets__disfa__start_from": "crops",
    "web_sets__web__start_from": "crops",
}


def settings(name):
    return yaml.safe_load((PROJECT / f"conf/base/{name}.yml").read_text())


def selected(**parameters):
    """The nodes that a run with these parameters has, and their inputs from elsewhere."""
    given = configured()
    for name, value in parameters.items():
        inner, (*above, key) = given, name.split("__")
        for group in above:
            inner = inner[group]
        inner[key] = value
    return Pipeline(
        Selection.of(Parameters.read(given)).nodes(register_pipelines()["__default__"])
    )


def names(pipeline):
    return {node.name for node in pipeline.nodes}


def test_each_fold_has_a_namespace_of_its_own():
    folds = {node.namespace for node in register_pipelines()["finetune"].nodes}
    assert folds == {"fold1", "fold2", "fold3"}


def test_one_fold_leaves_out_the_others_alone():
    everything = selected()
    assert names(everything) == names(register_pipelines()["__default__"])
    assert names(everything) - names(selected(fold=2)) == {
        node.name for node in everything.nodes if node.namespace in ("fold1", "fold3")
    }


def test_crops_at_hand_need_no_detection():
    crops = selected(**FROM_CROPS).inputs()
    assert {"web.sample_folder", "disfa.sample_folder"} <= selected().inputs() - crops
    own = selected(sample__render=False).inputs()
    assert {"web.raw", "disfa.raw"} <= own - crops
    assert {"web.web_crops", "disfa.coded_crops"} <= crops
    web = selected(web_sets__web__start_from="crops").inputs()
    assert {"web.web_crops", "disfa.sample_folder"} <= web


def test_nothing_is_rendered_in_place_of_data_elsewhere():
    own = selected(coded_sets__disfa__media="videos", web_sets__web__photographs="tars")
    assert not [name for name in names(own) if "render" in name]
    assert {"web.raw", "disfa.raw"} <= own.inputs()


@pytest.mark.parametrize("start", [{}, FROM_CROPS])
def test_without_pre_training_the_whole_job_is_the_coded_set_s_alone(start):
    job = selected(pretraining=False, **start)
    made = job.all_outputs()
    assert not [name for name in made if "web" in name or "pretrain" in name]
    assert "quarantines" in made
    assert "fold3.finetuned_model" in made
    assert job.outputs() >= {"report", "model_card"}


def test_without_scratch_nothing_of_it_is_made():
    made = selected(finetune__also_from_scratch=False).all_outputs()
    assert not [name for name in made if "scratch" in name]


@pytest.mark.parametrize(
    ("parameters", "absent"),
    [
        ({}, set()),
        (
            {"fold": 3},
            {
                f"fold{fold}.{what}"
                for fold in (1, 2)
                for what in ("evaluation", "annotator_rates")
            },
        ),
        (
            {"start_from": "crops"},
            {
                "web.cropping_quarantine",
                "web.openface_quarantine",
                "web.labels_quarantine",
                "disfa.cropping_quarantine",
                "disfa.frames",
            },
        ),
        (
            {"pretraining": False},
            {"pretrained_model", "pretraining_curve", "web.cropping_quarantine"}
            | {f"web.{part}_quarantine" for part in ("openface", "labels", "packing")}
            | {
                f"fold{fold}.scratch_{part}"
                for fold in (1, 2, 3)
                for part in ("model", "predictions", "postprocessing", "curve")
            }
            | {f"fold{fold}.annotator_rates" for fold in (1, 2, 3)},
        ),
    ],
)
def test_inputs_that_a_run_does_without_are_absent(parameters, absent):
    given = configured()
    start_from = parameters.pop("start_from", "raw")
    given["coded_sets"]["disfa"]["start_from"] = start_from
    given["web_sets"]["web"]["start_from"] = start_from
    given |= parameters
    selection, everything = (
        Selection.of(Parameters.read(given)),
        register_pipelines()["__default__"],
    )
    run = Pipeline(selection.nodes(everything))
    assert selection.absent(run.inputs(), everything) == absent


@pytest.mark.parametrize("fold", [0, "3", True, 1.5, 3.0])
def test_a_fold_is_a_whole_number_from_1(fold):
    with pytest.raises(ConfigurationError, match="^fold is .*a whole number from 1"):
        Parameters.read(configured() | {"fold": fold})


def shape(**parameters):
    """The shape of a run on 27 subjects."""
    return Shape.of(Parameters.read(configured() | parameters), lambda _: 27)


def test_pipelines_have_as_many_folds_as_the_protocol():
    one = configured()["protocols"] | {"one": {"hold_out": ["SN001"]}}
    assert shape().folds == shape(protocol="standard").folds == 3
    assert shape(protocol="one", protocols=one).folds == 1
    assert shape(protocol="five_folds").folds == 5
    named = shape(protocol="loso").name("finetune")
    assert named == "finetune[folds=27]"
    folds = {node.namespace for node in register_pipelines()[named].nodes}
    assert folds == {f"fold{fold}" for fold in range(1, 28)}


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"fold": 4}, "fold is 4, but protocol 'fg2020' has the folds 1 to 3."),
        ({"fold": 28, "protocol": "loso"}, "protocol 'loso' has the folds 1 to 27."),
    ],
)
def test_a_fold_that_does_not_exist_is_refused(parameters, sentence):
    with pytest.raises(ConfigurationError) as error:
        shape(**parameters)
    assert sentence in str(error.value)


def test_the_recipes_in_configuration_give_both_networks_of_a_fold_the_same_budget():
    for recipe in Parameters.read(configured()).recipes.values():
        assert recipe.finetune.epochs == recipe.from_scratch.epochs
        assert recipe.finetune.batch_size == recipe.from_scratch.batch_size


def test_the_papers_recipe_is_the_papers():
    parameters = Parameters.read(configured() | {"recipe": "fg2020"})
    paper = parameters.to_params()["training"].recipe
    assert (paper.network.architecture, paper.network.image_size) == ("vgg13", 64)
    assert (paper.pretrain.batch_size, paper.pretrain.learning_rate) == (32, 0.005)
    assert paper.pretrain.schedule.milestones == (20, 40)
    assert paper.pretrain.augmentation.rotation == 20.0


def test_the_samples_parameters_are_the_librarys_defaults():
    sample = settings("parameters_sample")["sample"]
    assert WebSampleConfig.read(sample["web"]) == WebSampleConfig()
    assert DisfaSampleConfig.read(sample["disfa"]) == DisfaSampleConfig()


def test_the_page_of_options_is_the_codes():
    assert (PROJECT / "docs/recipes.md").read_text() == recipes.page()
