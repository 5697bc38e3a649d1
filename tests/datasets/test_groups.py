"""Groups of one set, of several, or of a file of one's own."""

import pytest
from kedro.io import DatasetError

from action_units.datasets.groups import SubjectGroupsDataset

PEOPLE = {"disfa": None, "disfa_plus": "disfa", "studio": "own"}


def dataset(tmp_path, sets, chosen=None):
    return SubjectGroupsDataset(path=str(tmp_path), sets=sets, people=PEOPLE, filepath=chosen)


@pytest.fixture
def folder(tmp_path):
    for name, text in {
        "disfa": "subject,gender\nSN001,woman\nSN002,man\n",
        "disfa_plus": "subject,gender,age\nSN001,woman,old\nSN003,man,young\n",
        "studio": "subject,age\nSN001,young\n",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "groups.csv").write_text(text)
    return tmp_path


def test_one_set_keeps_its_names(folder):
    table = dataset(folder, "disfa").load()
    assert table["gender"].to_dict() == {"SN001": "woman", "SN002": "man"}


def test_no_file_is_no_groups(tmp_path):
    for sets in ("disfa", "disfa+studio"):
        missing = dataset(tmp_path, sets)
        assert missing.exists()
        assert missing.load().columns.empty


def test_sets_together_name_their_subjects_as_their_faces_do(folder):
    table = dataset(folder, "disfa+studio").load()
    assert table.to_dict("index") == {
        "disfa/SN001": {"gender": "woman", "age": ""},
        "disfa/SN002": {"gender": "man", "age": ""},
        "studio/SN001": {"gender": "", "age": "young"},
    }


def test_a_set_without_a_file_leaves_its_subjects_out(folder):
    (folder / "studio/groups.csv").unlink()
    table = dataset(folder, "disfa+studio").load()
    assert table.index.tolist() == ["disfa/SN001", "disfa/SN002"]


def test_who_is_in_two_sets_is_found_by_either_name(folder):
    table = dataset(folder, "disfa+disfa_plus").load()
    assert table.loc["disfa/SN001", "gender"] == "woman"
    assert table.loc["disfa/SN003", "age"] == table.loc["disfa_plus/SN003", "age"] == "young"


def test_a_file_of_ones_own_replaces_them(folder, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("subject,hand\ndisfa/SN001,left\n")
    assert dataset(folder, "disfa+studio", str(own)).load().to_dict() == {
        "hand": {"disfa/SN001": "left"}
    }
    with pytest.raises(DatasetError, match=r"none\.csv: there is no such file"):
        dataset(folder, "disfa", str(tmp_path / "none.csv")).load()
    with pytest.raises(DatasetError, match="never write"):
        dataset(folder, "disfa").save(1)
