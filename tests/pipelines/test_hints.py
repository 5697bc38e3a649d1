"""What messages say to do is done, word for word, and works."""

import json
import re
import shlex
import shutil
from pathlib import Path

import click
import pytest
import yaml
from kedro.framework.startup import bootstrap_project

from action_units.cli import run
from tests.pipelines.conftest import Project

EPOCH = {"epochs": 1}
NETWORK = {"architecture": "residual", "width": 0.25, "image_size": 32}
SHORT = {"network": NETWORK, "pretrain": EPOCH, "finetune": EPOCH, "from_scratch": EPOCH,
         "flip_average": False}  # fmt: skip


@pytest.fixture
def elsewhere(finished, tmp_path):
    """A project with its crops made and nothing trained, whose configuration lies elsewhere."""
    project = Project(tmp_path / "project")
    for folder in ("src", "conf", "data/01_raw", "data/02_intermediate", "data/03_primary",
                   "data/04_feature", "data/08_reporting/tiny/quarantine"):  # fmt: skip
        shutil.copytree(finished[0].path / folder, project.path / folder)
    for file in (".telemetry", "pyproject.toml"):
        shutil.copy(finished[0].path / file, project.path)
    for file in finished[0].path.glob("data/08_reporting/tiny/disfa_lost_frames.csv*"):
        shutil.copy(file, project.path / "data/08_reporting/tiny")
    shutil.move(project.path / "conf", tmp_path / "my conf")
    shutil.move(tmp_path / "my conf/tiny", tmp_path / "my conf/mine")
    return project, tmp_path / "my conf"


def do(*command):
    """Run a command; where it is refused, do what it says, and then the command again.

    Returns:
        The pipelines that were run, in order.
    """
    done = []
    for _ in range(3):
        try:
            run.main(list(command), standalone_mode=False)
            return [*done, command[1]]
        except click.ClickException as refused:
            said = refused.message
        hint = re.search(r"`kedro run ([^`]*)`", said)[1]
        done += do(*shlex.split(hint))
    raise AssertionError(said)


@pytest.mark.parametrize(
    "asked", ["finetune", pytest.param("evaluate", marks=pytest.mark.slow)]
)
def test_following_the_hints_makes_the_run_that_was_asked_for(elsewhere, monkeypatch, asked):
    project, conf = elsewhere
    monkeypatch.chdir(project.path)
    bootstrap_project(project.path)
    common = ["--env", "mine", "--conf-source", str(conf), "--params"]
    params = ("run=wide,protocol=standard,fold=2,recipe=short,threads=1,"
              "finetune.also_from_scratch=false")  # fmt: skip
    # The place for a recipe of one's own is said, and is read in this environment.
    with pytest.raises(click.ClickException, match="recipe='short' is unknown") as refused:
        run.main(["--pipeline", "pretrain", *common, params], standalone_mode=False)
    (place,) = re.findall(r"`recipes` in (.*parameters_recipes\.yml)", refused.value.message)
    assert place == f"{conf}/local/parameters_recipes.yml"
    (conf / "local").mkdir()
    Path(place).write_text(yaml.safe_dump({"recipes": {"short": SHORT}}))

    done = do("--pipeline", asked, *common, params)
    assert done == ["pretrain", "finetune", "evaluate"][: len(done)]
    assert done[-1] == asked
    models = project.path / "data/06_models/tiny"
    assert sorted(str(path.relative_to(models)) for path in models.rglob("*.safetensors")) == [
        "wide/disfa/standard/fold2/finetuned.safetensors",
        "wide/pretrained.safetensors",
    ]

    # Another length of the same training: starting over is named with all that was told.
    changed = params + ",recipes.short.pretrain.epochs=2"
    before = (models / "wide/pretrained.safetensors").read_bytes()
    assert do("--pipeline", "pretrain", *common, changed) == ["pretrain", "pretrain"]
    assert (models / "wide/pretrained.safetensors").read_bytes() != before
    if asked == "finetune":
        return
    report = project.path / "data/08_reporting/tiny/wide/disfa/standard/fold2/evaluation.json"
    assert json.loads(report.read_text())["provenance"]["recipe"] == "short"
    # A network that the pre-trained one is not.
    wider = params + ",recipes.short.network.width=0.5"
    with pytest.raises(click.ClickException, match="another network") as refused:
        run.main(["--pipeline", "finetune", *common, wider], standalone_mode=False)
    hint = re.search(r"`kedro run ([^`]*)`", refused.value.message)[1]
    do(*shlex.split(hint))
    assert (models / "short/disfa/standard/fold2/finetuned.safetensors").is_file()
