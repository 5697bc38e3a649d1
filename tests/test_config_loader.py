"""Whose settings hold, and from where paths count."""

import inspect
import shutil
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import get_args, get_origin

import pytest
import yaml
from kedro.framework.hooks import _create_hook_manager
from kedro.framework.project import configure_project
from kedro.io import AbstractDataset

from action_units import datasets
from action_units.config import CodedSetSettings, Parameters, WebSetSettings
from action_units.config_loader import PATHS, ProjectConfigLoader, ProjectContext
from action_units.errors import ConfigurationError
from action_units.settings import CONFIG_LOADER_ARGS
from tests.conftest import PROJECT

ENVIRONMENTS = [None, "base", "raw", "paper", "tiny", "mine", "local"]
NO_PATHS = {"coded", "protocol", "sets"}


@pytest.fixture
def conf(tmp_path):
    """A copy of the configuration, with an environment `mine` and no own settings yet."""
    shutil.copytree(PROJECT / "conf", tmp_path / "conf", ignore=lambda *_: ["local"])
    (tmp_path / "conf/mine").mkdir()
    write(tmp_path / "conf/mine/parameters.yml", {"seed": 1, "threads": 3})
    return tmp_path / "conf"


def write(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(content))


def context_of(conf, env=None, project=None, **params):
    configure_project("action_units")
    loader = ProjectConfigLoader(conf, env, params, **CONFIG_LOADER_ARGS)
    return ProjectContext(
        config_loader=loader,
        env=env,
        project_path=project or conf.parent,
        package_name="action_units",
        hook_manager=_create_hook_manager(),
        runtime_params=params,
    )


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_own_settings_hold_in_every_environment_and_params_over_them(conf, env):
    write(conf / "local/parameters.yml", {"threads": 5, "face_size": 48, "run": "own"})
    write(
        conf / "local/parameters_recipes.yml",
        {"recipes": {"modern": {"pretrain": {"epochs": 7}}}},
    )
    write(
        conf / "local/parameters_data.yml",
        {
            "protocol": "standard",
            "coded_sets": {"own": {"reader": "table", "protocol": "fg2020"}},
            "web_sets": {"web": {"annotations": {"path": "/a.csv"}}},
        },
    )
    write(
        conf / "local/parameters_sample.yml", {"sample": {"disfa": {"frames_per_subject": 31}}}
    )
    write(conf / "local/catalog.yml", {"{set}.crop_folder": {"path": "/crops/{set}"}})
    write(conf / "local/credentials.yml", {"store": {"key": "k"}})
    loader = context_of(conf, env, threads=6).config_loader
    parameters, catalog = loader["parameters"], loader["catalog"]
    assert (parameters["threads"], parameters["face_size"]) == (6, 48)
    assert parameters["seed"] == (1 if env == "mine" else 20)
    assert parameters["recipes"]["modern"]["pretrain"]["epochs"] == 7
    assert parameters["recipes"]["modern"]["pretrain"]["schedule"]["name"] == "cosine"
    assert (parameters["protocol"], parameters["run"]) == ("standard", "own")
    assert catalog["{set}.crop_folder"]["path"] == "/crops/{set}"
    assert "own/disfa/standard" in catalog["report"]["filepath"]
    web = parameters["web_sets"]["web"]
    assert (web["annotations"]["path"], web["held_out"]) == ("/a.csv", 0.15)
    assert {"disfa", "own"} <= set(parameters["coded_sets"])
    assert loader["credentials"] == {"store": {"key": "k"}}
    assert parameters["sample"]["disfa"]["frames_per_subject"] == 31


@pytest.mark.parametrize("env", ENVIRONMENTS[:-1])
def test_own_settings_are_optional(conf, env):
    loader = context_of(conf, env).config_loader
    assert loader["parameters"]["threads"] == {"mine": 3, "tiny": 1}.get(env)
    assert "credentials" not in loader.data


def test_the_environment_holds_over_base_in_each_setting(conf):
    for env in ("raw", "paper", "tiny"):
        assert context_of(conf, env).config_loader["globals"]["data"] == env
        write(conf / "local/globals.yml", {"data": "own"})
        assert context_of(conf, env).config_loader["globals"]["data"] == "own"
        shutil.rmtree(conf / "local")


@pytest.mark.parametrize(
    ("env", "gone", "sentence"),
    [
        ("papr", None, r"environment 'papr' has no folder in .*; there are base, .*paper"),
        (None, "base", r"conf has no folder 'base'.*--conf-source"),
    ],
)
def test_a_configuration_that_is_not_there_is_one_sentence(conf, env, gone, sentence):
    write(conf / "local/parameters.yml", {"threads": 5})
    if gone:
        shutil.rmtree(conf / gone)
    with pytest.raises(ConfigurationError, match=sentence):
        context_of(conf, env)


def test_paths_of_the_configuration_count_from_the_project(conf, monkeypatch, tmp_path):
    """Also where the configuration lies elsewhere, and wherever the command is typed."""
    monkeypatch.setenv("HOME", "/home/somebody")
    elsewhere = tmp_path / "elsewhere"
    shutil.move(conf, elsewhere / "conf")
    write(elsewhere / "conf/local/catalog.yml", {
        "{set}.raw": {"path": "~/{set}"},
        "{set}.web_crops": {"images": "crops"},
        "evaluated_folds": {"predictions": "C:/data"},
        "other": {"type": "pandas.CSVDataset", "filepath": "~/t.csv"},
    })  # fmt: skip
    write(elsewhere / "conf/local/parameters_data.yml", {
        "coded_sets": {"disfa": {"labels": "codes", "media": "~/videos"}},
        "web_sets": {"web": {"photographs": "~/faces", "identities": "s3://bucket/i.csv",
                             "annotations": {"path": "openface"},
                             "combine": "agreement", "second_annotations": {"path": "pyfeat.csv"}}},
    })  # fmt: skip
    write(elsewhere / "conf/local/parameters.yml", {
        "source": "videos/a.mp4", "model": "~/m",
        "preprocess": {"detector": {"model": "~/w.onnx"}, "openface": {"binary": "bin/F"}},
        "recipes": {"modern": {"pretrain": {"backbone_weights": "w.pt"}}},
    })  # fmt: skip
    (elsewhere / "videos").mkdir()
    (elsewhere / "videos/a.mp4").touch()
    monkeypatch.chdir(elsewhere)
    project = tmp_path / "project"
    loader = context_of(elsewhere / "conf", "raw", project).config_loader
    catalog, parameters = loader["catalog"], loader["parameters"]
    coded, web = parameters["coded_sets"]["disfa"], parameters["web_sets"]["web"]
    assert (coded["labels"], coded["media"]) == (f"{project}/codes", "/home/somebody/videos")
    assert web["photographs"] == "/home/somebody/faces"
    assert web["identities"] == "s3://bucket/i.csv"
    assert web["annotations"]["path"] == f"{project}/openface"
    assert web["second_annotations"]["path"] == f"{project}/pyfeat.csv"
    assert catalog["{set}.raw"]["path"] == "/home/somebody/{set}"
    assert catalog["{set}.web_crops"]["images"] == f"{project}/crops"
    assert catalog["evaluated_folds"]["predictions"] == "C:/data"
    assert (
        catalog["evaluated_folds"]["path"]
        == f"{project}/data/08_reporting/raw/main/disfa/fg2020"
    )
    assert catalog["evaluated_runs"]["predictions"] == f"{project}/data/07_model_output/raw"
    assert catalog["other"]["filepath"] == "/home/somebody/t.csv"
    assert parameters["source"] == f"{project}/videos/a.mp4"
    assert parameters["model"] == "/home/somebody/m"
    assert parameters["preprocess"]["detector"]["model"] == "/home/somebody/w.onnx"
    assert parameters["preprocess"]["openface"]["binary"] == f"{project}/bin/F"
    assert parameters["recipes"]["modern"]["pretrain"]["backbone_weights"] == f"{project}/w.pt"
    tracking = loader.config_patterns.update(mlflow=["mlflow*"]) or loader["mlflow"]
    assert tracking["server"]["mlflow_tracking_uri"] == f"sqlite:///{project}/data/mlflow.db"


def test_a_program_may_be_named_as_one_on_the_path(conf):
    write(conf / "local/parameters.yml", {"preprocess": {"openface": {"binary": "Face"}}})
    assert (
        context_of(conf).config_loader["parameters"]["preprocess"]["openface"]["binary"]
        == "Face"
    )
    (conf.parent / "Face").touch()
    found = context_of(conf).config_loader["parameters"]["preprocess"]["openface"]["binary"]
    assert found == f"{conf.parent}/Face"


@pytest.mark.parametrize(
    ("there", "meant"),
    [
        (["notebooks/v.avi", "v.avi"], "notebooks/v.avi"),
        (["v.avi"], "v.avi"),
        ([], "notebooks/v.avi"),
    ],
)
def test_a_typed_path_counts_from_where_it_is_typed(conf, monkeypatch, there, meant):
    project = conf.parent
    (project / "notebooks").mkdir()
    for name in there:
        (project / name).touch()
    monkeypatch.chdir(project / "notebooks")
    assert (
        context_of(conf, source="v.avi").config_loader["parameters"]["source"]
        == f"{project}/{meant}"
    )
    write(conf / "local/parameters.yml", {"source": "v.avi"})
    assert context_of(conf).config_loader["parameters"]["source"] == f"{project}/v.avi"


def test_kedro_viz_which_runs_no_hooks_reads_the_same(conf, monkeypatch):
    from kedro_viz.integrations.kedro.data_loader import load_data

    shutil.copy(PROJECT / "pyproject.toml", conf.parent)
    (conf.parent / "src").mkdir()
    (conf.parent / "notebooks").mkdir()
    write(conf / "local/parameters.yml", {"run": "own"})
    monkeypatch.chdir(conf.parent / "notebooks")
    catalog = load_data(conf.parent, env="tiny")[0]
    place = catalog.get("evaluated_folds").predictions
    assert place == conf.parent / "data/07_model_output/tiny/own/disfa/fg2020"


def test_every_path_that_a_dataset_takes_is_known_to_be_one():
    known = {pattern.removeprefix("*.") for pattern in PATHS["catalog"]}
    for module in iter_modules(datasets.__path__, f"{datasets.__name__}."):
        for kind in vars(import_module(module.name)).values():
            if inspect.isclass(kind) and issubclass(kind, AbstractDataset):
                for name, argument in inspect.signature(kind).parameters.items():
                    if argument.annotation in (str, str | None):
                        assert name in known | NO_PATHS, f"{kind.__name__}({name})"


def test_every_parameter_that_is_a_path_is_known_to_be_one():
    named = {"coded_sets.*.": CodedSetSettings, "web_sets.*.": WebSetSettings}
    known = [name for name in PATHS["parameters"] if not name.startswith("recipes.")]
    found = [*_path_fields(Parameters)]
    for above, group in named.items():
        found += _path_fields(group, above)
    assert sorted(found) == sorted(known)


def _path_fields(model, above=""):
    for name, field in model.model_fields.items():
        if "a path as text" in repr(field.annotation):
            yield f"{above}{name}"
        inner = () if get_origin(field.annotation) is dict else get_args(field.annotation)
        for kind in (field.annotation, *inner):
            if hasattr(kind, "model_fields"):
                yield from _path_fields(kind, f"{above}{name}.")


def test_the_catalog_and_parameters_have_no_other_paths(conf):
    """A value with a slash is a path, so its name must be known; null may become one."""
    loader = context_of(conf, "raw", Path("/project")).config_loader
    texts = _texts({"catalog": loader["catalog"], "parameters": loader["parameters"]})
    assert not [text for text in texts if "/" in text and not text.startswith("/project/")]


def _texts(values):
    for value in values.values():
        if isinstance(value, dict):
            yield from _texts(value)
        elif isinstance(value, str):
            yield value


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"seed: 1\nrun: [a\n", r"parameters\.yml, line 3: this is not YAML \("),
        (b"seed: 1\n  run: x\n", r"parameters\.yml, line 2: this is not YAML \(mapping values"),
        (b"seed: 1\nseed: 2\n", r"parameters\.yml, line 2: .*duplicate key seed"),
        (b"seed: \xff\xfe\n", r"parameters\.yml: this is not YAML \('utf-8'"),
        (b"- a\n- b\n", r"parameters\.yml: names with values are expected"),
    ],
)
def test_a_damaged_file_is_named_with_its_line(conf, content, sentence):
    place = conf / "local/parameters.yml"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(content)
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        ProjectConfigLoader(str(conf), **CONFIG_LOADER_ARGS)["parameters"]
    assert str(place) in str(caught.value)
