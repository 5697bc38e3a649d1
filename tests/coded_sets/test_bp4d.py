"""BP4D's tasks as public code lays them out: codes of some pictures, by their numbers."""

import cv2
import pytest

from action_units.coded_sets.plan import plan_coded_set
from action_units.config.data import CodedSetSettings
from action_units.errors import LabelError
from action_units.faces.preprocess import crop_videos
from action_units.faces.workers import Workers
from tests.coded_sets.test_disfa import touch
from tests.faces.test_crop_videos import write_video

CODED = {("F001", "T1"): (100, 103), ("M018", "T10"): (0, 2)}
LAYOUTS = ["2D+3D/{}/{}/{:04d}.jpg", "Sequences_2D+3D/{}/{}/{:03d}.jpg", "{}/{}/{}.png",
           "release/BP4D-training/{}/{}/{:04d}.jpg", "frames/{}_{}/{:05d}.bmp"]  # fmt: skip


@pytest.fixture
def root(tmp_path):
    """Codes of two tasks; AU 12 of the first frames was not scored."""
    root = tmp_path / "bp4d"
    for (subject, task), (first, end) in CODED.items():
        path = root / f"AUCoding/AU_OCC/{subject}_{task}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{frame},{frame % 2},{9 if frame == first else 1},9"
                 for frame in range(first, end)]  # fmt: skip
        path.write_text("\n".join(["0,1,12,24", *lines]))
    return root


def pictures(root, layout=LAYOUTS[0], extra=2):
    for (subject, task), (first, end) in CODED.items():
        for frame in range(first, end + extra):
            touch(root, layout.format(subject, task, frame))


def plan(root, **settings):
    given = {"reader": "bp4d", "protocol": "x", "present_from": None} | settings
    return plan_coded_set("b", CodedSetSettings(**given), root)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pictures_are_found_by_their_numbers_however_they_lie(root, layout):
    pictures(root, layout)
    touch(root, "2DFeatures/F001_T1.mat", "2D+3D/notes.txt")
    found = plan(root)
    assert found.frames.to_numpy().tolist() == [
        ["F001_T1_00000100.jpg", "F001", "T1", 100, 0, -1],
        ["F001_T1_00000101.jpg", "F001", "T1", 101, 1, 1],
        ["F001_T1_00000102.jpg", "F001", "T1", 102, 0, 1],
        ["M018_T10_00000000.jpg", "M018", "T10", 0, 0, -1],
        ["M018_T10_00000001.jpg", "M018", "T10", 1, 1, 1],
    ]
    assert found.aus == (1, 12)
    assert +found.unused["no_codes"] == {"F001": 2, "M018": 2}
    paths = {frame: path.relative_to(root).as_posix()
             for frame, path in found.recordings[0].pictures.items()}  # fmt: skip
    assert paths == {n: layout.format("F001", "T1", n) for n in (100, 101, 102)}
    assert found.skipped == []


def test_intensities_stand_beside_the_occurrence(root):
    pictures(root)
    folder = root / "AUCoding/AU_INT/AU12"
    folder.mkdir(parents=True)
    (folder / "F001_T1_AU12.csv").write_text("100,0\n101,4\n102,9\n103,5\n")
    (folder / "M018_T10_AU01.csv").write_text("0,3\n")
    table = plan(root).frames
    assert list(table)[4:] == ["AU01", "AU12", "AU01_r", "AU12_r"]
    assert table["AU01_r"].tolist() == [-1, -1, -1, 3, -1]
    assert table["AU12_r"].tolist() == [0, 4, -1, -1, -1]
    assert table["AU12"].tolist() == [-1, 1, 1, -1, 1]
    assert (table.dtypes[4:] == "int8").all()
    assert plan(root, aus=[1]).aus == (1,)
    (folder / "M018_T10_AU01.csv").unlink()
    alone = plan(root, labels=str(root / "AUCoding/AU_INT"), media=str(root), present_from=2)
    assert alone.frames[["frame", "AU12", "AU12_r"]].to_numpy().tolist() == [
        [100, 0, 0], [101, 1, 4], [103, 1, 5]]  # fmt: skip


def test_a_folder_may_be_numbered_from_another_frame(root):
    for (subject, task), (_, end) in CODED.items():
        for frame in range(1, end + 1):
            touch(root, f"{subject}/{task}/{frame}.jpg")
    found = plan(root, first_frame=0).recordings[0].pictures
    assert [path.name for path in found.values()] == ["101.jpg", "102.jpg", "103.jpg"]


@pytest.mark.parametrize(
    ("names", "settings", "words"),
    [
        ((), {}, r"no pictures of a recording are there; expected F001/T1/0001\.jpg.*AUCoding/"),
        (("2D+3D/F001.zip",), {}, r"Unpack .*2D\+3D/F001\.zip and others like it"),
        (("F001/T1/100.jpg", "F001/T1/0100.jpg"), {}, r"100\.jpg: .*has the same number"),
        (("a/F001/T1/1.jpg", "b/F001/T1/1.jpg"), {}, r"T1 of F001; .*set coded_sets\.bp4d\.med"),
        (("F001_T1.mp4",), {}, r"F001_T1\.mp4: .*set coded_sets\.bp4d\.first_frame: 0 or 1"),
        (("F001/T1/100.jpg",), {}, r"F001_T1\.csv, line 3: 4 of 5 frames with codes have no picture \(F001 2, M018 2"),
        (("F001/T1/1.jpg",), {"present_from": 2}, r"are 0 and 1, not .*set present_from: null"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_sentence(root, names, settings, words):
    touch(root, *names)
    with pytest.raises(LabelError, match=words):
        plan(root, **settings)


def test_crops_of_a_task_are_of_its_coded_pictures(root, portraits, tmp_path):
    for frame in range(5):
        path = root / f"2D+3D/M018/T10/{frame:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), portraits[frame % 3])
    write_video(root / "F001_T1.avi", [portraits[0]] * 104)
    assert [one.first_frame for one in plan(root, first_frame=0).recordings] == [0, 1]
    (root / "AUCoding/AU_OCC/F001_T1.csv").write_text("not read")
    found = plan(root, first_frame=0, exclude=[{"subject": "F001", "reason": "x"}])
    done = crop_videos(found.recordings, tmp_path / "o", tmp_path / "w", workers=Workers(0))
    assert done.table["image"].tolist() == [f"M018_T10_0000000{n}.jpg" for n in (0, 1)]
    assert found.left_out == {"F001": "x"}
