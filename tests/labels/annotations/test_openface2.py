"""OpenFace's CSV: its columns and layouts, several faces, failures, faults."""

import gzip
import os
import zipfile

import numpy as np
import pytest

from action_units.errors import ConfigurationError, LabelError
from action_units.labels.action_units import PRETRAIN_AUS
from action_units.labels.annotations.program import IMAGE_COLUMNS
from action_units.labels.annotations.read import read_annotations

AUS = (1, 12, 28)
HEADER = "image, face, confidence, success, pose_Rx, AU01_r, AU12_r, AU01_c, AU12_c, AU28_c"


def read_openface(path, aus=None, **options):
    return read_annotations(path, "openface2", aus, **options)


def row(image="a.jpg", face=0, confidence=0.9, success=1, r=(0.5, 4.2), c=(1, 0, 1)):
    cells = [image, face, confidence, success, -0.1, *r, *c]
    return ", ".join(map(str, cells))


def write(folder, *rows, header=HEADER):
    path = folder / "openface.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_presence_and_intensity_come_from_their_columns(tmp_path):
    path = write(tmp_path, row(), row("b.jpg", c=("1.00", " 1.0", 0)))
    found = read_openface(path, AUS)
    assert list(found.table) == ["image", "face", "confidence", "faces", "AU01", "AU12", "AU28",
                                 "AU01_r", "AU12_r"]  # fmt: skip
    assert found.table[["AU01", "AU12", "AU28"]].to_numpy().tolist() == [[1, 0, 1], [1, 1, 0]]
    assert found.table["AU01"].dtype == np.int8
    assert found.table["AU12_r"].tolist() == pytest.approx([4.2, 4.2])
    assert found.dropped.empty


def test_the_most_confident_face_is_kept_and_the_others_counted(tmp_path):
    path = write(
        tmp_path,
        row("a.jpg", 0, 0.85, c=(0, 0, 0)),
        row("b.jpg", 0, 0.9),
        row("a.jpg", 1, 0.95, c=(1, 1, 1)),
        row("a.jpg", 2, 0.95, c=(0, 0, 0)),
        row("a.jpg", 3, 0.99, success=0),
    )
    found = read_openface(path, AUS)
    assert found.table["image"].tolist() == ["b.jpg", "a.jpg"]
    assert found.table["face"].tolist() == [0, 1]
    assert found.table["faces"].tolist() == [1, 3]
    assert found.dropped["line"].tolist() == [2, 5, 6]
    assert "more confident" in found.dropped["reason"][0]


def test_failures_are_dropped_with_a_reason_whatever_their_values(tmp_path):
    path = write(
        tmp_path,
        row("a.jpg", success=0, c=("nan", 7, "")),
        row("b.jpg", confidence=0.79),
        row("c.jpg", confidence=0.8),
    )
    found = read_openface(path, AUS, min_confidence=0.8)
    assert found.table["image"].tolist() == ["c.jpg"]
    assert found.dropped["reason"].tolist() == [
        "OpenFace found no face (success 0)",
        "confidence below 0.8",
    ]


@pytest.mark.parametrize(
    ("rows", "line", "words"),
    [
        ([row(c=(1, 2, 0))], 2, "AU12_c is 2; presence is 0 or 1"),
        ([row(), "", row("b.jpg", r=(0.1, 5.5))], 4, "AU12_r is 5.5; intensity is 0 to 5"),
        ([row(), row("b.jpg", c=(1, "x", 0))], 3, "AU12_c is 'x'; expected a number"),
        ([row(confidence="inf")], 2, "confidence is 'inf'"),
        ([row(), row("b.jpg") + ", 1"], 3, "11 columns, but the header has 10"),
        ([row(), row("b.jpg").rsplit(",", 1)[0]], 3, "9 columns, but the header has 10"),
        ([row(), row()], 3, "face 0 of a.jpg occurs twice"),
        ([row(image="")], 2, "the row has no image name"),
        ([row(), row("b.jpg", face="0.5")], 3, "face is 0.5; expected a whole number"),
        ([row(), row("b.jpg", success="yes")], 3, "success is 'yes'; expected a number"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path, rows, line, words):
    path = write(tmp_path, *rows)
    with pytest.raises(LabelError) as error:
        read_openface(path, AUS)
    assert words in str(error.value)
    assert error.value.line == line


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (HEADER.replace("AU12_c", "AU12_x"), "column AU12_c is missing"),
        (HEADER.replace("AU12_c", "AU1_c"), "column AU12_c is missing"),
        (HEADER.replace("AU12_c", "AU12_C"), "column AU12_c is missing"),
        (HEADER.replace("confidence", "score"), "column confidence is missing"),
        (HEADER.replace("AU01_c", "AU12_c"), "column AU12_c occurs twice"),
        ("image, confidence, success, 0, 1, 2", "OpenFace 3"),
        ("image, face, confidence, AU01_r, AU02_r, AU03_r", "OpenFace 3"),
        ("face, confidence, gaze_0_x, pose_Tx", "run with -aus"),
    ],
)
def test_missing_columns_are_named(tmp_path, header, words):
    cells = len(header.split(","))
    path = write(tmp_path, ", ".join(["1"] * cells), header=header)
    with pytest.raises(LabelError) as error:
        read_openface(path, AUS)
    assert words in str(error.value)


def test_files_that_are_no_table(tmp_path):
    with pytest.raises(LabelError, match="no such file"):
        read_openface(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(LabelError, match="the file is empty"):
        read_openface(tmp_path / "empty.csv")
    with pytest.raises(LabelError, match="but no rows"):
        read_openface(write(tmp_path), AUS)
    (tmp_path / "bytes.csv").write_bytes(b"image\n\xff\n")
    with pytest.raises(LabelError, match="line 2: the line is not UTF-8 and cannot be read"):
        read_openface(tmp_path / "bytes.csv")


def test_names_of_columns_may_be_padded(tmp_path):
    path = write(tmp_path, row(), header=HEADER.replace(",", " ,"))
    assert read_openface(path, AUS).table["AU28"].tolist() == [1]


def test_a_file_without_face_numbers_has_one_face_a_picture(tmp_path):
    header = HEADER.replace(" face,", "")
    path = write(tmp_path, row().replace(" 0,", "", 1), header=header)
    assert read_openface(path, AUS).table["face"].tolist() == [0]


IMAGE_HEADER = "face, confidence, gaze_0_x, AU01_r, AU12_r, AU01_c, AU12_c, AU28_c"
VIDEO_HEADER = "frame, face_id, timestamp, confidence, success, AU12_r, AU01_c, AU12_c, AU28_c"


def test_files_of_one_picture_are_named_after_it(tmp_path):
    (tmp_path / "deep").mkdir()
    for name, text in {
        "m.0d27_dy_84-FaceId-0.csv": "0, 0.98, 0.1, 1.5, 0.20, 1.00, 0.00, 0.00\n",
        "deep/b.PNG.csv": "0, 0.85, 0, 0, 3, 0, 1, 0\n1, 0.95, 0, 2, 5.00, 1, 1, 1\n",
        "c.csv": "0, 0.30, 0, 0, 0, 0, 0, 0\n",
        "d.csv": "",
        ".e.csv": "not, read\n",
    }.items():
        (tmp_path / name).write_text(f"{IMAGE_HEADER}\n{text}")
    (tmp_path / "c_of_details.txt").write_text("Input:c.jpg")
    found = read_openface(tmp_path, AUS)  # FaceLandmarkImg writes no success
    assert found.table["image"].tolist() == ["m.0d27_dy_84-FaceId-0.jpg", "deep/b.PNG"]
    assert found.table[["face", "faces", "AU01", "AU28"]].to_numpy().tolist() == [
        [0, 1, 1, 0],
        [1, 2, 1, 1],
    ]
    assert found.table["AU12_r"].tolist() == pytest.approx([0.2, 5.0])
    assert "AU28_r" not in found.table
    dropped = found.dropped.set_index("image")["reason"].to_dict()
    assert dropped == {
        "c.jpg": "confidence below 0.8",
        "deep/b.PNG": "another face of the picture is more confident",
        "d.jpg": "OpenFace found no face (a header and no row)",
    }
    assert read_openface(tmp_path, AUS, suffix=".bmp").table["image"][0].endswith("-0.bmp")


def test_one_picture_and_its_first_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"{IMAGE_HEADER}\n\n0, 0.98, 0.1, 1.5, 0.20, 1.00, 3, 0.00\n")
    with pytest.raises(LabelError, match=r"a\.csv, line 3: AU12_c is 3"):
        read_openface(path, AUS)
    path.write_text(f"{IMAGE_HEADER}\n" + "0, 0.98, 0.1, 1.5, 0.20, 1.00, 0, 0.00\n" * 2)
    with pytest.raises(LabelError, match=r"line 3: face 0 of a\.jpg occurs twice\. A merged"):
        read_openface(path, AUS)


def test_frames_of_videos(tmp_path):
    for name in ("x", "y"):
        (tmp_path / f"{name}.csv").write_text(
            f"{VIDEO_HEADER}\n1, 0, 0.000, 0.98, 1, 2.5, 1, 1, 0\n"
            "2, 0, 0.033, 0.02, 0, 0.0, 9, 0, 0\n3, 0, 0.067, 0.88, 1, 0.5, 0, 1, 0\n"
        )
    found = read_openface(tmp_path, AUS)
    assert found.table[["image", "frame", "AU12"]].to_numpy().tolist() == [
        ["x", 1, 1], ["x", 3, 1], ["y", 1, 1], ["y", 3, 1]]  # fmt: skip
    assert found.dropped[["image", "line"]].to_numpy().tolist() == [["x", 3], ["y", 3]]
    assert read_openface(tmp_path / "x.csv", AUS).table["frame"].tolist() == [1, 3]
    (tmp_path / "z.csv").write_text(f"{IMAGE_HEADER}\n0, 1, 0, 0, 0, 0, 0, 0\n")
    with pytest.raises(
        LabelError, match=r"z\.csv, line 1: its columns are not those of x\.csv"
    ):
        read_openface(tmp_path, AUS)


def test_several_faces_of_a_frame_by_the_older_header(tmp_path):
    path = tmp_path / "x.csv"
    header = VIDEO_HEADER.replace(" face_id,", "")
    path.write_text(f"{header}\n1, 0.0, 0.98, 1, 2.5, 1, 1, 0\n1, 0.0, 0.98, 1, 2.5, 1, 1, 0\n")
    with pytest.raises(LabelError, match="face 0 of x occurs twice"):
        read_openface(path, AUS)


@pytest.mark.parametrize("column", IMAGE_COLUMNS)
def test_spellings_of_the_column_of_names(tmp_path, column):
    path = write(tmp_path, row('"a, b.jpg"'), header=HEADER.replace("image", column))
    assert read_openface(path, AUS).table["image"].tolist() == ["a, b.jpg"]


def test_presence_is_never_read_from_another_column(tmp_path):
    header = HEADER.replace("pose_Rx", "pose_AU01_c") + ", AU01_c2, AU112_c"
    path = write(tmp_path, row(c=(0, 1, 0)) + ", 1, 1", header=header)
    assert read_openface(path, AUS).table[["AU01", "AU12"]].to_numpy().tolist() == [[0, 1]]


def test_intensity_may_be_missing(tmp_path):
    header = "image, confidence, AU01_c, AU12_c, AU28_c"
    path = write(tmp_path, "a.jpg, 0.9, 1, 0, 1", header=header)
    assert not [name for name in read_openface(path, AUS).table if name.endswith("_r")]


def test_merged_files_in_a_folder(tmp_path):
    for name in ("b", "a"):
        (tmp_path / f"{name}.csv").write_text(f"{HEADER}\n{row(f'{name}.jpg')}\n")
    assert read_openface(tmp_path, AUS).table["image"].tolist() == ["a.jpg", "b.jpg"]
    (tmp_path / "c.csv").write_text(f"{HEADER}\n{row('new.jpg')}\n{row('a.jpg')}\n")
    with pytest.raises(LabelError, match=r"c\.csv, line 3: face 0 of a\.jpg occurs twice"):
        read_openface(tmp_path, AUS)


def test_a_folder_without_annotations(tmp_path):
    with pytest.raises(LabelError, match="not one CSV file with a row"):
        read_openface(tmp_path, AUS)
    (tmp_path / "a.csv").write_text(f"{IMAGE_HEADER}\n")
    with pytest.raises(LabelError, match="not one CSV file with a row"):
        read_openface(tmp_path, AUS)
    (tmp_path / "b.csv").write_text("")
    with pytest.raises(LabelError, match=r"b\.csv: the file is empty.*stopped while it wrote"):
        read_openface(tmp_path, AUS)


def test_a_picture_whose_name_no_table_can_hold(tmp_path):
    text = f"{IMAGE_HEADER}\n0, 0.98, 0, 0, 0, 0, 0, 0\n"
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / os.fsdecode(b"caf\xe9.csv")).write_text(text)
    found = read_openface(tmp_path, AUS)
    assert found.table["image"].tolist() == ["a.jpg"]
    assert "not UTF-8" in found.dropped["reason"][0]
    found.dropped.to_csv(tmp_path / "dropped.txt")


@pytest.mark.parametrize("confidence", [-0.1, 1.5, float("nan")])
def test_an_impossible_confidence(tmp_path, confidence):
    with pytest.raises(ConfigurationError, match="must be 0 to 1"):
        read_openface(write(tmp_path, row()), AUS, min_confidence=confidence)


def test_many_rows_are_read(tmp_path):
    numbers = ", ".join(["1.25"] * 17 + ["1.00"] * 18)
    header = ", ".join(
        ["image, face, confidence"]
        + [f"AU{au:02d}_r" for au in PRETRAIN_AUS if au != 28]
        + [f"AU{au:02d}_c" for au in PRETRAIN_AUS]
    )
    rows = [f"m.0{k}_0-FaceId-0.jpg, 0, 0.98, {numbers}" for k in range(5_000)]
    path = write(tmp_path, *rows, header=header)
    assert len(read_openface(path).table) == 5_000


@pytest.mark.parametrize("lost", [1, 4, 5, 20, len(row("b.jpg")) - 1])
def test_a_last_line_that_is_cut_is_set_aside_and_the_others_kept(tmp_path, lost):
    path = write(tmp_path, row("a.jpg"), row("b.jpg", c=("1.00", "0.00", "1.00")))
    path.write_bytes(path.read_bytes()[: -1 - lost])
    path.write_text(path.read_text().replace("1, 0, 1\n", "1.00, 0.00, 1.00\n"))
    found = read_openface(path, AUS)
    assert found.table["image"].tolist() == ["a.jpg"]
    assert found.dropped[["line", "reason"]].to_numpy().tolist() == [
        [3, "the last line of the file is cut"]
    ]
    assert found.dropped["image"].tolist() == ["b.jpg" if lost < 50 else ""]


def test_a_last_line_without_an_end_is_whole_where_nothing_is_missing(tmp_path):
    path = write(tmp_path, row("a.jpg"), row("b.jpg"))
    path.write_text(path.read_text().rstrip("\n"))
    assert read_openface(path, AUS).table["image"].tolist() == ["a.jpg", "b.jpg"]


def test_a_cut_within_a_letter(tmp_path):
    header = "AU01_r, AU12_r, AU01_c, AU12_c, AU28_c, confidence, image"
    rows = [f"1, 2, 1, 1, 1, 0.9, {name}" for name in ("a.jpg", "Müller.jpg", "bü.jpg")]
    path = write(tmp_path, *rows, header=header)
    path.write_bytes(path.read_bytes().rpartition(b"\xbc.jpg")[0])
    assert read_openface(path, AUS).table["image"].tolist() == ["a.jpg", "Müller.jpg"]
    path.write_bytes("\n".join([header, *rows]).encode()[:-1])  # ….jp
    assert read_openface(path, AUS).table["image"].tolist() == ["a.jpg", "Müller.jpg"]


def test_cut_files_of_one_picture(tmp_path):
    whole = f"{IMAGE_HEADER}\n0, 0.98, 0.1, 1.5, 0.20, 1.00, 0.00, 0.00\n"
    for name, text in {"a": whole, "b": whole[:-20], "c": whole[:30]}.items():
        (tmp_path / f"{name}.csv").write_text(text)
    found = read_openface(tmp_path, AUS)
    assert found.table["image"].tolist() == ["a.jpg"]
    assert found.dropped[["image", "line", "reason"]].to_numpy().tolist() == [
        ["b.jpg", 2, "the last line of the file is cut"],
        ["c.jpg", 1, "the file is cut within its header"],
    ]


def test_a_line_that_is_short_and_has_an_end_is_no_cut(tmp_path):
    path = write(tmp_path, row("a.jpg"), "b.jpg, 0")
    with pytest.raises(LabelError, match="line 3: 2 columns, but the header has 10"):
        read_openface(path, AUS)


SCORED = [au for au in PRETRAIN_AUS if au != 28]


@pytest.mark.parametrize("kind", ["FACSvatar", "pyfaceau"])
def test_intensities_alone_become_presence_from_a_threshold(tmp_path, kind, caplog):
    more = {"FACSvatar": "0.0,0.98,1,", "pyfaceau": "True,"}[kind]
    header = {"FACSvatar": "timestamp,confidence,success,", "pyfaceau": "success,"}[kind]
    scores = ",".join(f"{0.5 + 0.25 * k % 3:.2f}" for k in range(17))
    path = tmp_path / "merged.csv"
    columns = ",".join(f"AU{au:02d}_r" for au in SCORED)
    path.write_text(
        f"image,frame,{header}{columns}\na.jpg,0,{more}{scores}\n"
        + f"b.jpg,1,{more}{scores}\n".replace("True", "False").replace("0.98,1", "0.01,0")
    )
    found = read_openface(path)
    assert found.table["image"].tolist() == ["a.jpg"]
    one = found.table.iloc[0]
    assert one["AU01_r"] == 0.5
    assert [one[f"AU{au:02d}"] for au in SCORED] == [
        int(one[f"AU{au:02d}_r"] >= 1) for au in SCORED
    ]
    assert {one[f"AU{au:02d}"] for au in SCORED} == {0, 1}
    assert "AU28" not in found.table  # nobody knows, so it is not 0
    assert "an AU counts as present from intensity 1; the recipe's soft_targets" in caplog.text
    assert "AU28 has no intensity, so it gets no labels" in caplog.text
    stricter = read_openface(path, present_from=2.5).table.iloc[0]
    assert [stricter[f"AU{au:02d}"] for au in SCORED] == [
        int(one[f"AU{au:02d}_r"] >= 2.5) for au in SCORED
    ]


def test_intensities_of_another_scale_are_refused(tmp_path):
    columns = ",".join(f"AU{au:02d}_r" for au in SCORED)
    rows = [f"{k}.jpg,0.9," + ",".join(["0.99"] * 17) for k in range(20)]
    path = write(tmp_path, *rows, header=f"image,confidence,{columns}")
    with pytest.raises(LabelError, match=r"20 faces is above 0\.99: is their scale 0 to 1\?"):
        read_openface(path)


@pytest.mark.parametrize("text", ["-nan(ind)", "nan", "-nan", "-1.#IND", "1.#QNAN"])
def test_a_failed_row_may_say_so_in_any_way(tmp_path, text):
    failed = row("a.jpg", confidence=text, success=0, r=(text, text), c=(text, text, text))
    lost = row("b.jpg", confidence=text)
    found = read_openface(write(tmp_path, failed, lost, row("c.jpg")), AUS)
    assert found.table["image"].tolist() == ["c.jpg"]
    assert set(found.dropped["reason"]) == {"OpenFace found no face (success 0)"}
    with pytest.raises(LabelError, match=r"line 2: AU12_r is .*; expected a number"):
        read_openface(write(tmp_path, row("a.jpg", r=(1, text))), AUS)


@pytest.mark.parametrize(
    ("separator", "point"), [(";", ","), (";", "."), ("\t", "."), ("\t", ","), ("|", ".")]
)
@pytest.mark.parametrize("above", ["", "sep={}\n"])
def test_other_separators(tmp_path, separator, point, above):
    path = write(tmp_path, row("a-1.jpg", confidence=0.95, r=(0.5, 4.25)))
    text = path.read_text().replace(",", separator).replace(".", point)
    path.write_text(above.format(separator) + text.replace(f"1{point}jpg", "1.jpg"))
    one = read_openface(path, AUS).table.iloc[0]
    assert (one["image"], one["confidence"], one["AU12_r"]) == ("a-1.jpg", 0.95, 4.25)
    path.write_text(path.read_text().replace("4", "9"))
    with pytest.raises(LabelError, match=f"line {3 if above else 2}: AU12_r is 9.25"):
        read_openface(path, AUS)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (HEADER.encode("utf-16-le"), "line 1: the file is not text"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "line 1: the file is not text"),
        (
            f'"{HEADER}"\n"{row()}"\n'.encode(),
            "line 1: the header is one column, 'image, face, ",
        ),
        (HEADER.replace(",", "").encode() + b"\na\n", "line 1: the header is one column"),
    ],
)
def test_what_is_no_table_is_named_by_its_first_line(tmp_path, content, says):
    (tmp_path / "openface.csv").write_bytes(content)
    with pytest.raises(LabelError, match=says):
        read_openface(tmp_path / "openface.csv", AUS)


def zipped(folder, name):
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        archive.writestr(name, "x")
    return (folder / "x.zip").read_bytes()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("xl/workbook.xml", "an Excel workbook; open it"),
        ("content.xml", "an OpenDocument spreadsheet"),
        ("openface.csv", "a zip archive; unpack it: `unzip "),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook of the old kind"),
        (gzip.compress(HEADER.encode(), mtime=0), "compressed with gzip"),
        (HEADER.encode("utf-16"), "text in UTF-16"),
        (b"<!DOCTYPE html><html>", "an HTML or XML page"),
        (b'{"image": 1}', "JSON"),
    ],
)
def test_another_kind_of_file_is_named_for_what_it_is(tmp_path, content, kind):
    path = tmp_path / "openface.csv"
    path.write_bytes(zipped(tmp_path, content) if isinstance(content, str) else content)
    with pytest.raises(LabelError) as error:
        read_openface(path, AUS)
    assert str(error.value).startswith(f"{path}, line 1: the file is not CSV but {kind}")


def test_headers_among_the_rows(tmp_path):
    path = write(tmp_path, row("a.jpg"), "\ufeff" + HEADER, row("b.jpg", c=(0, 0, 0)))
    found = read_openface(path, AUS).table
    assert found[["image", "AU01"]].to_numpy().tolist() == [["a.jpg", 1], ["b.jpg", 0]]
    for other in (HEADER + ", AU02_c", HEADER.replace("AU12_r", "AU02_r")):
        path = write(tmp_path, row("a.jpg"), other, row("b.jpg"))
        with pytest.raises(LabelError, match="line 3: another header follows"):
            read_openface(path, AUS)
    (tmp_path / "all.csv").write_text(f"{IMAGE_HEADER}\n0, 1, 0, 0, 0, 0, 0, 0\n" * 2)
    with pytest.raises(LabelError, match="line 3: the header occurs again: several files"):
        read_openface(tmp_path / "all.csv", AUS)


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        ("x_0, x_1, x_2, y_0, y_1, y_2", "30, 10, 20, 5, 45, 25"),
        ("eye_lmk_x_0, eye_lmk_x_1, eye_lmk_y_0, eye_lmk_y_1", "10, 30, 45, 5"),
        ("x, y, width, height", "10, 5, 20, 40"),
        ("FaceRectX, FaceRectY, FaceRectWidth, FaceRectHeight", "10, 5, 20, 40"),
        ("x_min, y_min, x_max, y_max", "nan, 0, 0, 0"),
        ("face_x1, face_y1, face_x2, face_y2", "10, 5, 30, 45"),
        ("X_0, Y_0, Z_0", "10, 5, 30"),
        ("x_0, y_0", "?, 5"),
    ],
)
def test_where_each_face_is(tmp_path, names, numbers):
    path = write(tmp_path, f"{row()}, {numbers}", header=f"{HEADER}, {names}")
    box = read_openface(path, AUS).faces[["left", "top", "right", "bottom"]].to_numpy()[0]
    is_known = names[:3] not in ("X_0", "x_m") and "?" not in numbers
    assert np.array_equal(box, [10, 5, 30, 45] if is_known else [np.nan] * 4, equal_nan=True)


def test_rows_of_one_picture_are_its_faces_where_they_have_no_number(tmp_path):
    header = HEADER.replace(" face,", "")
    rows = [row(confidence=c).replace(" 0,", "", 1) for c in (0.85, 0.95)]
    found = read_openface(write(tmp_path, *rows, header=header), AUS)
    assert found.faces[["face", "line"]].to_numpy().tolist() == [[0, 2], [1, 3]]
    assert found.table["face"].tolist() == [1]


def test_links_to_folders_are_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "all").mkdir()
    text = f"{IMAGE_HEADER}\n0, 0.98, 0.1, 1.5, 0.20, 1.00, 0.00, 0.00\n"
    (tmp_path / "elsewhere/1.gif.csv").write_text(text)
    (tmp_path / "all/anna").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "all/old.csv").mkdir()
    assert read_openface(tmp_path / "all", AUS).table["image"].tolist() == ["anna/1.gif"]
