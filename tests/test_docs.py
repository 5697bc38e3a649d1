"""What README and docs say to type is understood, and the files that they name are read."""

import re
import shlex
import shutil
from fnmatch import fnmatch

import pytest
from kedro.framework.cli.project import run as kedro_run

from action_units.commands import main
from action_units.config_loader import ProjectConfigLoader
from action_units.pipeline_registry import register_pipelines
from action_units.pipelines.parameters import read_parameters
from action_units.settings import CONFIG_LOADER_ARGS
from tests.conftest import PROJECT

PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *(PROJECT / "docs").rglob("*.md")]
TEXT = "\n".join(page.read_text() for page in PAGES)
# Only those that are typed: in backquotes, or lines of a block.
TYPED = [
    re.split(r"\s+#|\s&|`", command)[0].strip()
    for command in re.findall(
        r"(?:`|^ *(?:CUDA_VISIBLE_DEVICES=\S+ \S+ \S+ )?|&& \.venv/bin/)"
        r"((?:kedro run|action-units \w+)[^`\n]*)",
        TEXT,
        re.MULTILINE,
    )
]


def words_of(command):
    return shlex.split(command.replace("$fold", "1"))


@pytest.fixture(scope="module")
def conf(tmp_path_factory):
    """The configuration, with the set of one's own that docs/own_labels.md describes."""
    folder = tmp_path_factory.mktemp("project") / "conf"
    shutil.copytree(PROJECT / "conf", folder, ignore=shutil.ignore_patterns("local"))
    page = (PROJECT / "docs/own_labels.md").read_text()
    (folder / "local").mkdir()
    own = re.search(r"^```yaml\n(.*?)^```", page, re.M | re.S)[1]
    (folder / "local/parameters_data.yml").write_text(own)
    return folder


@pytest.mark.parametrize("command", sorted({c for c in TYPED if c.startswith("kedro run")}))
def test_kedro_understands_what_is_typed(command, conf):
    with kedro_run.make_context("run", words_of(command)[2:]) as context:
        given = context.params
    loader = ProjectConfigLoader(conf, given["env"], given["params"], **CONFIG_LOADER_ARGS)
    read_parameters(loader["parameters"], loader["globals"], given["params"])
    names = {given["pipeline"] or "__default__", *given["pipelines"]}
    assert names <= set(register_pipelines())


@pytest.mark.parametrize(
    "command",
    sorted(
        {c for c in TYPED if re.match(r"action-units (predict|export) [^-].* --|.*--model", c)}
    ),
)
def test_action_units_understands_what_is_typed(command):
    name, *arguments = words_of(command)[1:]
    main.commands[name].make_context(name, arguments)


def test_enough_commands_were_found():
    assert len({c for c in TYPED if c.startswith("kedro run")}) > 25
    assert len({c for c in TYPED if c.startswith("action-units")}) > 5


def test_every_file_of_the_configuration_that_is_named_is_read():
    patterns = ["catalog*", "parameters*", "globals*", "credentials*", "mlflow*", ".gitkeep"]
    for folder, file in re.findall(r"conf/(\w+)/([\w.*]+\.yml)", TEXT):
        assert any(fnmatch(file, pattern) for pattern in patterns), file
        if folder != "local":
            assert list((PROJECT / "conf" / folder).glob(file)), f"{folder}/{file}"


def test_the_environment_is_activated_first():
    """A terminal is told to activate the environment before it is told to type commands."""
    readme = (PROJECT / "README.md").read_text()
    assert readme.index("source .venv/bin/activate") < readme.index("`kedro viz`")
