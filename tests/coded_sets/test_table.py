"""A table of codes with its videos, folders of frames and pictures."""

import logging
import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_units.coded_sets.plan import plan_coded_set
from action_units.coded_sets.table import COLUMNS, read_table
from action_units.config.data import CodedSetSettings
from action_units.errors import ConfigurationError, LabelError


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def read(folder, text, left_out=(), **changes):
    """Read a table with the text, beside its media."""
    labels = folder / "codes.csv"
    labels.write_text(text, "utf-8")
    values = {"reader": "table", "protocol": "own", "present_from": None, **changes}
    return read_table(CodedSetSettings(**values), folder, left_out)


def rows_of(data):
    return data.frames.table.to_numpy().tolist()


def pictures_of(data, folder):
    """The pictures by subject, recording and frame, below the folder."""
    return {
        (*key, frame): str(path.relative_to(folder))
        for key, media in data.media.items()
        for frame, path in (media.pictures or {}).items()
    }


def test_pictures_anywhere_below_the_folder(tmp_path):
    touch(tmp_path, "anna/a_2.png", "anna/day 2/a_7.png", "1.jpg", "bo/x.png", "bo/y.png")
    data = read(
        tmp_path,
        "subject,image,AU12\nbo,bo/y.png,1\nanna,anna/a_2.png,0\nanna,anna\\day 2\\a_7.png,1\n"
        "cleo,1.jpg,0\nbo,./bo/x.png,9\nbo,bo/none.png,1\n",
    )
    assert data.frames.source == tmp_path / "codes.csv"
    assert rows_of(data) == [
        ["anna", "day 2", 7, 1],
        ["anna", "images", 2, 0],
        ["bo", "images", 1, 1],
        ["bo", "images", 2, -1],
        ["bo", "images", 3, 1],
        ["cleo", "images", 1, 0],
    ]
    assert pictures_of(data, tmp_path) == {
        ("anna", "images", 2): "anna/a_2.png",
        ("anna", "day 2", 7): "anna/day 2/a_7.png",
        ("bo", "images", 2): "bo/x.png",
        ("bo", "images", 3): "bo/y.png",
        ("cleo", "images", 1): "1.jpg",
    }
    assert data.skipped == ()


def test_pictures_with_a_recording_and_a_frame(tmp_path):
    touch(tmp_path, "x.png", "y.png", "z.png")
    data = read(
        tmp_path, "person,file,recording,frame,AU12\nbo,x.png,talk,30,1\nbo,y.png,talk,10,0\n"
    )
    assert rows_of(data) == [["bo", "talk", 10, 0], ["bo", "talk", 30, 1]]
    assert pictures_of(data, tmp_path) == {
        ("bo", "talk", 10): "y.png",
        ("bo", "talk", 30): "x.png",
        ("bo", "talk", -1): "z.png",  # has no codes
    }
    assert data.skipped == ()


def test_pictures_that_no_row_names_are_counted_by_subject(tmp_path):
    touch(
        tmp_path, *(f"{who}/{n}.png" for who in ("anna", "bo") for n in range(4)), "all/5.png"
    )
    touch(tmp_path, "all/6.png", "all/7.png", "else/8.png")
    rows = ("anna,anna/1.png", "bo,bo/1.png", "anna,all/5.png", "bo,all/6.png")
    text = "subject,image,AU12\n" + "".join(f"{row},1\n" for row in rows)
    data = read(tmp_path, text)
    assert data.skipped == (tmp_path / "all/7.png", tmp_path / "else/8.png")
    values = {"reader": "table", "protocol": "loso", "present_from": None}
    plan = plan_coded_set("own", CodedSetSettings(**values), tmp_path)
    assert +plan.unused["no_codes"] == {"anna": 3, "bo": 3}
    assert [len(recording.pictures) for recording in plan.recordings] == [1, 1, 1, 1]
    with pytest.raises(LabelError, match=r"6 of 10 pictures have no codes.* \(anna 3, bo 3\)"):
        plan_coded_set("own", CodedSetSettings(**values, unlabelled=0.5), tmp_path)


def test_videos_with_or_without_suffix(tmp_path):
    touch(tmp_path, "anna/smile.mp4", "bo/smile.mp4", "talk.avi", "more.avi")
    data = read(
        tmp_path,
        "Subject,Video,Frame No.,AU12\nanna,smile,1,1\nanna,anna/smile.mp4,2,0\nbo,smile,2.0,1\n"
        "bo,talk.avi,7,1\nbo,gone,7,1\n",
    )
    assert [row[:3] for row in rows_of(data)] == [
        ["anna", "smile", 1],
        ["anna", "smile", 2],
        ["bo", "gone", 7],
        ["bo", "smile", 2],
        ["bo", "talk", 7],
    ]
    assert {key: str(m.path.relative_to(tmp_path)) for key, m in data.media.items()} == {
        ("anna", "smile"): "anna/smile.mp4",
        ("bo", "smile"): "bo/smile.mp4",
        ("bo", "talk"): "talk.avi",
    }
    assert {m.first_frame for m in data.media.values()} == {1}
    assert {(m.pictures, m.tolerance) for m in data.media.values()} == {(None, None)}
    assert data.skipped == (tmp_path / "more.avi",)


@pytest.mark.parametrize(
    ("frames", "first_frame", "expected"), [("013", None, 0), ("13", None, 1), ("57", 0, 0)]
)
def test_the_first_frame_of_videos(tmp_path, frames, first_frame, expected):
    touch(tmp_path, "a.mp4")
    text = "subject,frame,AU1\n" + "".join(
        f"a,{frame},{n % 2}\n" for n, frame in enumerate(frames)
    )
    (media,) = read(tmp_path, text, first_frame=first_frame).media.values()
    assert media.first_frame == expected


def test_a_first_frame_that_is_not_known_or_does_not_fit(tmp_path):
    touch(tmp_path, "a.mp4")
    with pytest.raises(LabelError, match=r"no video has a frame below 5.*first_frame") as error:
        read(tmp_path, "subject,frame,AU1\na,7,0\na,5,1\n")
    assert error.value.line == 3
    with pytest.raises(LabelError, match="line 3: frame is 0, but .*first_frame is 1"):
        read(tmp_path, "subject,frame,AU1\na,7,0\na,0,1\n", first_frame=1)


def test_folders_of_frames(tmp_path):
    touch(tmp_path, *(f"anna/smile/f_{n:03d}.png" for n in (1, 2, 5)), "bo/7.png")
    text = "subject,folder,frame,AU1\nanna,smile,2,1\nanna,smile,1,0\nbo,bo,7,1\n"
    data = read(tmp_path, text)
    expected = {("anna", "smile", n): f"anna/smile/f_{n:03d}.png" for n in (1, 2, 5)}
    assert pictures_of(data, tmp_path) == expected | {("bo", "bo", 7): "bo/7.png"}
    text = "subject,folder,frame,AU1\nanna,smile,1,1\nanna,smile,0,0\nbo,bo,6,1\n"
    with pytest.raises(LabelError, match=r"numbered from 1, .* from 0; set .*first_frame: 0"):
        read(tmp_path, text)
    data = read(tmp_path, text, first_frame=0)
    expected = {("anna", "smile", n - 1): f"anna/smile/f_{n:03d}.png" for n in (1, 2, 5)}
    assert pictures_of(data, tmp_path) == expected | {("bo", "bo", 6): "bo/7.png"}
    with pytest.raises(LabelError, match=r"lowest number of a picture is 7"):
        read(tmp_path, "subject,frame,AU1\nbo,6,1\n", first_frame=0)


def test_pictures_without_codes_are_left_to_the_plan(tmp_path):
    touch(tmp_path, "anna/1.png", "anna/2.png", "bo/1.png")
    data = read(tmp_path, "subject,frame,AU1\nanna,1,1\nanna,3,0\n")
    assert pictures_of(data, tmp_path) == {("anna", "anna", n): f"anna/{n}.png" for n in (1, 2)}
    assert data.skipped == (tmp_path / "bo/1.png",)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("frame,AU1\n1,0", 1, "no column is called subject or another name of it"),
        ("subject,AU1\na,0", 1, "no column is called frame, and none image, or another"),
        ("subject,frame,x\na,1,0", 1, "no column has the name of an AU"),
        ("subject,video,folder,frame,AU1\na,a,a,1,0", 1, "'video' and 'folder' both name the"),
        ("subject,frame,AU1\na,1,0\n,2,0", 3, "the row has no subject"),
        ("subject,frame,AU1\na,1,0\na,x,0", 3, "frame is 'x'; expected a whole number"),
        ("subject,frame,AU1\na,1,0\na,1.5,0", 3, "frame is '1.5'"),
        ("subject,frame,AU1\na,1,0\na,-1,0", 3, "frame is '-1'"),
        (
            "subject,frame,AU1\na,1,0\na,2,0\na,01,0",
            4,
            "frame 1 of a of a is on line 2 already",
        ),
        (
            "subject,image,AU1\na,p/1.png,0\na,2.png,0\nb,p/../p/1.png,0",
            4,
            "is on line 2 already",
        ),
        ("subject,image,AU1\na,2.png,0\na,1.png,0\nb,p/1.png,0", 4, "'p/1.png' is on line 3"),
        ("subject,image,AU1\na,,0", 2, "image '' is empty; expected a path below"),
        ("subject,image,AU1\na,/x/1.png,0", 2, "'/x/1.png' is absolute; expected a path below"),
        ("subject,image,AU1\na,p/../../1.png,0", 2, "leads out of it; expected a path below"),
        ("subject,video,frame,AU1\na,C:\\a.mp4,1,0", 2, "is absolute"),
        (
            "subject,video,frame,AU1\nx,same,1,0",
            2,
            "fits both u/same.mp4 and v/same.mp4; write",
        ),
        (
            "subject,video,frame,AU1\nx,a,1,0\ny,a,1,0",
            3,
            "is a.mp4, which is 'a' of x on other",
        ),
        ("subject,video,frame,AU1\nx,a,1,0\nx,X/a.mp4,1,0\nx,x/a,1,0", 4, "has the same name"),
    ],
)
def test_faults_are_named_with_file_and_line(tmp_path, text, line, words):
    touch(tmp_path, "a.mp4", "p/1.png", "2.png", "u/same.mp4", "v/same.mp4", "X/a.mp4")
    with pytest.raises(LabelError, match=words) as error:
        read(tmp_path, text + "\n")
    assert (error.value.path, error.value.line) == (tmp_path / "codes.csv", line)


def test_names_match_whatever_the_form_of_their_letters(tmp_path):
    """NFC as Linux and Windows write it, NFD as macOS does."""
    nfc, nfd = (unicodedata.normalize(form, "Jörg/läuft.mp4") for form in ("NFC", "NFD"))
    touch(tmp_path, nfd)
    data = read(
        tmp_path, f"subject,video,frame,AU1\n{nfc[:4]},{nfc},1,0\n{nfd[:5]},{nfd},2,1\n"
    )
    assert rows_of(data) == [["Jörg", "läuft", 1, 0], ["Jörg", "läuft", 2, 1]]
    assert {media.path for media in data.media.values()} == {tmp_path / nfd}


def test_names_of_perhaps_one_person_are_warned_of(tmp_path, caplog):
    touch(tmp_path, "1.mp4", "001.avi", "10.avi")
    data = read(tmp_path, "subject,video,frame,AU1\n1,1.mp4,1,0\n001,001.avi,1,1\n10,10,1,1\n")
    assert [row[0] for row in rows_of(data)] == ["001", "1", "10"]
    assert "the subjects 001 and 1 are read as different people" in caplog.text
    assert "10" not in caplog.text.split("different")[0].split("subjects")[1].replace("001", "")


def test_subjects_that_are_left_out_are_not_checked(tmp_path):
    touch(tmp_path, "a.mp4", "b/1.png", "c.mp4")
    text = "subject,frame,AU1\na,1,0\na,2,1\nb,x,nonsense\n"
    data = read(tmp_path, text, left_out={"b", "nobody"})
    assert {row[0] for row in rows_of(data)} == {"a"}
    assert data.left_out == {"b"}
    assert data.skipped == (tmp_path / "c.mp4",)
    with pytest.raises(LabelError, match="all of its subjects are left out"):
        read(tmp_path, text, left_out={"a", "b"})


def test_where_the_table_lies(tmp_path):
    media, tables = tmp_path / "study", tmp_path / "tables"
    touch(media, "a.mp4")
    touch(tables, "notes.md")
    text = "subject,frame,AU1\na,1,0\na,2,1\n"
    values = {"reader": "table", "protocol": "own", "present_from": None}

    def table(**changes):
        changes = {name: str(path) for name, path in changes.items()}
        return read_table(CodedSetSettings(**values, **changes), media, ()).frames.source

    with pytest.raises(
        LabelError, match=r"expected one table of codes.*there is a.mp4. .*study"
    ):
        table()
    (media / "codes.csv").write_text(text)
    (media / "groups.csv").write_text("subject,gender\na,woman\n")  # no codes
    assert table() == media / "codes.csv"
    with pytest.raises(LabelError, match="expected one table of codes"):
        table(labels=tables)
    (tables / "one.tsv").write_text(text.replace(",", "\t"))
    assert table(labels=tables) == tables / "one.tsv"
    (tables / "two.csv").write_text(text)
    with pytest.raises(
        LabelError, match=r"there are one.tsv, two.csv. .*coded_sets.study.labels"
    ):
        table(labels=tables)
    assert table(labels=tables / "two.csv", media=media) == tables / "two.csv"


def test_what_is_read_is_told(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    read(tmp_path, "subject,frame,AU1,AU02,AU99,coder\na,1,0,1,7,x\na,2,1,1,7,x\n", aus=[1])
    assert "AU01 of 2 rows; columns that are not read: AU02, AU99, coder" in caplog.text


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_same_table_from_csv_and_parquet_in_any_order(tmp_path_factory, data):
    """Rows and columns in any order, under any of the columns' names."""
    folder = tmp_path_factory.getbasetemp() / "study"
    folder.mkdir(exist_ok=True)
    subjects = [*data.draw(st.lists(st.sampled_from(["a", "b", "1"]), max_size=8)), "z", "z"]
    keys = list(zip(subjects, range(len(subjects)), strict=True))
    some = st.lists(st.integers(-1, 5), min_size=len(keys) - 2, max_size=len(keys) - 2)
    codes = {au: [*data.draw(some), 0, 5] for au in (1, 12)}
    names = {key: data.draw(st.sampled_from(COLUMNS[key])) for key in ("subject", "frame")}
    table = pd.DataFrame(keys, columns=[names["subject"], names["frame"]])
    table = table.assign(**{f"AU{au}": each for au, each in codes.items()})
    order = data.draw(st.permutations(range(len(keys))))
    columns = data.draw(st.permutations(list(table)))
    table = table.iloc[order][columns]
    expected = sorted([*key, a, b] for key, a, b in zip(keys, codes[1], codes[12], strict=True))
    for path in (folder / "codes.csv", folder / "codes.parquet"):
        getattr(table, f"to_{path.suffix[1:]}")(path, index=False)
        given_settings = CodedSetSettings(
            reader="table", protocol="own", labels=str(path), media=str(folder)
        )
        read = read_table(given_settings, Path("study"), ()).frames
        assert read.aus == (1, 12)
        assert [[row[0], *row[2:]] for row in read.table.to_numpy().tolist()] == expected


def test_cells_not_scored_are_written_in_yaml_as_one_likes():
    values = {"reader": "table", "protocol": "own"}
    given = CodedSetSettings.read(values | {"not_scored": [9, -1, None, float("nan"), "x"]})
    assert given.not_scored == ["9", "-1", "", "nan", "x"]
    with pytest.raises(ConfigurationError, match="not_scored.*True is not the text of a cell"):
        CodedSetSettings.read(values | {"not_scored": [True]})


def test_rows_become_a_plan(tmp_path):
    """Not scored rows are dropped, and what has no picture is counted by subject."""
    touch(tmp_path, "a/1.png", "a/2.png", "a/4.png", "b.mp4")
    text = "subject,frame,AU1,AU2\na,1,0,3\na,2,,9\na,3,2,1\nb,1,5,\n"
    (tmp_path / "codes.csv").write_text(text)
    values = {"reader": "table", "protocol": "own"}
    with pytest.raises(
        LabelError,
        match=r"1 of 3 frames with codes have no picture \(a 1\), such as frame 3",
    ):
        plan_coded_set("own", CodedSetSettings(**values), tmp_path)
    plan = plan_coded_set("own", CodedSetSettings(**values, unmatched=0.5), tmp_path)
    assert plan.frames["image"].tolist() == [
        "a_a_00000001.jpg", "a_a_00000003.jpg", "b_b_00000001.jpg",
    ]  # fmt: skip
    assert plan.frames[["AU01", "AU02", "AU01_r", "AU02_r"]].to_numpy().tolist() == [
        [0, 1, 0, 3],
        [1, 0, 2, 1],
        [1, -1, 5, -1],
    ]
    assert {kind: dict(counts) for kind, counts in plan.unused.items()} == {
        "no_score": {"a": 1},
        "no_picture": {"a": 1},
        "no_codes": {"a": 1},
    }
