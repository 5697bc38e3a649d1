"""From videos to crops, whose frames keep their numbers."""

import cv2
import numpy as np
import pandas as pd
import pytest

from action_units.errors import LabelError
from action_units.faces.crop_folder import UNFINISHED
from action_units.faces.preprocess import crop_videos
from action_units.faces.workers import Workers
from tests.faces.recordings import recording
from tests.media.encoded import encode, likeness, needs_ffmpeg


def write_video(path, frames, code="MJPG"):
    height, width = frames[0].shape
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 20.0, (width, height))
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    writer.release()


@pytest.fixture(scope="module")
def videos(portraits, tmp_path_factory):
    """Two subjects; the third frame of the first shows a wall."""
    folder = tmp_path_factory.mktemp("videos")
    wall = np.full((192, 192), 90, np.uint8)
    one = [portraits[0], portraits[0], wall, portraits[0]]
    write_video(folder / "RightVideoSN001_comp.avi", one)
    write_video(folder / "RightVideoSN002_comp.avi", [portraits[2]] * 3)
    return folder


def jobs(folder, frames=(4, 3)):
    names = [f"RightVideoSN{number:03d}_comp.avi" for number in (1, 2)]
    return [recording(folder / name, name[10:15], n)
            for name, n in zip(names, frames, strict=True)]  # fmt: skip


def crop(videos, out, workers=0):
    return crop_videos(videos, out, out.with_suffix(".work"), workers=Workers(workers))


def files(folder):
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    found.pop(UNFINISHED, None)
    return found


def test_frames_keep_their_numbers_when_one_has_no_face(videos, tmp_path):
    result = crop(jobs(videos), tmp_path / "1")
    assert result.table["image"].tolist() == [
        "RightVideoSN001_00000000.jpg", "RightVideoSN001_00000001.jpg",
        "RightVideoSN001_00000003.jpg", "RightVideoSN002_00000000.jpg",
        "RightVideoSN002_00000001.jpg", "RightVideoSN002_00000002.jpg",
    ]  # fmt: skip
    assert result.table["frame"].tolist() == [1, 2, 4, 1, 2, 3]
    lost = result.quarantine.table().iloc[0]
    assert lost["path"] == "RightVideoSN001_00000002.jpg"
    assert "frame 3 of RightVideoSN001_comp.avi" in lost["detail"]
    assert sorted(files(tmp_path / "1")) == sorted(result.table["image"])
    again = crop(jobs(videos), tmp_path / "2", workers=2)
    pd.testing.assert_frame_equal(result.table, again.table)
    assert files(tmp_path / "1") == files(tmp_path / "2")


@needs_ffmpeg
def test_crops_of_interlaced_recordings_are_of_their_own_faces(portraits, tmp_path):
    """Two subjects; the second's recording once gave faces of the first's."""
    faces = []
    for number, options in enumerate((["-c:v", "mjpeg", "-q:v", "2"], ["-c:v", "libx264"]), 1):
        frames = [np.repeat(portraits[number][..., None], 3, axis=2)] * 3
        path = tmp_path / f"RightVideoSN00{number}_comp.avi"
        laced = ["-flags", "+ilme+ildct", "-vf", "setfield=tff", "-x264-params", "tff=1"]
        encode(path, frames, *options, "-pix_fmt", "yuv420p", *(laced if number == 2 else []))
        out = tmp_path / str(number)
        table = crop([recording(path, f"SN00{number}", 3)], out).table
        faces.append([cv2.imread(str(out / name), 0) for name in table["image"]])
    write_video(tmp_path / "RightVideoSN002.avi", [portraits[2]] * 3)
    table = crop(
        [recording(tmp_path / "RightVideoSN002.avi", "SN002", 3)], tmp_path / "o"
    ).table
    sound = cv2.imread(str(tmp_path / "o" / table["image"][0]), 0)
    assert len(faces[1]) == 3
    for face in faces[1]:
        size = sound.shape[1], sound.shape[0]
        assert likeness(cv2.resize(face, size), sound) > 19
        assert likeness(cv2.resize(faces[0][0], size), sound) < 14


def test_the_face_that_was_taken_is_followed_past_a_larger_one(portraits, tmp_path):
    small = cv2.resize(portraits[0], (96, 96))
    large = cv2.resize(portraits[1], (160, 160))
    frames = []
    for k in range(6):
        scene = np.full((240, 320), 110, np.uint8)
        scene[70:166, 10 + k : 106 + k] = small
        if k >= 2:
            scene[40:200, 150:310] = large
        frames.append(scene)
    write_video(tmp_path / "RightVideoSN001.avi", frames)
    table = crop(
        [recording(tmp_path / "RightVideoSN001.avi", "SN001", 6)], tmp_path / "o"
    ).table
    left = table["source"].str.extract(r"\((-?\d+),")[0].astype(int)
    assert (left < 106).all()
    assert len(table) == 6


def test_a_video_of_another_length_leaves_no_crop(videos, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(LabelError, match=r"RightVideoSN002_comp\.avi.*have labels"):
        crop(jobs(videos, (4, 4))[1:], out)
    assert files(out) == {}


def test_nor_does_one_whose_frames_are_only_counted_in_the_end(portraits, tmp_path):
    path = tmp_path / "RightVideoSN003.mp4"
    write_video(path, [portraits[0]] * 3, "mp4v")
    out = tmp_path / "out"
    for frames in (2, 4):
        with pytest.raises(LabelError, match=r"frames|labels"):
            crop([recording(path, "SN003", frames)], out)
    assert files(out) == {}
    assert len(crop([recording(path, "SN003", 3)], out).table) == 3


def test_finished_videos_stay_done_when_another_is_refused(videos, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(LabelError):
        crop(jobs(videos, (4, 9)), out)
    assert (out / UNFINISHED).exists()
    result = crop(jobs(videos), out)
    assert result.new == 3
    assert crop(jobs(videos), out).new == 0
    assert crop(jobs(videos)[:1], out).new == 0
    assert all("SN001" in name for name in files(out))  # the other's are gone


def test_a_missing_video_is_named(tmp_path):
    with pytest.raises(LabelError, match=r"gone\.avi"):
        crop([recording(tmp_path / "gone.avi", "SN001", 3)], tmp_path / "out")
