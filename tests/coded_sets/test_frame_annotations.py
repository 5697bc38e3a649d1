"""A program's labels of coded frames find their frames, whatever their files are called."""

from pathlib import Path

import pandas as pd
import pytest

from action_units.coded_sets.frame_annotations import annotate_frames, annotations_path
from action_units.coded_sets.plan import CodedPlan
from action_units.config.data import AnnotationSettings, CodedSetSettings
from action_units.errors import ConfigurationError, LabelError
from action_units.faces.preprocess import Recording
from action_units.labels.action_units import PRETRAIN_AUS, au_column

FIRST = {"anna": 1, "bo": 0}  # the number of the first frame in the labels


@pytest.fixture
def plan(tmp_path):
    """Two people's videos of four coded frames each, counted from 1 and from 0."""
    rows = [
        {
            "image": f"{who}_{first + k}.jpg",
            "subject": who,
            "recording": "v",
            "frame": first + k,
        }
        for who, first in FIRST.items()
        for k in range(4)
    ]
    frames = pd.DataFrame(rows).assign(AU12=0)
    recordings = [
        Recording(
            f"Video{who}",
            who,
            tmp_path / f"{who}_comp.avi",
            dict(part[["frame", "image"]].itertuples(index=False)),
            None,
            FIRST[who],
            None,
        )
        for who, part in frames.groupby("subject")
    ]
    nothing = pd.DataFrame()
    return CodedPlan("ours", recordings, frames, nothing, {}, {}, [], {}, None, tmp_path)


def write_openface(path: Path, rows: dict, first: str = "frame", success=lambda key: 1) -> None:
    """OpenFace's file with AU12 present as `rows` has it; other AUs are absent."""
    path.parent.mkdir(exist_ok=True)
    names = [f"{au_column(au)}_c" for au in PRETRAIN_AUS]
    lines = [", ".join([first, "confidence", "success", *names])]
    for key, present in rows.items():
        labels = [str(present if au == 12 else 0) for au in PRETRAIN_AUS]
        lines.append(", ".join([str(key), "0.9", str(success(key)), *labels]))
    path.write_text("\n".join(lines) + "\n")


def read(plan, path, **settings):
    table = annotate_frames(plan, AnnotationSettings(**settings), path)
    assert list(table["image"]) == list(plan.frames["image"])
    return table["AU12_annotated"].tolist()


@pytest.mark.parametrize("name", ["{}", "Video{}", "{}_comp", "{}_comp.avi", "VIDEO{}"])
def test_a_file_of_a_video_is_named_after_it_or_its_subject(plan, tmp_path, name):
    for who, shown in (("anna", [0, 1, 1, 0]), ("bo", [1, 0, 0, 0])):
        rows = dict(enumerate(shown, 1))
        write_openface(tmp_path / "openface" / f"{name.format(who)}.csv", rows)
    assert read(plan, tmp_path / "openface") == [0, 1, 1, 0, 1, 0, 0, 0]


def test_frames_may_be_counted_from_0(plan, tmp_path):
    write_openface(tmp_path / "o" / "anna.csv", {0: 0, 1: 1, 2: 1, 3: 0})
    assert read(plan, tmp_path / "o") == [0, 1, 1, 0, -1, -1, -1, -1]


def test_frames_without_a_face_or_beyond_the_coded_ones_have_no_label(plan, tmp_path):
    rows = {1: 1, 2: 1, 4: 0, 9: 1}
    write_openface(tmp_path / "o" / "anna.csv", rows, success=lambda frame: int(frame != 2))
    assert read(plan, tmp_path / "o") == [1, -1, -1, 0, -1, -1, -1, -1]


def test_a_first_frame_without_a_face_still_counts(plan, tmp_path):
    rows = {0: 0, 1: 1, 2: 0, 3: 0}
    write_openface(tmp_path / "o" / "anna.csv", rows, success=lambda frame: int(frame != 0))
    assert read(plan, tmp_path / "o")[:4] == [-1, 1, 0, 0]


def test_files_may_name_the_crops(plan, tmp_path):
    write_openface(tmp_path / "merged.csv", {"anna_3.jpg": 1, "bo_0.png": 0}, first="image")
    assert read(plan, tmp_path / "merged.csv") == [-1, -1, 1, -1, 0, -1, -1, -1]


def test_labels_of_another_program(plan, tmp_path):
    (tmp_path / "mine.csv").write_text("image,AU12\nanna_1.jpg,0.7\nanna_2.jpg,\n")
    assert read(plan, tmp_path / "mine.csv", program="table", scale=1)[:2] == [1, -1]


def test_annotations_of_other_frames_are_refused(plan, tmp_path):
    write_openface(tmp_path / "o" / "carl.csv", {1: 0})
    with pytest.raises(LabelError, match=r"names carl, and no row .* such as anna\.csv"):
        read(plan, tmp_path / "o")


def test_without_a_path_the_folder_in_the_set_is_read_if_it_is_there(tmp_path):
    assert annotations_path(AnnotationSettings(), tmp_path) is None
    (tmp_path / "pyfeat").mkdir()
    assert annotations_path(AnnotationSettings(program="pyfeat"), tmp_path).name == "pyfeat"
    given = AnnotationSettings(path="x.csv")
    assert annotations_path(given, tmp_path) == Path("x.csv")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"annotations": {"program": "run", "path": "main"}}, "annotates web photographs only"),
        ({"annotations": {"path": "x"}, "start_from": "crops"}, "start from raw"),
    ],
    ids=["run", "crops"],
)
def test_what_cannot_be_matched_is_refused(settings, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        CodedSetSettings.read({"reader": "table", "protocol": "x"} | settings)
