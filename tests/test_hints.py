"""Commands in messages have the options of the run."""

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


def test_a_hint_repeats_the_options_of_the_run(monkeypatch):
    monkeypatch.setattr(hints, "current", ELSEWHERE)
    repeated = parsed(hints.command("finetune", fold=3))
    assert repeated["pipeline"] == "finetune"
    assert (repeated["env"], repeated["conf_source"]) == ("my env", str(Path("/tmp").resolve()))
    assert repeated["params"] == {
        "run": "wide", "fold": 3, "recipes": {"modern": {"network": {"width": 0.5}}},
        "threads": None, "tensorboard": False,
        "evaluation": {"treatment": "smoothing + temperature"},
    }  # fmt: skip
    assert "fold" not in parsed(hints.command("pretrain"))["params"]
    assert parsed(hints.command("pretrain,finetune"))["pipelines"] == ["pretrain", "finetune"]


def test_it_is_plain_without_options(monkeypatch):
    monkeypatch.setattr(hints, "current", OWN)
    assert hints.command("evaluate") == "`kedro run --pipeline evaluate`"
    assert hints.command() == "`kedro run`"
    assert hints.own_settings("catalog.yml") == "conf/local/catalog.yml"


def test_without_a_run_the_hint_asks_for_its_options(monkeypatch):
    monkeypatch.setattr(hints, "current", None)
    assert hints.command("evaluate") == (
        "`kedro run --pipeline evaluate` (with the --env and --params of that run)"
    )


def test_to_start_over_names_the_stage_and_fold_of_now(monkeypatch):
    monkeypatch.setattr(hints, "current", ELSEWHERE)
    token = hints.stage.set({"pipeline": "finetune", "fold": 1})
    repeated = parsed(hints.again(restart=True))
    hints.stage.reset(token)
    assert (repeated["pipeline"], repeated["params"]["fold"]) == ("finetune", 1)
    assert repeated["params"]["restart"] is True
    assert repeated["params"]["run"] == "wide"


def test_an_option_that_cannot_be_typed_is_named(monkeypatch):
    given = {"run": "a", "coded_sets": {"disfa": {"exclude": [{"subject": "SN001", "x": 1}]}}}
    monkeypatch.setattr(hints, "current", hints.Run(Path("/"), params=given))
    command = hints.command("finetune")
    assert parsed(command)["params"] == {"run": "a"}
    assert command.endswith("(with the same coded_sets.disfa.exclude)")


def test_from_elsewhere_it_goes_to_the_project_first(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hints, "current", hints.Run(tmp_path / "my project"))
    assert hints.command() == f"`cd '{tmp_path}/my project' && kedro run`"


def test_no_message_names_a_command_by_itself():
    """A text of ours with ``kedro run`` in it would lack the options of the run."""
    found = []
    for path in (PROJECT / "src").rglob("*.py"):
        text = path.read_text()
        if "kedro run" not in text and "conf/local" not in text:
            continue
        tree = ast.parse(text)
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
