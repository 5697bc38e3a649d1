"""The blocks of docs/tutorial.md, run in their order in one project."""

import contextlib
import re
import shlex

import pytest
from click.testing import CliRunner

from action_units.commands import main
from tests.conftest import PROJECT

TEXT = (PROJECT / "docs/tutorial.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(bash|python)\n(.*?)^```", TEXT, re.M | re.S)


def run(project, kind, block):
    """What a block prints."""
    if kind == "python":
        with contextlib.chdir(project.path):
            exec(compile(block, "docs/tutorial.md", "exec"), {})  # noqa: S102 - our own page
        return ""
    printed = ""
    for line in block.splitlines():
        program, name, *arguments = shlex.split(line)
        if program == "kedro":
            assert name == "run"
            printed += project.run(*arguments)
        else:
            with contextlib.chdir(project.path):
                done = CliRunner().invoke(main, [name, *arguments], catch_exceptions=False)
            assert done.exit_code == 0, done.output
            printed += done.output
    return printed


def test_the_tutorial_begins_with_the_whole_job(finished):
    """Its first block is what the shared project has run."""
    project, printed = finished
    assert BLOCKS[0] == ("bash", "kedro run --env tiny\n")
    assert "08_reporting/tiny/main/disfa/fg2020/report.html" in printed.splitlines()[-1]
    named = re.findall(r"`(data/0[^`<>]*)`", TEXT.split("## Change something")[0])
    assert len(named) >= 6
    for path in named:
        assert (project.path / path).exists(), path


def test_the_other_blocks_do_what_it_says(copied):
    _, again, compare, predict, python = BLOCKS
    assert "was finished before" in run(copied, *again)
    assert "compare" in compare[1]  # the test below
    run(copied, *predict)
    assert {path.suffix for path in (copied.path / "predicted").iterdir()} == {
        ".csv",
        ".parquet",
        ".json",
    }
    run(copied, *python)


@pytest.mark.slow
def test_a_second_run_is_compared(copied):
    run(copied, *BLOCKS[2])
    assert (
        copied.path / "data/08_reporting/tiny/comparisons/disfa/fg2020/comparison.html"
    ).exists()
