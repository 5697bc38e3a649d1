"""DISFA+'s label files, as public code reads them."""

import shutil

import numpy as np
import pytest

from action_units.errors import LabelError
from action_units.labels.disfa_plus import read_disfa_plus

AUS = (1, 12)
TRIALS = {("SN001", "A1_AU1_TrailNo_1"): 4, ("SN001", "B2_Happy_TrailNo_2"): 3,
          ("SN027", "A1_AU1_TrailNo_1"): 5}  # fmt: skip


def intensity(au, frame):
    return (au + frame) % 6


@pytest.fixture
def folder(tmp_path):
    for (subject, trial), count in TRIALS.items():
        path = tmp_path / subject / trial
        path.mkdir(parents=True)
        for au in AUS:
            lines = [f"{frame:03d}.jpg     {intensity(au, frame)}" for frame in range(count)]
            header = [f"AU{au}", "Image     Intensity"]
            (path / f"AU{au}.txt").write_text("\n".join(header + lines) + "\n")
    (tmp_path / "readme.txt").write_text("x")
    return tmp_path


def test_every_trial_is_read(folder):
    found = read_disfa_plus(folder, AUS).frames
    assert (found.scale, found.aus) == ("intensity", AUS)
    counts = found.table.groupby(["subject", "recording"]).size().to_dict()
    assert counts == TRIALS
    for au in AUS:
        expected = [intensity(au, frame) for frame in found.table["frame"]]
        assert found.table[f"AU{au:02d}"].tolist() == expected


@pytest.mark.parametrize(
    "text",
    ["001.jpg 2\n000.jpg 1\n002.jpg 3\n003.jpg 4", "\ufeff000.jpg\t1\r\n001.jpg\t2\r\n"
     "002.jpg\t3\r\n003.jpg\t4\r\n", "AU1\n\n000.png,1\n001.png,2\n002.png, 3\n003.png,4"],
)  # fmt: skip
def test_what_is_uncertain_is_taken_widely(folder, text):
    (folder / "SN001/A1_AU1_TrailNo_1/AU1.txt").write_bytes(text.encode())
    assert read_disfa_plus(folder, AUS).frames.table["AU01"][:4].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("000.jpg 1\n001.jpg 6", 2, "frame 1 has intensity 6"),
        ("000.jpg 1\n001.jpg -1", 2, "frame 1 has intensity -1"),
        ("000.jpg 1\n000.jpg 1", 2, "frame 0 occurs twice"),
        ("AU12\n000.jpg\n001.jpg 1", 2, "'000.jpg' is not a picture and its intensity"),
        ("000.jpg 1\nx", 2, "'x' is not a picture and its intensity"),
        ("a\nb\nc\n000.jpg 1", 3, "'c' is not a picture"),
        ("000.jpg 1\n001.jpg 2.5", 2, "'001.jpg 2.5' is not a picture"),
        ("a\nb\n", None, "no line is a picture"),
        (b"\xff\xfe", None, "cannot be read as text"),
    ],
)
def test_a_fault_is_named_with_its_line(folder, text, line, words):
    path = folder / "SN001/A1_AU1_TrailNo_1/AU12.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(LabelError) as error:
        read_disfa_plus(folder, AUS)
    assert words in str(error.value)
    assert (error.value.path, error.value.line) == (path, line)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "AU12.txt is missing"),
        ("000.jpg 1\n001.jpg 1", "picture 002 is in only one of AU12.txt and AU1.txt"),
    ],
)
def test_a_trial_that_lacks_something_is_set_aside(folder, text, reason):
    path = folder / "SN027/A1_AU1_TrailNo_1/AU12.txt"
    path.unlink() if text is None else path.write_text(text)
    found = read_disfa_plus(folder)
    assert found.frames.aus == AUS
    assert found.set_aside == {"SN027/A1_AU1_TrailNo_1": reason}
    assert set(found.frames.table["subject"]) == {"SN001"}
    with pytest.raises(LabelError, match=f"none of its 1 trials can be used: SN027/.*{reason}"):
        read_disfa_plus(folder, left_out={"SN001"})


def test_without_a_list_the_aus_are_those_of_most_trials(folder):
    path = folder / "SN027/A1_AU1_TrailNo_1/AU7.txt"
    path.write_text("000.jpg 1")
    found = read_disfa_plus(folder)
    assert (found.frames.aus, found.set_aside, found.skipped) == (AUS, {}, [path])
    assert list(read_disfa_plus(folder, (7,)).set_aside) == [
        "SN001/A1_AU1_TrailNo_1", "SN001/B2_Happy_TrailNo_2"]  # fmt: skip


def test_a_folder_without_trials_is_named(tmp_path):
    with pytest.raises(LabelError, match="no recording with codes"):
        read_disfa_plus(tmp_path)


def test_presence_is_from_2_as_for_disfa(folder):
    raw = read_disfa_plus(folder, AUS).frames
    present = raw.present(2)
    assert (present.table["AU12"] == (raw.table["AU12"] >= 2)).all()
    assert present.table["AU12"].dtype == np.int8


def test_copies_and_other_files_are_named_and_never_read(folder):
    before = read_disfa_plus(folder, AUS).frames.table
    trial = folder / "SN001/A1_AU1_TrailNo_1"
    shutil.copytree(trial, trial.with_name(trial.name + " 2"))
    shutil.copytree(folder / "SN001", folder / "SN001 - Copy")
    (trial / "AU1 (1).txt").write_text("000.jpg 5\n")
    (trial / ".DS_Store").touch()
    found = read_disfa_plus(folder, AUS)
    assert found.frames.table.equals(before)
    assert {path.name for path in found.skipped} == {
        "A1_AU1_TrailNo_1 2", "SN001 - Copy", "AU1 (1).txt", ".DS_Store"}  # fmt: skip


def test_a_doubled_folder_other_case_and_pictures_beside_are_no_obstacle(
    folder, tmp_path_factory
):
    before = read_disfa_plus(folder, AUS).frames.table
    outer = tmp_path_factory.mktemp("outer")
    shutil.copytree(folder, outer / "Labels/Labels")
    (outer / "Labels/Labels/SN027").rename(outer / "Labels/Labels/sn27")
    for path in list(outer.rglob("AU1.txt")):
        path.rename(path.with_name("au01.TXT"))
    (outer / "Images/SN001/A1_AU1_TrailNo_1").mkdir(parents=True)
    (outer / "Images/SN001/A1_AU1_TrailNo_1/000.jpg").touch()
    assert read_disfa_plus(outer, AUS).frames.table.equals(before)
