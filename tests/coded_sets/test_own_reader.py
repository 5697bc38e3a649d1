"""The reader in docs/own_labels.md and its YAML, as they stand there."""

import re
from pathlib import Path

import pytest
import yaml

from action_units.coded_sets.plan import plan_coded_set
from action_units.coded_sets.registry import READERS
from action_units.config.data import CodedSetSettings
from action_units.config.protocols import ProtocolSettings
from action_units.errors import LabelError

PAGE = Path(__file__).parents[2] / "docs" / "own_labels.md"
TEXT = PAGE.read_text("utf-8")
SETTINGS = CodedSetSettings(reader="events", protocol="own")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.M | re.S)


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The page's example for two subjects, with its reader registered."""
    names = {}
    (code,) = blocks("python")
    exec(compile(code, PAGE.name, "exec"), names)  # noqa: S102 - our own page
    monkeypatch.setitem(READERS, "events", names["read_events"])
    header, *rows = re.search(r"^    subject;.*\n(?:    .*\n)+", TEXT, re.M)[0].split("\n")[:-1]
    rows += [row.replace("anna", "bo") for row in rows]
    (tmp_path / "events.csv").write_text("\n".join(row.strip() for row in [header, *rows]))
    for subject in ("anna", "bo"):
        (tmp_path / subject).mkdir()
        (tmp_path / subject / "smile.mp4").touch()
    return tmp_path


def test_the_reader_is_of_fifty_lines():
    (code,) = blocks("python")
    assert len(code.splitlines()) <= 60  # 50 without blank lines


def test_the_example_becomes_a_plan(study):
    plan = plan_coded_set("study", SETTINGS, study)
    assert plan.aus == (6, 12)
    table = plan.frames.set_index(["subject", "frame"])
    assert len(table) == 500
    assert table.loc[("bo", 39), ["AU06", "AU12"]].tolist() == [0, 0]
    assert table.loc[("bo", 40), ["AU06", "AU12", "AU12_r"]].tolist() == [0, 1, 3]
    assert table.loc[("anna", 200), ["AU06", "AU12"]].tolist() == [-1, 0]
    assert [one.path for one in plan.recordings] == [
        study / f"{s}/smile.mp4" for s in ("anna", "bo")
    ]
    left = plan_coded_set(
        "study",
        SETTINGS.model_copy(update={"exclude": [{"subject": "bo", "reason": "x"}]}),
        study,
    )
    assert (set(left.frames["subject"]), left.left_out) == ({"anna"}, {"bo": "x"})


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("95;C", "95;F", 6, "AU '12' has 'F'; expected A to E or ?"),
        ("40;95", "40;x", 6, "40 to x are no frames"),
        ("40;95", "95;40", 6, "95 to 40 are no frames"),
        ("40;95", "40;251", 6, "frame 251 is in no row of 'coded'"),
        ("code\n", "intensity\n", 1, "expected"),
    ],
)
def test_its_faults_are_named(study, old, new, line, words):
    path = study / "events.csv"
    head, _, last = path.read_text().rpartition(old)
    path.write_text(head + new + last)
    with pytest.raises(LabelError, match=re.escape(words)) as error:
        plan_coded_set("study", SETTINGS, study)
    assert (error.value.path, error.value.line) == (path, line)


def test_the_settings_of_the_page_are_valid():
    own, protocols, *_ = map(yaml.safe_load, blocks("yaml"))
    assert len(blocks("yaml")[0].splitlines()) <= 15
    assert CodedSetSettings.read(own["coded_sets"]["our_study"]).present_from == 2
    for one in (*own["protocols"].values(), *protocols["protocols"].values()):
        ProtocolSettings.read(one)


def test_the_modules_that_the_page_names_exist():
    named = set(re.findall(r"`labels\.(\w+)`", TEXT))
    assert len(named) >= 2
    for module in named:
        __import__(f"action_units.labels.{module}")
