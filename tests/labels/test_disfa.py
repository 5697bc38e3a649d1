"""DISFA's own label files, sound and faulty."""

import shutil

import numpy as np
import pytest

from action_units.errors import ConfigurationError, LabelError
from action_units.labels.action_units import au_columns
from action_units.labels.disfa import find_labels, read_disfa

AUS = (1, 2, 12)
TRUTH = np.array([[0, 5, 1], [1, 4, 1], [2, 3, 0], [3, 2, 2], [4, 1, 0]])  # (frames, AUs)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "SN001").mkdir()
    for k, au in enumerate(AUS):
        lines = [f"{frame},{value}" for frame, value in enumerate(TRUTH[:, k], 1)]
        (tmp_path / f"SN001/SN001_au{au}.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def intensities(folder, aus=AUS):
    return read_disfa(folder, aus).table[au_columns(aus)]


def rewrite(folder, text, au=2):
    path = folder / f"SN001/SN001_au{au}.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_intensities_are_read_by_frame(folder):
    found = read_disfa(folder, AUS)
    assert (found.aus, found.scale) == (AUS, "intensity")
    assert (intensities(folder).to_numpy() == TRUTH).all()
    assert list(found.table)[3:] == ["AU01", "AU02", "AU12"]
    assert found.table["frame"].tolist() == [1, 2, 3, 4, 5]
    assert (found.table.dtypes[3:] == np.int8).all()


def test_an_au_is_present_from_intensity_2(folder):
    present = read_disfa(folder, AUS).present(2).table
    assert present["AU02"].tolist() == [1, 1, 1, 1, 0]


@pytest.mark.parametrize(
    "text",
    ["3,3\n1,5\n5,1\n2,4\n4,2\n", "1,5\r\n2,4\r\n3,3\r\n4,2\r\n5,1\r\n",
     "\n1, 5 \n 2,4\n3,3\n4,2\n5,1", "\ufeff1,5\n2,4\n3,3\n4,2\n5,1\n\n"],
)  # fmt: skip
def test_the_frame_number_is_the_key(folder, text):
    rewrite(folder, text)
    assert (intensities(folder).to_numpy() == TRUTH).all()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("1,5\n2,6\n3,3\n4,2\n5,1", 2, "frame 2 has intensity 6"),
        ("1,5\n2,4\n3,-1\n4,2\n5,1", 3, "frame 3 has intensity -1"),
        ("1,5\n2,4\n4,2\n5,1", 3, "frame 3 is missing; the next one there is frame 4"),
        ("2,4\n3,3\n4,2\n5,1", 1, "frame 1 is missing"),
        ("1,5\n2,4\n2,4\n3,3\n4,2\n5,1", 3, "frame 2 occurs twice, first on line 2"),
        ("0,5\n1,4\n2,3\n3,2\n4,1", 1, "frame 0; frames are numbered from 1"),
        ("1,5\n2,x\n3,3\n4,2\n5,1", 2, "'2,x' is not frame,intensity"),
        ("1,5\n2,1.5\n3,3\n4,2\n5,1", 2, "'2,1.5' is not frame,intensity"),
        ("1,5\n2\n3,3\n4,2\n5,1", 2, "'2' is not frame,intensity"),
        ("frame,intensity\n1,5", 1, "is not frame,intensity"),
        ("1,5\n2,4\n3,3\n4,2\n", None, "4 frames, but SN001_au1.txt has 5"),
        ("", None, "the file is empty"),
        (b"1,5\n\xff\xfe", None, "cannot be read as text"),
    ],
)
def test_a_fault_is_named_with_file_and_line(folder, text, line, words):
    path = rewrite(folder, text)
    with pytest.raises(LabelError) as error:
        intensities(folder)
    assert words in str(error.value)
    assert (error.value.path, error.value.line) == (path, line)


def test_a_missing_au_file_is_not_all_zeros(folder):
    (folder / "SN001/SN001_au12.txt").unlink()
    with pytest.raises(
        LabelError, match=r"SN001_au12\.txt: the label file of this AU is missing"
    ):
        intensities(folder)


def test_subjects_are_those_with_a_folder(folder):
    (folder / "notes").mkdir()
    (folder / "SN002").write_text("")
    assert list(find_labels(folder).folders) == ["SN001"]
    with pytest.raises(LabelError, match="expected SN001, SN002"):
        find_labels(folder / "notes")


def test_frames_keep_presence_and_intensity(folder):
    table = read_disfa(folder, AUS).present(2).table
    assert list(table) == ["subject", "recording", "frame", "AU01", "AU02", "AU12",
                           "AU01_r", "AU02_r", "AU12_r"]  # fmt: skip
    assert (table[["AU01_r", "AU02_r", "AU12_r"]].to_numpy() == TRUTH).all()
    assert (table[["AU01", "AU02", "AU12"]].to_numpy() == (TRUTH >= 2)).all()
    assert (table.dtypes[3:] == np.int8).all()
    with pytest.raises(ConfigurationError, match="no subject"):
        read_disfa(find_labels(folder).without({"SN001"}), AUS)


def test_subjects_may_differ_in_their_length(folder):
    """DISFA's have 4,844 or 4,845 frames."""
    (folder / "SN002").mkdir()
    for au in AUS:
        lines = [f"{frame},{frame % 6}" for frame in range(1, 7)]
        (folder / f"SN002/SN002_au{au}.txt").write_text("\n".join(lines))
    table = read_disfa(folder, AUS).table
    assert table.groupby("subject")["frame"].max().to_dict() == {"SN001": 5, "SN002": 6}
    assert table["subject"].is_monotonic_increasing


def test_columns_are_those_asked_for_whatever_the_folder_lists_first(folder):
    """A file's AU is in its name; DISFA's files sort as au1, au12, au2."""
    assert list(intensities(folder, (12, 1))) == ["AU12", "AU01"]
    assert (intensities(folder, (12, 1)).to_numpy() == TRUTH[:, [2, 0]]).all()


@pytest.mark.parametrize(
    "place",
    ["ActionUnit_Labels/SN001", "DISFA/ActionUnit_Labels/ActionUnit_Labels/SN001",
     "ActionUnit_Labels (1)/sn1", "ActionUnit_Labels/SN001/SN001", "flat"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["SN001_au{}.txt", "SN001_AU{}.TXT", "sn1_au0{}.txt"])
def test_labels_are_found_however_deep_and_whatever_their_case(folder, tmp_path, place, name):
    to = tmp_path / "copy" / place
    to.mkdir(parents=True)
    for au in AUS:
        (folder / f"SN001/SN001_au{au}.txt").rename(
            to / name.replace("0{}", "{:02d}").format(au)
        )
    assert list(find_labels(tmp_path / "copy").folders) == ["SN001"]
    assert (intensities(tmp_path / "copy").to_numpy() == TRUTH).all()


def test_copies_and_other_files_beside_labels_are_named_and_never_read(folder):
    for copy in ("SN001 2", "SN001 - Copy", "SN001 (1)", "Copy of SN001", "SN002 2"):
        shutil.copytree(folder / "SN001", folder / copy)
        (folder / copy / "SN001_au1.txt").write_text("1,5\n2,5\n3,5\n4,5\n5,5\n")
    for name in ("SN001_au1 (1).txt", "SN001_au1.txt.bak", ".DS_Store", "._SN001_au1.txt"):
        (folder / "SN001" / name).write_text("1,5\n")
    found = find_labels(folder)
    assert (intensities(found).to_numpy() == TRUTH).all()
    assert list(found.files) == ["SN001"]
    assert sorted(path.name for path in found.skipped) == [
        ".DS_Store", "._SN001_au1.txt", "Copy of SN001", "SN001 (1)", "SN001 - Copy", "SN001 2",
        "SN001_au1 (1).txt", "SN001_au1.txt.bak", "SN002 2",
    ]  # fmt: skip
    (folder / "SN001/SN001_au1.txt").unlink()
    with pytest.raises(LabelError, match=r"SN001_au1\.txt: .*SN001_au1 \(1\)\.txt"):
        intensities(folder)


def test_labels_in_two_places_are_one_or_differ(folder):
    shutil.copytree(folder / "SN001", folder / "again/SN001")
    (folder / "link").symlink_to(folder)  # without end
    (folder / "loop").symlink_to(folder / "loop")
    found = find_labels(folder)
    assert (intensities(found).to_numpy() == TRUTH).all()
    assert {path.parent for path in found.skipped} == {folder / "again/SN001"}
    (folder / "again/SN001/SN001_au12.txt").write_text("1,1\n")
    with pytest.raises(LabelError, match=r"again/SN001/SN001_au12\.txt: .* differs"):
        find_labels(folder)


def test_a_subject_s_file_in_another_s_folder_is_refused(folder):
    (folder / "SN002").mkdir()
    (folder / "SN001/SN001_au2.txt").rename(folder / "SN002/SN001_au2.txt")
    with pytest.raises(LabelError, match=r"SN001_au2\.txt: it lies in the folder of SN002"):
        find_labels(folder)


def test_an_empty_folder_beside_others_has_its_files_missing(folder):
    (folder / "SN003").mkdir()
    assert list(find_labels(folder).folders) == ["SN001", "SN003"]
    with pytest.raises(LabelError, match=r"SN003_au1\.txt: the label file .* is missing"):
        read_disfa(folder, AUS)


def test_without_labels_the_sentence_says_what_is_there(tmp_path):
    (tmp_path / "Landmark_Points").mkdir()
    (tmp_path / "readme.txt").touch()
    with pytest.raises(LabelError, match=r"there is Landmark_Points/, readme\.txt"):
        find_labels(tmp_path)
