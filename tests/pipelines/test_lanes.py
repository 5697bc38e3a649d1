"""The lanes that parameters ask for, and configuration that agrees with the code."""

import pytest
import yaml
from docs import recipes
from kedro.pipeline import Pipeline

from action_units.config import DisfaSampleConfig, Parameters, WebSampleConfig
from action_units.errors import ConfigurationError
from action_units.pipelines import evaluation, finetuning, lanes, preprocessing, pretraining
from action_units.pipelines.lanes import Lanes
from action_units.pipelines.settings import TrainingSettings
from tests.conftest import PROJECT
from tests.test_config import configured


def settings(name):
    return yaml.safe_load((PROJECT / f"conf/base/{name}.yml").read_text())


def test_each_fold_is_a_lane_of_its_own():
    names = {node.namespace for node in finetuning.create_pipeline(Lanes()).nodes}
    assert names == {"fold1", "fold2", "fold3"}
    alone = finetuning.create_pipeline(Lanes(folds=(3,)))
    assert {node.namespace for node in alone.nodes} == {"fold3"}


def test_a_fold_has_the_same_dataset_names_alone_and_among_others():
    alone = finetuning.create_pipeline(Lanes(folds=(2,))).all_outputs()
    assert alone < finetuning.create_pipeline(Lanes()).all_outputs()
    judged = evaluation.create_pipeline(Lanes(folds=(2,))).all_outputs()
    assert judged < evaluation.create_pipeline(Lanes()).all_outputs()


def test_crops_at_hand_need_no_detection():
    raw = preprocessing.create_pipeline(Lanes()).inputs()
    crops = preprocessing.create_pipeline(Lanes(start_from="crops")).inputs()
    assert {"web_photographs", "disfa_recordings"} <= raw
    assert {name for name in crops if not name.startswith("params:")} == {
        "web_crops",
        "disfa_crops",
        "withdrawn",
        "web_faces_before",  # folders, to see whether there is anything new to pack
        "disfa_faces_before",
    }


@pytest.mark.parametrize("start_from", ["raw", "crops"])
def test_without_pre_training_the_whole_job_is_disfa_s_alone(start_from):
    lanes = Lanes(pretraining=False, start_from=start_from, from_scratch=False)
    stages = (preprocessing, pretraining, finetuning, evaluation)
    job = sum((stage.create_pipeline(lanes) for stage in stages), Pipeline([]))
    assert not [
        n for n in job.all_inputs() | job.all_outputs() if "web" in n or "pretrain" in n
    ]
    names = [node.short_name for node in job.nodes]
    assert names.count("train_from_scratch") == 3
    assert job.outputs() >= {"report", "model_card"}


def test_without_scratch_nothing_of_it_is_made_or_asked_for():
    for stage in (finetuning, evaluation):
        pipeline = stage.create_pipeline(Lanes(from_scratch=False))
        assert not [n for n in pipeline.all_inputs() | pipeline.all_outputs() if "scratch" in n]


@pytest.mark.parametrize(("fold", "folds"), [(None, (1, 2, 3)), (3, (3,))])
def test_the_fold_parameter_chooses_the_lanes(fold, folds):
    assert lanes.read(Parameters.read(configured() | {"fold": fold})).folds == folds


@pytest.mark.parametrize("fold", [0, 4, "3", True, 1.5, 3.0])
def test_no_other_fold_is_taken(fold):
    with pytest.raises(ConfigurationError, match="^fold is .*a whole number from 1 to 3"):
        Parameters.read(configured() | {"fold": fold})


def test_the_recipes_in_configuration_are_valid():
    parameters = settings("parameters") | settings("parameters_recipes")
    for name in parameters["recipes"]:
        chosen = TrainingSettings.read({**parameters, "recipe": name})
        assert chosen.finetune.epochs == chosen.from_scratch.epochs
        assert chosen.finetune.batch_size == chosen.from_scratch.batch_size


def test_the_papers_recipe_is_the_papers():
    parameters = settings("parameters") | settings("parameters_recipes")
    paper = TrainingSettings.read({**parameters, "recipe": "fg2020"})
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
