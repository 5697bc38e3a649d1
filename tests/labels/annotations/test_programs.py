"""Files of each program in its own layout: AUs, scales, faces; and files of another program."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_units.errors import ConfigurationError, LabelError
from action_units.labels.action_units import EIGHT_AUS
from action_units.labels.annotations.read import read_annotations
from action_units.labels.annotations.registry import PROGRAMS

FEAT_AUS = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)
LIBRE_DETECTED = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
LIBRE_SCORED = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
PYFACEAU_AUS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)


def write(path, columns, *rows):
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def feat(path, *faces):
    """As ``Fex.to_csv`` writes it; `faces`: picture, its place, box, score, 20 values."""
    box = [f"FaceRect{name}" for name in ("X", "Y", "Width", "Height")]
    points = [f"{axis}_{k}" for axis in "xy" for k in range(2)]
    columns = [*box, "FaceScore", *points, "Pitch", "Roll", "Yaw"]
    columns += [f"AU{au:02d}" for au in FEAT_AUS]
    columns += ["anger", "neutral", "Identity_1", "input", "frame", "Identity"]
    rows = []
    for picture, place, square, score, values in faces:
        x, y, width, height = square
        corners = [x, x + width, y, y + height] if x != "" else [""] * 4
        rows.append([*square, score, *corners, "", "", "", *values, 0.1, 0.9, 0.2,
                     picture, place, "Person_0"])  # fmt: skip
    return write(path, columns, *rows)


def libre(path, intensities, detected=None, picture=None):
    """As ``libreface`` writes it for a picture, or for frames; a row for each of `intensities`."""
    detected = [[0, 1] * 6] * len(intensities) if detected is None else detected
    columns = ["", *(["input_image_path"] if picture else []), "pitch", "lm_mp_0_x"]
    columns += ["facial_expression", *(f"au_{au}" for au in LIBRE_DETECTED)]
    columns += [f"au_{au}_intensity" for au in LIBRE_SCORED]
    rows = [
        [k, *([picture[k]] if picture else []), 0.1, 120, "Neutral", *codes, *values]
        for k, (codes, values) in enumerate(zip(detected, intensities, strict=True))
    ]
    return write(path, columns, *rows)


def read(path, program, **options):
    return read_annotations(path, program, suffix="", **options)


def test_eight_numbered_columns_are_the_eight_aus_of_openface_3(tmp_path):
    columns = ["image", "frame", *(f"AU{k:02d}_r" for k in range(1, 9)), "emotion_0", "gaze_x"]
    values = [0.9, 0.1, 0.5, 0.49, 1.0, 0.0, 0.7, 0.2]
    path = write(tmp_path / "a.csv", columns, ["a.jpg", 0, *values, 3, -2])
    table = read(path, "openface3").table.iloc[0]
    assert [table[f"AU{au:02d}_p"] for au in EIGHT_AUS] == pytest.approx(values)
    assert [table[f"AU{au:02d}"] for au in EIGHT_AUS] == [1, 0, 1, 0, 1, 0, 1, 0]
    assert [name for name in table.index if name.startswith("AU") and len(name) == 4] == [
        f"AU{au:02d}" for au in EIGHT_AUS
    ]
    write(path, columns, ["a.jpg", 0, *values[:-1], 2.5, 3, -2])
    with pytest.raises(LabelError, match=r"line 2: AU08_r is 2\.5; probability is 0 to 1"):
        read(path, "openface3")


def test_probabilities_of_py_feat_with_several_faces_and_none(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    shown, other = [0.75] * 20, [0.25] * 20
    path = feat(
        tmp_path / "feat.csv",
        ("/home/me/anna/1.jpg", 0, (10, 20, 50, 60), 0.9, other),
        ("/home/me/anna/1.jpg", 0, (90, 20, 40, 40), 0.99, shown),
        ("/home/me/anna/2.jpg", 1, ("",) * 4, "", [""] * 20),
        ("/home/me/anna/3.jpg", 2, (10, 20, 50, 60), 0.3, shown),
    )
    found = read(path, "pyfeat", min_confidence=0.5)
    assert found.table[["image", "face", "faces"]].to_numpy().tolist() == [
        ["/home/me/anna/1.jpg", 1, 2]
    ]
    one = found.table.iloc[0]
    assert {one[f"AU{au:02d}"] for au in FEAT_AUS} == {1}
    assert {one[f"AU{au:02d}_p"] for au in FEAT_AUS} == {0.75}
    assert "AU45" not in found.table
    assert found.faces[["left", "top", "right", "bottom"]].iloc[1].tolist() == [90, 20, 130, 60]
    assert found.dropped["reason"].tolist() == [
        "another face of the picture is more confident",
        "Py-Feat found no face (no AU has a value)",
        "confidence below 0.5",
    ]
    assert "it is not taken as AU45" in caplog.text
    assert "columns that are not read" not in caplog.text
    stricter = read(path, "pyfeat", present_from=0.8).table.iloc[0]
    assert {stricter[f"AU{au:02d}"] for au in FEAT_AUS} == {0}


def test_columns_that_nobody_knows_are_listed(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    columns = ["input", "FaceScore", "AU01", "AU12", "AU99", "mood"]
    path = write(tmp_path / "f.csv", columns, ["a.jpg", 0.9, 0.1, 0.9, 0.5, 3])
    table = read(path, "pyfeat").table
    assert "AU99" not in table
    assert "columns that are not read: AU99, mood" in caplog.text


def test_libreface_has_presence_of_some_and_intensity_of_others(tmp_path):
    values = [0.5, 4, 0, 0.9, 1.1, 3, 0, 0, 0, 2, 0, 5]
    path = libre(tmp_path / "x.csv", [values], picture=["p/a.png"])
    one = read(path, "libreface").table.iloc[0]
    assert one["image"] == "p/a.png"
    assert [one[f"AU{au:02d}"] for au in LIBRE_DETECTED] == [0, 1] * 6  # its own presence
    assert [one[f"AU{au:02d}"] for au in (5, 9, 20, 25, 26)] == [0, 1, 1, 0, 1]
    assert [one[f"AU{au:02d}_r"] for au in LIBRE_SCORED] == pytest.approx(values)
    assert read(path, "libreface", present_from=4).table.iloc[0]["AU09"] == 0
    # A file of one picture is named after it.
    libre(tmp_path / "a.jpg.csv", [values])
    assert read(tmp_path / "a.jpg.csv", "libreface").table["image"].tolist() == ["a.jpg"]


def test_the_scale_of_libreface_is_stated_or_said_by_the_file(tmp_path):
    low = [[0.8] * 12] * 25
    pictures = [f"{k}.jpg" for k in range(25)]
    path = libre(tmp_path / "x.csv", low, picture=pictures)
    with pytest.raises(LabelError, match=r"does not say whether its scale .* 1 or 5"):
        read(path, "libreface")
    table = read(path, "libreface", scale=1).table
    assert set(table["AU05_r"]) == {4.0}
    assert set(table["AU05"]) == {1}
    assert set(read(path, "libreface", scale=1, present_from=0.9).table["AU05"]) == {0}
    with pytest.raises(LabelError, match=r"no intensity of 25 faces is above 0\.8"):
        read(path, "libreface", scale=5)
    path = libre(tmp_path / "x.csv", [[0.8] * 11 + [3.5]], picture=pictures)
    assert read(path, "libreface").table["AU26_r"].tolist() == [3.5]
    with pytest.raises(LabelError, match=r"line 2: au_26_intensity is 3\.5; .* 0 to 1"):
        read(path, "libreface", scale=1)
    with pytest.raises(ConfigurationError, match=r"scale=1 is not one of openface2: .* 0 to 5"):
        read(path, "openface2", scale=1)


def test_pyfaceau_has_intensities_alone(tmp_path):
    columns = ["frame", "timestamp", "success", *(f"AU{au:02d}_r" for au in PYFACEAU_AUS)]
    rows = [[0, 0.0, True, *np.linspace(0, 5, 17)], [1, 0.1, False, *[""] * 17]]
    found = read(write(tmp_path / "clip.csv", columns, *rows), "pyfaceau")
    assert found.table[["image", "frame"]].to_numpy().tolist() == [["clip", 0]]
    assert found.table["AU45_r"].tolist() == [5.0]
    assert found.table.iloc[0][["AU01", "AU02", "AU45"]].tolist() == [0, 0, 1]
    assert found.dropped["reason"].tolist() == ["pyfaceau found no face (success 0)"]


def test_a_table_says_what_its_values_are(tmp_path):
    columns = ["filename", "AU1", "au_02", "AU 12"]
    path = write(tmp_path / "t.csv", columns, ["a.jpg", 1, 0.25, ""], ["b.jpg", "nan", -1, ""])
    with pytest.raises(LabelError, match=r"line 1: nothing says what AU1 holds; set .*scale"):
        read(path, "table")
    found = read(path, "table", scale=1)
    one = found.table.iloc[0]
    assert one[["AU01", "AU02", "AU12"]].tolist() == [1, 0, -1]
    assert one[["AU01_p", "AU02_p"]].tolist() == [1, 0.25]
    assert np.isnan(one["AU12_p"])
    assert found.dropped["reason"].tolist() == ["the table found no face (no AU has a value)"]
    path = write(tmp_path / "t.csv", columns, ["a.jpg", 0, 3.5, 5])
    one = read(path, "table", scale=5, present_from=4).table.iloc[0]
    assert one[["AU01", "AU02", "AU12", "AU02_r"]].tolist() == [0, 0, 1, 3.5]
    with pytest.raises(LabelError, match=r"line 2: au_02 is 3\.5; probability is 0 to 1"):
        read(path, "table", scale=1)
    path = write(tmp_path / "t.csv", ["filename", "AU1", "AU01_p"], ["a.jpg", 0, 0])
    with pytest.raises(LabelError, match="AU1 and AU01_p are both AU01_p; keep one of them"):
        read(path, "table", scale=1)


spelled = st.sampled_from(["AU{:02d}", "AU{}", "au_{}", "Au {}", "AU-{:02d}"])
endings = {"c": ["_c", "_presence", " Occurrence"], "r": ["_r", "_intensity"],
           "p": ["_p", "-probability"]}  # fmt: skip


@given(
    aus=st.lists(st.sampled_from(FEAT_AUS), min_size=1, max_size=6, unique=True),
    spelling=spelled,
    kind=st.sampled_from("crp"),
    ending=st.integers(0, 2),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_every_spelling_of_a_column_gives_the_same_labels(
    tmp_path_factory, aus, spelling, kind, ending, data
):
    endings_ = endings[kind]
    names = [spelling.format(au) + endings_[ending % len(endings_)] for au in aus]
    highest = {"c": 1, "r": 5, "p": 1}[kind]
    values = data.draw(st.lists(st.integers(0, highest), min_size=len(aus), max_size=len(aus)))
    path = write(tmp_path_factory.mktemp("t") / "t.csv", ["image", *names], ["a.jpg", *values])
    table = read(path, "table", scale=5 if kind == "r" else None).table.iloc[0]
    assert [table[f"AU{au:02d}"] for au in aus] == [int(value >= 1) for value in values]


@pytest.mark.parametrize("declared", ["openface2", "openface3", "pyfeat", "libreface"])
@pytest.mark.parametrize("written", ["openface2", "openface3", "pyfeat", "libreface"])
def test_a_file_of_another_program_is_refused_with_its_name(tmp_path, declared, written):
    columns = {
        "openface2": ["face", "confidence", "AU01_r", "AU01_c"],
        "openface3": [f"AU{k:02d}_r" for k in range(1, 9)],
        "pyfeat": ["FaceScore", "AU01", "AU43"],
        "libreface": ["pitch", "au_1", "au_1_intensity"],
    }[written]
    path = write(tmp_path / "a.jpg.csv", columns, [1] * len(columns))
    if written == declared:
        if written != "libreface":  # whose scale 1 does not say
            assert len(read(path, declared, aus=[1]).table) == 1
        return
    with pytest.raises(LabelError, match=f"set annotations.program to {written}") as error:
        read(path, declared)
    assert PROGRAMS[written].title in str(error.value)
    assert error.value.line == 1


def test_a_table_is_never_read_from_numbered_columns(tmp_path):
    columns = [f"AU{k:02d}_r" for k in range(1, 9)]
    path = write(tmp_path / "a.jpg.csv", columns, [1] * 8)
    with pytest.raises(LabelError, match="those of OpenFace 3, and annotations.program is tab"):
        read(path, "table", scale=1)


def test_an_unknown_program(tmp_path):
    with pytest.raises(ConfigurationError, match=r"'openface' is unknown; choose .*openface2"):
        read(tmp_path, "openface")
