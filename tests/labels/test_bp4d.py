"""BP4D's occurrence and intensity files, as public code reads them."""

import shutil

import pytest

from action_units.errors import LabelError
from action_units.labels import bp4d
from action_units.labels.bp4d import find_bp4d
from action_units.labels.coded_frames import MISSING

HEADER = (0, *range(1, 40), 99)
AUS = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)


def read_bp4d(folder, aus=AUS):
    return bp4d.read_bp4d(find_bp4d(folder), aus)


def read_bp4d_intensities(folder, aus, **options):
    return bp4d.read_bp4d_intensities(find_bp4d(folder), aus, **options)


def occurrence(frame, au):
    return 9 if au == 12 and frame == 102 else (frame * au) % 3 == 1


def write_occurrence(path, frames, header=HEADER):
    rows = [[frame, *(int(occurrence(frame, au)) for au in header[1:])] for frame in frames]
    path.write_text("\n".join(",".join(map(str, row)) for row in [header, *rows]) + "\n")


@pytest.fixture
def occ(tmp_path):
    folder = tmp_path / "AU_OCC"
    folder.mkdir()
    write_occurrence(folder / "F001_T1.csv", range(100, 104))
    write_occurrence(folder / "M002_T10.csv", [7, 5, 6])
    (folder / "readme.csv").write_text("x")
    return folder


@pytest.fixture
def intensities(tmp_path):
    folder = tmp_path / "AU_INT"
    for au in (6, 12):
        (folder / f"AU{au:02d}").mkdir(parents=True)
        (folder / f"AU{au:02d}/F001_T1_AU{au:02d}.csv").write_text(
            f"100,{au % 5}\n101,9\n102,5\n"
        )
    return folder


def test_occurrence_is_read_by_the_numbers_in_the_first_row(occ):
    found = read_bp4d(occ)
    assert found.scale == "presence"
    assert found.table[["subject", "recording", "frame"]].to_numpy().tolist() == [
        *(["F001", "T1", frame] for frame in range(100, 104)),
        *(["M002", "T10", frame] for frame in range(5, 8)),
    ]
    for au in AUS:
        expected = [
            MISSING if occurrence(frame, au) == 9 else int(occurrence(frame, au))
            for frame in found.table["frame"]
        ]
        assert found.table[f"AU{au:02d}"].tolist() == expected
    assert found.table["AU12"].tolist().count(MISSING) == 1


def test_the_order_of_the_columns_is_the_headers(occ):
    before = read_bp4d(occ, (12, 4)).table
    write_occurrence(occ / "F001_T1.csv", range(100, 104), (0, 4, 30, 12))
    assert read_bp4d(occ, (12, 4)).table.equals(before)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("0,1,12\n5,0,2\n", 2, "AU 12 is 2; occurrence is 0, 1 or 9"),
        ("0,1\n5,0\n", 1, "the first row has AU 12 0 times"),
        ("0,1,12,12\n5,0,0,0\n", 1, "the first row has AU 12 2 times"),
        ("0,1,12\n\n5,0,0\n6,0\n", 4, "2 columns, but the first row has 3"),
        ("0,1,12\n5,0,x\n", 2, "'x' is not a whole number"),
        ("0,1,12\n5,0,-1\n", 2, "'-1' is not a whole number"),
        ("0,1,12\n5,0,0\n5,0,0\n", None, "frame 5 occurs twice"),
        ("0,1,12\n", None, "fewer than two lines"),
        (b"\xff", None, "cannot be read"),
    ],
)
def test_a_fault_is_named_with_its_line(occ, text, line, words):
    path = occ / "F001_T1.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(LabelError) as error:
        read_bp4d(occ, (1, 12))
    assert words in str(error.value)
    assert (error.value.path, error.value.line) == (path, line)


def test_intensities_of_9_and_frames_without_a_line_are_missing(intensities):
    path = intensities / "AU12/F001_T1_AU12.csv"
    path.write_text("frame,code\n99,0\n100,2\n101,9\n")
    found = read_bp4d_intensities(intensities, (12, 6))
    assert found.scale == "intensity"
    assert found.table[["frame", "AU12", "AU06"]].to_numpy().tolist() == [
        [99, 0, -1], [100, 2, 1], [101, -1, -1], [102, -1, 5]]  # fmt: skip


def test_intensity_files_may_lie_side_by_side(intensities):
    expected = read_bp4d_intensities(intensities, (6, 12)).table
    for path in list(intensities.rglob("*.csv")):
        path.rename(intensities / path.name)
    assert read_bp4d_intensities(intensities, (6, 12)).table.equals(expected)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("100,1\n101,6\n", 2, "frame 101 has intensity 6; intensities go from 0 to 5, or 9"),
        ("100,1\n100,1\n", 2, "frame 100 occurs twice"),
        ("100,1\n101\n", 2, "'101' is not frame,intensity"),
        ("100,1\n101,1.5\n", 2, "'101,1.5' is not frame,intensity"),
        ("100,1\nx,1\n", 2, "'x,1' is not frame,intensity"),
    ],
)
def test_a_faulty_intensity_is_named_with_its_line(intensities, text, line, words):
    path = intensities / "AU06/F001_T1_AU06.csv"
    path.write_text(text)
    with pytest.raises(LabelError) as error:
        read_bp4d_intensities(intensities, (6, 12))
    assert words in str(error.value)
    assert (error.value.path, error.value.line) == (path, line)


def test_a_missing_or_doubled_intensity_file_is_named(intensities):
    with pytest.raises(LabelError, match=r"F001_T1_AU14\.csv is missing"):
        read_bp4d_intensities(intensities, (6, 12, 14))
    (intensities / "F001_T1_AU06.csv").write_text("100,1\n")
    with pytest.raises(
        LabelError, match=r"F001_T1_AU06\.csv: .* is of the same subject and dif"
    ):
        find_bp4d(intensities)


def test_a_file_may_lie_in_two_places(occ, intensities):
    for folder in (occ, intensities):
        shutil.copytree(folder, folder / "again")
    found = find_bp4d(occ)
    assert read_bp4d(occ).table.equals(bp4d.read_bp4d(found, AUS).table)
    assert "F001_T1.csv" in {path.name for path in found.skipped}
    assert len(read_bp4d_intensities(intensities, (6, 12)).table) == 3
    write_occurrence(occ / "again/F001_T1.csv", range(5))
    with pytest.raises(LabelError, match=r"F001_T1\.csv is of the same subject and differs"):
        find_bp4d(occ)


def test_a_folder_without_codes_is_named(tmp_path):
    with pytest.raises(LabelError, match="no recording with codes .*expected AU_OCC/F001_T1"):
        find_bp4d(tmp_path)


def test_copies_and_other_files_are_named_and_never_read(occ, intensities):
    before = read_bp4d(occ).table, read_bp4d_intensities(intensities, (6, 12)).table
    write_occurrence(occ / "F001_T1 (1).csv", range(100, 104))
    write_occurrence(occ / "F003_T1 - Copy.csv", range(3))
    (intensities / "AU06/F001_T1_AU06 2.csv").write_text("100,5\n")
    shutil.copytree(intensities / "AU06", intensities / "AU06 (1)")
    assert read_bp4d(occ).table.equals(before[0])
    assert {path.name for path in find_bp4d(occ).skipped} == {
        "readme.csv", "F001_T1 (1).csv", "F003_T1 - Copy.csv"}  # fmt: skip
    assert read_bp4d_intensities(intensities, (6, 12)).table.equals(before[1])
    assert {path.name for path in find_bp4d(intensities).skipped} == {
        "F001_T1_AU06 2.csv", "AU06 (1)"}  # fmt: skip


def test_without_a_list_all_that_is_scored_is_read(occ, caplog):
    """BP4D+ names its AUs, and calls the frames 1; BP4D counts to 99."""
    text = "1,1,4,12,99\n5,0,1,9,9\n6,1,0,9,9\n"
    (occ / "F001_T1.csv").write_text(text)
    (occ / "M002_T10.csv").write_text("0,1,24,45,70\n5,0,1,9,1\n")
    found = read_bp4d(occ, None)
    assert found.aus == (1, 4, 24)
    assert found.table[["AU01", "AU04", "AU24"]].to_numpy().tolist() == [
        [0, 1, -1], [1, 0, -1], [0, -1, 1]]  # fmt: skip
    assert "skipped codes of ['AU70']" in caplog.text


def test_an_au_without_a_file_may_be_taken_as_not_scored(intensities):
    (intensities / "AU12/F001_T1_AU12.csv").unlink()
    (intensities / "AU12/M001_T1_AU12.csv").write_text("1,3\n")
    found = read_bp4d_intensities(intensities, None, partly=True)
    assert found.aus == (6, 12)
    assert found.table[["subject", "AU06", "AU12"]].to_numpy().tolist() == [
        ["F001", 1, -1], ["F001", -1, -1], ["F001", 5, -1], ["M001", -1, 3]]  # fmt: skip


def test_a_doubled_folder_and_other_case_are_read(occ, intensities):
    before = read_bp4d(occ).table, read_bp4d_intensities(intensities, (6, 12)).table
    for folder in (occ, intensities):
        for path in list(folder.rglob("F*.csv")):
            path.rename(path.with_name(path.name.lower()))
        shutil.move(shutil.move(folder, folder.parent / "inner"), folder / folder.name)
    assert read_bp4d(occ).table.equals(before[0])
    assert read_bp4d_intensities(intensities, (6, 12)).table.equals(before[1])
