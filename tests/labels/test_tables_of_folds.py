"""Folders of label tables: overlaps and contradictions refused, oddities named."""

import pandas as pd
import pytest

from action_units.errors import LabelError
from action_units.labels.folds import FG2020, STANDARD
from action_units.labels.tables import read_fold_tables, read_web_tables, write_fold_tables
from action_units.labels.warnings import coded_warnings
from tests.conftest import REAL_LABELS
from tests.labels.test_tables import disfa_line, web_line

SUBJECTS = {1: "SN002", 2: "SN001", 3: "SN008"}


def write(path, lines):
    path.write_text("".join(line + "\n" for line in lines))


@pytest.fixture
def folds(tmp_path):
    """Three folds of one subject each, four frames a subject."""
    frames = {s: [disfa_line(k, subject=s) for k in range(4)] for s in SUBJECTS.values()}
    for fold, subject in SUBJECTS.items():
        write(tmp_path / f"fold{fold}_test.csv", frames[subject])
        rest = [line for s, lines in frames.items() if s != subject for line in lines]
        write(tmp_path / f"fold{fold}_train.csv", rest[::-1])
    return tmp_path


@pytest.fixture(scope="module")
def real_tables():
    if not REAL_LABELS.is_dir():
        pytest.skip("the real label files are not beside the project")
    return read_fold_tables(REAL_LABELS)


def refusal(folder, read=read_fold_tables, **options):
    with pytest.raises(LabelError) as error:
        read(folder, **options)
    return error.value


def test_each_frame_is_there_once_in_order(folds):
    tables = read_fold_tables(folds)
    assert tables.table["subject"].tolist() == ["SN001"] * 4 + ["SN002"] * 4 + ["SN008"] * 4
    assert tables.table["frame"].tolist() == [1, 2, 3, 4] * 3
    assert tables.test == {1: ("SN002",), 2: ("SN001",), 3: ("SN008",)}


def test_files_that_are_not_there_are_not_needed(folds):
    for name in ("fold1_train.csv", "fold3_test.csv", "fold2_test.csv"):
        (folds / name).unlink()
    tables = read_fold_tables(folds)
    assert sorted(tables.test) == [1]
    assert len(tables.table) == 12


def test_an_empty_folder_is_refused(tmp_path):
    assert "expected fold1_train.csv" in str(refusal(tmp_path))
    assert "expected train_label.csv" in str(refusal(tmp_path, read_web_tables))


def test_a_subject_in_train_and_test_is_refused(folds):
    path = folds / "fold2_train.csv"
    write(path, [disfa_line(k, subject=s) for s in ("SN002", "SN001") for k in (0, 1)])
    error = refusal(folds)
    assert (error.path.name, error.line) == ("fold2_test.csv", 1)
    assert "subject SN001 is also in fold2_train.csv" in str(error)
    assert "train and test of a fold must have no subject in common" in str(error)


def test_a_subject_in_two_tests_is_refused(folds):
    write(
        folds / "fold3_test.csv",
        [disfa_line(0, subject="SN008"), disfa_line(0, subject="SN002")],
    )
    (folds / "fold3_train.csv").unlink()
    error = refusal(folds)
    assert (error.path.name, error.line) == ("fold3_test.csv", 2)
    assert "SN002 is also in fold1_test.csv" in str(error)
    assert "the tests of two folds must have no subject in common" in str(error)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (",0" * 12, ",0,1" + ",0" * 10, "has AU02 1, but 0 in fold1_train.csv, line 5"),
        ("(0,0,120,120)", "(0,0,99,99)", "has rectsize (0,0,99,99), but (0,0,120,120)"),
    ],
)
def test_files_that_disagree_are_refused(folds, old, new, words):
    path = folds / "fold2_test.csv"  # SN001, which fold 1 trains on
    lines = path.read_text().splitlines()
    lines[3] = lines[3].replace(old, new)
    write(path, lines)
    error = refusal(folds)
    assert (error.path.name, error.line) == ("fold2_test.csv", 4)
    assert words in str(error)


def test_rows_missing_from_one_file_are_told(folds):
    path = folds / "fold2_train.csv"
    write(path, path.read_text().splitlines()[1:])
    assert "fold2_train.csv has 3 of the 4 frames of SN008." in read_fold_tables(folds).warnings


def test_folds_are_compared_with_a_protocol(real_tables):
    assert real_tables.differences_from(FG2020) == []
    assert len(real_tables.differences_from(STANDARD)) == 2


def test_a_few_subjects_are_compared_with_those_of_a_protocol_who_are_there(folds):
    tables = read_fold_tables(folds)
    assert tables.differences_from(FG2020) == []
    first, second = tables.differences_from(STANDARD)
    assert "fold 1 of the files tests on SN002, but" in first
    assert "on SN001, SN002" in first
    assert "fold 2 of the files tests on SN001, but" in second


def test_the_oddities_of_the_real_files_are_named(real_tables):
    assert len(real_tables.table) == 43605 + 43604
    text = "\n".join(real_tables.warnings)
    for words in (
        "9 of DISFA's 27 subjects are missing: SN008",
        "SN010 ends with frame 4,844, where most subjects end with 4,845.",
        "Crops are numbered from 0",
        "SN029, frames 4,330 to 4,536",
        "5 labels change for a single frame, the first is AU05 of SN011 at frame 4,290.",
    ):
        assert words in text
    assert len(real_tables.warnings) == 5


def test_gaps_cameras_and_absent_aus_are_told(tmp_path):
    lines = [
        disfa_line(k, ",1" + ",0" * 11, subject=s)
        for s in ("SN001", "SN003")
        for k in (1, 2, 5)
    ]
    lines.append(disfa_line(1, ",1" + ",0" * 11).replace("Right", "Left"))
    write(tmp_path / "fold1_test.csv", lines)
    text = "\n".join(read_fold_tables(tmp_path).warnings)
    assert "SN001 has no row for 2 frames before its last." in text
    assert "both cameras" in text
    assert "No face shows AU02, AU04," in text
    assert "Crops are numbered" not in text


def test_single_frames_are_told_camera_by_camera(tmp_path):
    lone = [disfa_line(k, ",1" * 12 if k == 2 else ",0" * 12) for k in range(5)]
    still = [disfa_line(k).replace("Right", "Left") for k in range(5)]
    write(tmp_path / "fold1_test.csv", [*lone, *still])
    text = "\n".join(read_fold_tables(tmp_path).warnings)
    assert "12 labels change for a single frame, the first is AU01 of SN001 at frame 3" in text


def test_web_tables(tmp_path):
    write(tmp_path / "train_label.csv", [web_line(0), web_line(1)])
    write(tmp_path / "test_label.csv", [web_line(2).replace("0d27_dy", "0other")])
    tables = read_web_tables(tmp_path)
    assert tables.table["split"].tolist() == ["train", "train", "test"]
    assert tables.table["subject"].tolist() == ["m.0d27_dy", "m.0d27_dy", "m.0other"]
    assert tables.warnings == []


def test_people_in_train_and_test_are_refused_unless_allowed(tmp_path):
    write(tmp_path / "train_label.csv", [web_line(0)])
    write(tmp_path / "test_label.csv", [web_line(9).replace("0d27_dy", "0b"), web_line(1)])
    error = refusal(tmp_path, read_web_tables)
    assert (error.path.name, error.line) == ("test_label.csv", 2)
    assert "1 people are also in train_label.csv, the first is m.0d27_dy" in str(error)
    tables = read_web_tables(tmp_path, allow_identity_overlap=True)
    assert "the first is m.0d27_dy" in tables.warnings[0]


def test_an_image_in_train_and_test_is_always_refused(tmp_path):
    write(tmp_path / "train_label.csv", [web_line(0)])
    write(tmp_path / "test_label.csv", [web_line(0)])
    error = refusal(tmp_path, read_web_tables, allow_identity_overlap=True)
    assert "is also in train_label.csv" in str(error)


def test_oddities_of_web_tables_are_told(tmp_path):
    lines = [web_line(0), web_line(0).replace("Id-0", "Id-1"), web_line(1, ",1" + ",0" * 18)]
    write(tmp_path / "train_label.csv", lines)
    text = "\n".join(read_web_tables(tmp_path).warnings)
    assert "1 people have faces of both genders, the first is m.0d27_dy." in text
    assert "1 photographs give several faces to one person, the first is m.0d27_dy_0" in text


def test_frames_that_are_not_scored_are_no_change_and_show_nothing():
    frames = pd.DataFrame(
        {
            "image": [f"RightVideoSN001_{k:08d}.jpg" for k in range(5)],
            "subject": "SN001",
            "frame": range(5),
            "AU01": [1, 1, -1, 1, 1],
            "AU02": [0, -1, -1, 0, 0],
        }
    )
    text = "\n".join(coded_warnings(frames))
    assert "No face shows AU02" in text
    assert "single frame" not in text


def test_the_tables_of_another_set_are_not_written(folds, caplog):
    """Of other AUs, other names or missing labels; older ones would be of other faces."""
    caplog.set_level("INFO")
    table = read_fold_tables(folds).table
    for other in (
        table.drop(columns="AU26"),
        table.assign(image="anna_smile_00000001.jpg"),
        table.assign(AU01=-1),
    ):
        written = write_fold_tables(table, folds, FG2020)
        assert len(written) == len(list(folds.glob("*.csv"))) > 0
        assert write_fold_tables(other, folds, FG2020) == []
        assert not list(folds.glob("*.csv"))
    assert caplog.text.count("gets none of the paper's fold tables") == 2  # of DISFA's names


def test_warnings_of_another_set_are_not_disfas():
    frames = pd.DataFrame(
        {"image": [f"a_{n}.jpg" for n in range(4)], "subject": "a", "recording": list("xxyy")}
    )
    frames = frames.assign(frame=[1, 2, 3, 4], AU01=[0, 1, 0, 0], AU02=0)
    assert coded_warnings(frames) == ["No face shows AU02: its figures will be n/a."]
    frames["recording"] = "x"
    assert (
        "1 labels change for a single frame, the first is AU01 of a"
        in coded_warnings(frames)[1]
    )
