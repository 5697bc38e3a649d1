"""From photographs and videos to crops, in any number of processes."""

import hashlib

import cv2
import numpy as np
import pandas as pd
import pytest

from action_units.errors import ArtifactError, ConfigurationError, LabelError
from action_units.faces.decoding import read_photograph
from action_units.faces.detection import DetectorSettings, FaceDetector
from action_units.faces.packing import pack_crops
from action_units.faces.sources import (
    CropSettings,
    Video,
    crop_photographs,
    crop_videos,
    find_videos,
    with_labels,
)
from action_units.facs.label_tables import parse_rectsize


@pytest.fixture(scope="module")
def photographs(portraits, tmp_path_factory):
    """Three faces, a wall and a file that is no picture."""
    folder = tmp_path_factory.mktemp("photographs")
    for k, pixels in enumerate(portraits):
        cv2.imwrite(str(folder / f"m.0_{k}-FaceId-0.png"), pixels)
    cv2.imwrite(str(folder / "m.0_3-FaceId-0.png"), np.full((150, 150), 90, np.uint8))
    (folder / "m.0_4-FaceId-0.jpg").write_bytes(b"<html>")
    return folder


IMAGES = [
    "m.0_2-FaceId-0.png", "m.0_4-FaceId-0.jpg", "m.0_0-FaceId-0.png", "m.0_3-FaceId-0.png",
    "m.0_9-FaceId-0.png", "m.0_1-FaceId-0.png",
]  # fmt: skip


def digests(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()
    }


def test_each_photograph_gives_a_crop_or_a_reason(photographs, portraits, tmp_path):
    settings = CropSettings(margin=0.2, max_size=80, suffix=".png")
    result = crop_photographs(photographs, IMAGES, tmp_path, settings, workers=1)
    assert result.table["photograph"].tolist() == [IMAGES[0], IMAGES[2], IMAGES[5]]
    assert result.table["image"].tolist() == result.table["photograph"].tolist()
    assert result.quarantine.table()["reason"].tolist() == [
        "not an image",
        "no face",
        "missing",
    ]
    assert result.quarantine.table()["sha256"].str.len().tolist() == [64, 64, 0]
    assert sorted(digests(tmp_path)) == sorted(result.table["image"])
    row = result.table.iloc[1]
    crop = read_photograph(tmp_path / row["image"]).pixels
    assert crop.shape == (80, 80)
    assert parse_rectsize(row["rectsize"]) == (0, 0, 80, 80)
    face = FaceDetector().best(portraits[0])
    x, y, side = map(int, row["source"].strip("()").split(",")[:3])
    assert side >= face.height * 1.4
    assert x < face.x < face.x + face.width < x + side
    assert row["score"] == pytest.approx(face.score, abs=1e-4)
    expected = cv2.resize(
        portraits[0][y : y + side, x : x + side], (80, 80), interpolation=cv2.INTER_AREA
    )
    assert np.array_equal(crop, expected)


def test_nothing_depends_on_the_number_of_workers(photographs, tmp_path, monkeypatch):
    monkeypatch.setattr("action_units.faces.sources._SHARD", 2)
    one = crop_photographs(photographs, IMAGES, tmp_path / "1", workers=1)
    two = crop_photographs(photographs, IMAGES, tmp_path / "2", workers=2)
    pd.testing.assert_frame_equal(one.table, two.table)
    pd.testing.assert_frame_equal(one.quarantine.table(), two.quarantine.table())
    assert digests(tmp_path / "1") == digests(tmp_path / "2")
    assert {name[-4:] for name in digests(tmp_path / "1")} == {".jpg"}


def test_crops_can_be_given_names_and_go_on_to_a_store(photographs, tmp_path):
    names = [f"person_{k}" for k in range(6)]
    result = crop_photographs(photographs, IMAGES, tmp_path, workers=1, names=names)
    assert result.table["image"].tolist() == ["person_0.jpg", "person_2.jpg", "person_5.jpg"]
    labels = pd.DataFrame({"image": IMAGES[::-1], "AU12": [0, 1, 0, 1, 0, 1], "subject": "m.0"})
    table = with_labels(result.table, labels, on="photograph")
    assert table["AU12"].tolist() == [1, 1, 0]
    store = pack_crops(tmp_path, table, 48).store
    assert store.faces.shape == (3, 48, 48)
    assert store.aus == (12,)


def test_labels_are_matched_by_name_and_must_be_there():
    crops = pd.DataFrame({"image": ["b", "a"], "score": [1, 2]}, index=[5, 6])
    labels = pd.DataFrame({"image": ["a", "b", "c"], "AU01": [0, 1, 0]})
    assert with_labels(crops, labels)["AU01"].tolist() == [1, 0]
    with pytest.raises(ValueError, match="b has no labels"):
        with_labels(crops, labels[labels["image"] != "b"])
    with pytest.raises(ValueError, match="a has two rows"):
        with_labels(crops, pd.concat([labels, labels]))


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (["../a.jpg"], "leads out of the folder"),
        (["/etc/a.jpg"], "leads out of the folder"),
        (["a\\b.jpg"], "leads out of the folder"),
        (["a.jpg", "a.png"], "a.jpg and a.png would both become the crop a.jpg"),
    ],
)
def test_names_that_must_not_be_are_refused(photographs, tmp_path, images, words):
    with pytest.raises(LabelError, match=words):
        crop_photographs(photographs, images, tmp_path, workers=1)


@pytest.mark.parametrize("options", [{"suffix": ".gif"}, {"margin": -1}, {"max_size": 0},
                                     {"quality": 0}])  # fmt: skip
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(ConfigurationError):
        CropSettings(**options)


def test_a_missing_model_is_one_error_before_the_work(photographs, tmp_path):
    settings = CropSettings(DetectorSettings(model="/none.onnx"))
    with pytest.raises(ArtifactError, match=r"/none\.onnx"):
        crop_photographs(photographs, IMAGES, tmp_path / "out", settings, workers=2)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def videos(portraits, tmp_path_factory):
    """Two subjects; the third frame of the first shows a wall."""
    folder = tmp_path_factory.mktemp("videos")
    wall = np.full((192, 192), 90, np.uint8)
    for subject, frames in (
        ("SN001", [portraits[0], portraits[1], wall, portraits[2]]),
        ("SN002", [portraits[2]] * 3),
    ):
        path = str(folder / f"RightVideo{subject}_comp.avi")
        writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (192, 192))
        for frame in frames:
            writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
        writer.release()
    return folder


def jobs(folder, frames=(4, 3)):
    found = find_videos(folder)
    return [
        Video(path, subject, n)
        for (subject, path), n in zip(found.items(), frames, strict=True)
    ]


def test_frames_keep_their_numbers_when_one_has_no_face(videos, tmp_path):
    result = crop_videos(jobs(videos), tmp_path / "1", workers=1)
    assert result.table["image"].tolist() == [
        "RightVideoSN001_00000000.jpg", "RightVideoSN001_00000001.jpg",
        "RightVideoSN001_00000003.jpg", "RightVideoSN002_00000000.jpg",
        "RightVideoSN002_00000001.jpg", "RightVideoSN002_00000002.jpg",
    ]  # fmt: skip
    assert result.table["frame"].tolist() == [1, 2, 4, 1, 2, 3]
    assert result.lost == {"SN001": 1}
    lost = result.quarantine.table().iloc[0]
    assert lost["path"] == "RightVideoSN001_00000002.jpg"
    assert "frame 3 of RightVideoSN001_comp.avi" in lost["detail"]
    assert sorted(digests(tmp_path / "1")) == sorted(result.table["image"])
    again = crop_videos(jobs(videos), tmp_path / "2", workers=2)
    pd.testing.assert_frame_equal(result.table, again.table)
    assert digests(tmp_path / "1") == digests(tmp_path / "2")


def test_a_video_of_another_length_leaves_no_crop(videos, tmp_path):
    with pytest.raises(LabelError, match=r"RightVideoSN002_comp\.avi.*have labels"):
        crop_videos(jobs(videos, (4, 4))[1:], tmp_path, workers=1)
    assert list(tmp_path.iterdir()) == []


def test_nor_does_one_whose_frames_are_only_counted_in_the_end(portraits, tmp_path):
    path = tmp_path / "RightVideoSN003.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 20.0, (192, 192))
    for _ in range(3):
        writer.write(cv2.cvtColor(portraits[0], cv2.COLOR_GRAY2BGR))
    writer.release()
    out = tmp_path / "out"
    for frames in (2, 4):
        with pytest.raises(LabelError, match="frames can be decoded, but"):
            crop_videos([Video(path, "SN003", frames)], out, workers=1)
    assert list(out.iterdir()) == []
    assert len(crop_videos([Video(path, "SN003", 3)], out, workers=1).table) == 3


def test_videos_are_found_by_subject(tmp_path):
    with pytest.raises(LabelError, match="no video is there"):
        find_videos(tmp_path)
    for name in ("RightVideoSN003_comp.avi", "RightVideoSN001.avi", "LeftVideoSN001_comp.avi",
                 "RightVideo.txt"):  # fmt: skip
        (tmp_path / name).touch()
    assert list(find_videos(tmp_path)) == ["SN001", "SN003"]
    assert list(find_videos(tmp_path, "Left")) == ["SN001"]
    (tmp_path / "RightVideoSN001_comp.avi").touch()
    with pytest.raises(LabelError, match=r"RightVideoSN001\.avi and RightVideoSN001_comp\.avi"):
        find_videos(tmp_path)
