"""Sessions run what their parameters ask for, and do not affect one another."""

import pytest
from kedro.framework.project import settings
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.runner import SequentialRunner

from action_units.errors import ConfigurationError
from action_units.session import ProjectSession


class Recorder(SequentialRunner):
    """Notes the nodes of a run and which inputs are None, and does nothing."""

    def run(self, pipeline, catalog, *more, **options):
        self.nodes = [node.name for node in pipeline.nodes]
        self.absent = {
            name for name in pipeline.inputs()
            if "." in name and not name.startswith("params:") and catalog.load(name) is None
        }  # fmt: skip
        return {}


@pytest.fixture
def recorded(finished, monkeypatch):
    """What a session in the finished project would run."""
    project, _ = finished
    bootstrap_project(project.path)

    def record(session=ProjectSession, params=None, **options):
        runner = Recorder()
        with session.create(project.path, env="tiny", runtime_params=params) as opened:
            opened.run(runner=runner, **options)
        return runner

    return record


def test_it_is_the_session_of_kedro_run_and_of_notebooks(recorded):
    assert settings.SESSION_CLASS is ProjectSession


def test_two_sessions_of_one_process_run_their_own_folds(finished, recorded):
    project, _ = finished
    third = ProjectSession.create(project.path, env="tiny", runtime_params={"fold": 3})
    third.load_context()
    all_folds = recorded(pipeline_names=["finetune"])
    runner = Recorder()
    third.run(pipeline_names=["finetune"], runner=runner)
    assert {name.split(".")[0] for name in all_folds.nodes} == {"fold1", "fold2", "fold3"}
    assert set(runner.nodes) == {
        f"fold3.{name}" for name in ("split_subjects", "finetune", "train_from_scratch")
    }


@pytest.mark.parametrize(("protocol", "n_folds"), [("five_folds", 5), ("loso", 27)])
def test_a_run_has_the_folds_of_its_protocol(recorded, protocol, n_folds):
    run = recorded(params={"protocol": protocol}, pipeline_names=["finetune"])
    folds = {name.split(".")[0] for name in run.nodes}
    assert folds == {f"fold{fold}" for fold in range(1, n_folds + 1)}
    last = recorded(params={"protocol": protocol, "fold": n_folds}, pipeline_names=["finetune"])
    assert {name.split(".")[0] for name in last.nodes} == {f"fold{n_folds}"}


@pytest.mark.parametrize(
    ("pipeline", "sentence"),
    [
        ("finetune", r"a fold for each subject of disfa, .*; run .*--pipeline preprocess"),
        ("predict", "predict needs a source"),  # and no folds
    ],
)
def test_who_is_left_out_is_not_known_before_there_are_faces(empty_project, pipeline, sentence):
    bootstrap_project(empty_project.path)
    params = {"protocol": "loso", "fold": 2}
    with (
        ProjectSession.create(empty_project.path, env="tiny", runtime_params=params) as session,
        pytest.raises(ConfigurationError, match=sentence),
    ):
        session.run(pipeline_name=pipeline, runner=Recorder())


def test_the_chosen_sets_are_those_that_are_prepared(recorded):
    run = recorded(params={"coded": "disfa+studio", "pretraining": False, "fold": 2})
    prepared = {name.split(".")[1] for name in run.nodes if name.startswith("preprocess.")}
    assert prepared >= {"disfa", "studio"}
    assert "web" not in prepared
    assert "fold2.finetune" in run.nodes
    # A run of the default sets is as before.
    assert not [name for name in recorded(pipeline_names=["preprocess"]).nodes
                if "studio" in name]  # fmt: skip


def test_filters_are_kept_beside_the_parameters(recorded):
    run = recorded(
        params={"fold": 2}, pipeline_names=["finetune", "evaluate"],
        from_nodes=["fold2.predict_finetuned"], to_nodes=["report.summarise"],
    )  # fmt: skip
    assert run.nodes == [
        "fold2.predict_finetuned", "fold2.postprocess_finetuned", "fold2.evaluate",
        "report.collect_folds", "report.summarise",
    ]  # fmt: skip
    others = ("fold1", "fold3")
    assert run.absent == {
        f"{fold}.{what}" for fold in others for what in ("evaluation", "annotator_rates")
    }


def test_a_network_of_an_earlier_run_is_not_taken_where_there_is_no_pretraining(recorded):
    run = recorded(params={"pretraining": False, "fold": 1}, pipeline_names=["evaluate"])
    assert run.absent >= {"fold1.scratch_model", "fold1.scratch_curve", "fold2.evaluation"}
    assert "fold1.evaluate" in run.nodes


@pytest.mark.parametrize(
    ("params", "options", "sentence"),
    [
        (
            {"fold": 3},
            {"node_names": ["fold1.finetune"]},
            "fold=3 leaves out the node fold1.finetune",
        ),
        (
            {"pretraining": False},
            {"pipeline_name": "pretrain"},
            "pretraining=false leaves nothing to do in the pipeline pretrain",
        ),
        (
            {"fold": 3},
            {"session": KedroSession, "pipeline_names": ["finetune"]},
            "fold=3 leaves out the node fold1.* use action_units.session.ProjectSession",
        ),
        (
            {"coded": "studio"},
            {"session": KedroSession, "pipeline_names": ["preprocess"]},
            r"^the node preprocess\..* is not of the sets and folds of this run; use act",
        ),
        (
            {"coded": "studio"},
            {"node_names": ["preprocess.disfa.crop_frames"]},
            "^There is no node 'preprocess.disfa.crop_frames'. Did you mean preprocess.studio.",
        ),
    ],
)
def test_what_parameters_leave_out_is_not_run_in_silence(recorded, params, options, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        recorded(params=params, **options)
