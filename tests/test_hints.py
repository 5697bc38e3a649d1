"""The commands that messages name are those of the run that says them."""

import ast
import re
import shlex
from pathlib import Path

from kedro.framework.cli.project import run as kedro_run

from action_units import hints
from tests.conftest import PROJECT

OWN = hints.Run(Path("/"))
ELSEWHERE = hints.Run(
    Path("/"), "my env", "/tmp", {"run": "wide", "restart": True, "source": "a.avi",
    "fold": 2, "recipes": {"modern": {"network": {"width": 0.5}}}, "threads": None,
    "tensorboard": False, "evaluation": {"treatment": "smoothing + temperature"}},
)  # fmt: skip


def parsed(command):
    """What Kedro's own command line makes of a hint."""
    words = shlex.split(re.fullmatch(r"`(.*)`.*", command)[1])
    assert words[:2] == ["kedro", "run"]
    with kedro_run.make_context("run", words[2:]) as context:
        return context.params


def test_a_hint_repeats_what_the_run_was_told(monkeypatch):
    monkeypatch.setattr(hints, "current", ELSEWHERE)
    told = parsed(hints.command("finetune", fold=3))
    assert told["pipeline"] == "finetune"
    assert (told["env"], told["conf_source"]) == ("my env", str(Path("/tmp").resolve()))
    assert told["params"] == {
        "run": "wide", "fold": 3, "recipes": {"modern": {"network": {"width": 0.5}}},
        "threads": None, "tensorboard": False,
        "evaluation": {"treatment": "smoothing + temperature"},
    }  # fmt: skip
    assert "fold" not in parsed(hints.command("pretrain"))["params"]
    assert parsed(hints.command("pretrain,finetune"))["pipelines"] == ["pretrain", "finetune"]


def test_it_is_plain_where_nothing_was_told(monkeypatch):
    monkeypatch.setattr(hints, "current", OWN)
    assert hints.command("evaluate") == "`kedro run --pipeline evaluate`"
    assert hints.command() == "`kedro run`"
    assert hints.own_settings("catalog.yml") == "conf/local/catalog.yml"


def test_without_a_run_it_says_that_options_are_needed(monkeypatch):
    monkeypatch.setattr(hints, "current", None)
    assert hints.command("evaluate") == (
        "`kedro run --pipeline evaluate` (with the --env and --params of that run)"
    )


def test_to_start_over_names_the_stage_and_fold_of_now(monkeypatch):
    monkeypatch.setattr(hints, "current", ELSEWHERE)
    token = hints.stage.set({"pipeline": "finetune", "fold": 1})
    told = parsed(hints.again(restart=True))
    hints.stage.reset(token)
    assert (told["pipeline"], told["params"]["fold"]) == ("finetune", 1)
    assert told["params"]["restart"] is True
    assert told["params"]["run"] == "wide"


def test_what_cannot_be_typed_is_said_in_words(monkeypatch):
    given = {"run": "a", "preprocess": {"disfa": {"exclude": [{"subject": "SN001", "x": 1}]}}}
    monkeypatch.setattr(hints, "current", hints.Run(Path("/"), params=given))
    command = hints.command("finetune")
    assert parsed(command)["params"] == {"run": "a"}
    assert command.endswith("(with the same preprocess.disfa.exclude)")


def test_from_elsewhere_it_goes_to_the_project_first(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hints, "current", hints.Run(tmp_path / "my project"))
    assert hints.command() == f"`cd '{tmp_path}/my project' && kedro run`"


def test_no_message_names_a_command_by_itself():
    """A text of ours with ``kedro run`` in it would forget what the run was told."""
    found = []
    for path in (PROJECT / "src").rglob("*.py"):
        tree = ast.parse(path.read_text())
        docstrings = {
            node.body[0].value
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        found += [
            f"{path.name}: {node.value}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and re.search(r"kedro run|conf/local", str(node.value))
            and node not in docstrings
        ]
    assert found == ["hints.py: kedro run"]
