"""From a set's codes and pictures to what is cropped, by a reader that a test writes."""

import cv2
import numpy as np
import pytest

from action_units.coded_sets.image_names import safe_name
from action_units.coded_sets.plan import plan_coded_set
from action_units.coded_sets.reader import CodedData, Media
from action_units.coded_sets.registry import READERS
from action_units.config.data import CodedSetSettings
from action_units.errors import ConfigurationError, LabelError
from action_units.faces.join_labels import join_crops, lost_frames
from action_units.faces.preprocess import crop_videos
from action_units.faces.workers import Workers
from action_units.labels.coded_frames import MISSING, Recording, coded_frames
from action_units.media.video_stream import Undecodable, decode_video
from tests.faces.test_crop_videos import files, write_video

CODES = {("anna", "smile"): {0: (1, 0), 4: (MISSING, 5), 7: (3, MISSING)},
         ("bo", "smile"): {2: (0, 2), 3: (MISSING, MISSING)}}  # fmt: skip


@pytest.fixture
def the_set(tmp_path, monkeypatch):
    """A set whose codes and media tests change."""

    class Set:
        def __init__(self):
            self.codes = {key: dict(own) for key, own in CODES.items()}
            self.media = {key: Media(tmp_path, {n: tmp_path / f"{n}.png" for n in own})
                          for key, own in CODES.items()}  # fmt: skip
            self.images = None
            self.scale = "intensity"

        def read(self, settings, folder, left_out):
            recordings = [
                Recording(*key, np.array(list(own)), np.array(list(own.values())), folder)
                for key, own in self.codes.items()
            ]
            frames = coded_frames(recordings, (1, 12), self.scale, folder)
            return CodedData(frames, self.media, self.images)

        def plan(self, withdrawn=(), **settings):
            settings = CodedSetSettings(**{"reader": "test", "protocol": "x"} | settings)
            return plan_coded_set("ours", settings, tmp_path / "ours", withdrawn)

    one = Set()
    monkeypatch.setitem(READERS, "test", one.read)
    return one


def test_the_plan_has_a_row_for_each_scored_frame(the_set):
    plan = the_set.plan()
    assert list(plan.frames) == ["image", "subject", "recording", "frame", "AU01", "AU12",
                                 "AU01_r", "AU12_r"]  # fmt: skip
    assert plan.frames.to_numpy().tolist() == [
        ["anna_smile_00000000.jpg", "anna", "smile", 0, 0, 0, 1, 0],
        ["anna_smile_00000004.jpg", "anna", "smile", 4, -1, 1, -1, 5],
        ["anna_smile_00000007.jpg", "anna", "smile", 7, 1, -1, 3, -1],
        ["bo_smile_00000002.jpg", "bo", "smile", 2, 0, 1, 0, 2],
    ]
    assert plan.aus == (1, 12)
    assert plan.unused["no_score"] == {"bo": 1}
    assert [list(one.images) for one in plan.recordings] == [[0, 4, 7], [2]]
    assert [list(one.pictures or ()) for one in plan.recordings] == [[0, 4, 7], [2]]


def test_an_unknown_reader_is_named(the_set):
    with pytest.raises(ConfigurationError, match=r"coded_sets\.ours\.reader is 'x'; .*disfa"):
        the_set.plan(reader="x")


def test_frames_without_a_picture_are_counted_by_subject(the_set, tmp_path, caplog):
    pictures = {n: tmp_path / f"{n}.png" for n in (0, 1, 2)}
    the_set.media = {("anna", "smile"): Media(tmp_path, pictures)}
    with pytest.raises(LabelError) as error:
        the_set.plan()
    assert "3 of 4 frames with codes have no picture (anna 2, bo 1)" in str(error.value)
    assert "such as frame 4 of smile. Are all files there" in str(error.value)
    assert "coded_sets.ours.unmatched, from 0" in str(error.value)
    with pytest.raises(LabelError):
        the_set.plan(unmatched=0.74)
    caplog.set_level("INFO")
    plan = the_set.plan(unmatched=0.75)
    plan.log_counts()
    assert "3 frames with codes have no picture (anna 2, bo 1)" in caplog.text
    assert "2 pictures have no codes, and are not used (anna 2)" in caplog.text
    assert +plan.unused["no_codes"] == {"anna": 2}


def test_pictures_without_codes_are_counted_by_subject(the_set, tmp_path):
    many = {n: tmp_path / f"{n}.png" for n in range(8)}
    the_set.media |= {("bo", "smile"): Media(tmp_path, many),
                      ("cy", "smile"): Media(tmp_path, many)}  # fmt: skip
    assert +the_set.plan().unused["no_codes"] == {"bo": 6, "cy": 8}
    with pytest.raises(LabelError, match=r"14 of 18 pictures have no codes.* \(cy 8, bo 6\)"):
        the_set.plan(unlabelled=0.75)
    assert the_set.plan(unlabelled=0.8).unused["no_codes"].total() == 14


def test_a_threshold_that_does_not_fit_is_refused(the_set):
    with pytest.raises(LabelError, match="ours: its codes are intensities"):
        the_set.plan(present_from=None)
    the_set.scale = "presence"
    the_set.codes = {("anna", "smile"): {0: (1, 0)}}
    with pytest.raises(LabelError, match="ours: its codes are 0 and 1"):
        the_set.plan()
    assert the_set.plan(present_from=None).frames["AU01"].tolist() == [1]


def test_exclusions_and_withdrawals(the_set):
    frames = {"subject": "anna", "frames": "4-7", "reason": "blurred"}
    plan = the_set.plan({"bo", "nobody"}, exclude=[frames])
    assert plan.left_out == {"bo": "withdrawn"}
    assert plan.excluded["frame"].tolist() == [4, 7]
    assert plan.unused["no_codes"].total() == 0
    assert plan.frames["subject"].unique().tolist() == ["anna"]
    with pytest.raises(ConfigurationError, match=r"coded_sets\.ours\.exclude names cy"):
        the_set.plan(exclude=[{"subject": "cy", "reason": "x"}])
    with pytest.raises(ConfigurationError, match=r"coded_sets\.ours: no subject is left"):
        the_set.plan({"anna", "bo"})
    the_set.codes["anna", "frown"] = {0: (2, 2)}
    the_set.media["anna", "frown"] = the_set.media["anna", "smile"]
    with pytest.raises(ConfigurationError, match="several recordings; add `recording`, one of"):
        the_set.plan(exclude=[frames])
    assert len(the_set.plan(exclude=[frames | {"recording": "smile"}]).excluded) == 2
    whole = {"subject": "anna", "recording": "frown", "reason": "x"}
    assert the_set.plan(exclude=[whole]).excluded["recording"].tolist() == ["frown"]
    with pytest.raises(ConfigurationError, match="recording that is not in the data; anna has"):
        the_set.plan(exclude=[whole | {"recording": "x"}])


@pytest.mark.parametrize(
    ("name", "safe"),
    [("F001", "F001"), ("a-b_c.d", "a-b_c.d"), ("a/b", "a-b~c14cddc0"), ("CON", "CON~a3dbc4b6"),
     (".x", "x~bb42e4c6"), ("é", "x~4a99557e"), ("ab" * 60, f"{'ab' * 40}~c513d65e")],
)  # fmt: skip
def test_names_are_safe_on_every_file_system(name, safe):
    assert safe_name(name) == safe


def test_two_frames_never_have_one_crop(the_set):
    the_set.codes["Anna", "smile"] = {4: (2, 2)}
    the_set.media["Anna", "smile"] = the_set.media["anna", "smile"]
    with pytest.raises(LabelError, match=r"frame 4 of smile of .*both have the crop .*_0+4\.j"):
        the_set.plan()
    del the_set.codes["Anna", "smile"]
    the_set.images = lambda subject, recording, frame: f"{subject}{frame % 4}"
    with pytest.raises(LabelError, match=r"frame 0 of smile of anna and frame 4 of smile"):
        the_set.plan()
    the_set.images = lambda subject, recording, frame: f"{frame}/{subject}"
    assert the_set.plan().frames["image"].tolist()[-1].startswith("2-bo~")


def crop(plan, out):
    plan.check()
    return crop_videos(plan.recordings, out, out.with_suffix(".work"), workers=Workers(0))


def test_only_labelled_pictures_are_cropped(the_set, portraits, tmp_path):
    for number in (0, 2, 4, 5):
        cv2.imwrite(str(tmp_path / f"{number}.png"), portraits[number % 3])
    (tmp_path / "7.png").write_bytes(b"<html>")
    done = crop(the_set.plan(), tmp_path / "out")
    assert sorted(files(tmp_path / "out")) == ["anna_smile_00000000.jpg",
        "anna_smile_00000004.jpg", "bo_smile_00000002.jpg"]  # fmt: skip
    assert done.quarantine.table()["path"].tolist() == ["anna_smile_00000007.jpg"]
    frames = join_crops(the_set.plan().frames, done, the_set.plan().excluded)
    assert frames["reason"].tolist() == ["", "", "not an image", ""]
    assert crop(the_set.plan(), tmp_path / "out").new == 0


@pytest.mark.parametrize("code", ["MJPG", "mp4v"])
def test_a_video_may_be_labelled_in_part(the_set, portraits, tmp_path, code):
    path = tmp_path / ("v.avi" if code == "MJPG" else "v.mp4")
    write_video(path, [portraits[n % 3] for n in range(7)], code)
    the_set.media = {key: Media(path, first_frame=0) for key in CODES}
    plan = the_set.plan(unmatched=0.25)
    done = crop(plan, tmp_path / "out")
    assert done.table[["subject", "frame"]].to_numpy().tolist() == [
        ["anna", 0], ["anna", 4], ["bo", 2]]  # fmt: skip
    row = done.quarantine.table().iloc[0]
    assert (row["path"], row["reason"]) == ("anna_smile_00000007.jpg", "no frame")
    lost = lost_frames(join_crops(plan.frames, done, plan.excluded))
    assert lost["no frame"].tolist() == [1, 0]
    with pytest.raises(
        LabelError, match=r"1 of 4 frames with codes have no picture \(anna 1\)"
    ):
        the_set.plan().check()
    with pytest.raises(LabelError, match=r"11 of 14 pictures have no codes.* \(bo 6, anna 5\)"):
        the_set.plan(unmatched=0.25, unlabelled=0.5).check()
    before = files(tmp_path / "out")
    the_set.media = {key: Media(path, first_frame=1) for key in CODES}
    the_set.codes = {key: {n + 1: codes for n, codes in own.items()}
                     for key, own in CODES.items()}  # fmt: skip
    crop(the_set.plan(unmatched=0.25), tmp_path / "1")
    assert sorted(files(tmp_path / "1").values()) == sorted(before.values())


def test_a_change_of_what_is_labelled_is_cropped_again(the_set, portraits, tmp_path):
    for number in (0, 2, 4, 7):
        cv2.imwrite(str(tmp_path / f"{number}.png"), portraits[number % 3])
    assert crop(the_set.plan(), tmp_path / "out").new == 4
    the_set.codes["anna", "smile"][4] = 2, 2
    assert crop(the_set.plan(), tmp_path / "out").new == 0
    del the_set.codes["anna", "smile"][4]
    assert crop(the_set.plan(), tmp_path / "out").new == 2
    assert "anna_smile_00000004.jpg" not in files(tmp_path / "out")


def test_another_labelled_frame_of_a_video_is_cropped(the_set, portraits, tmp_path):
    write_video(tmp_path / "v.avi", [portraits[0]] * 3)
    the_set.media = {key: Media(tmp_path / "v.avi", first_frame=0) for key in CODES}
    for frame in (0, 2):
        the_set.codes = {("anna", "smile"): {frame: (1, 2)}}
        crop(the_set.plan(), tmp_path / "out")
        assert list(files(tmp_path / "out")) == [f"anna_smile_0000000{frame}.jpg"]


def test_a_video_whose_first_frames_are_lost_is_refused(
    the_set, portraits, tmp_path, monkeypatch
):
    write_video(tmp_path / "v.mp4", [portraits[0]] * 9, "mp4v")
    the_set.media = {key: Media(tmp_path / "v.mp4", first_frame=0) for key in CODES}

    def without_the_first(*arguments):
        whole = decode_video(*arguments)
        next(whole)
        yield Undecodable(1)
        yield from whole

    monkeypatch.setattr("action_units.media.video.decode_video", without_the_first)
    with pytest.raises(LabelError, match="frame 1 cannot be decoded, but frames after it can"):
        crop(the_set.plan(), tmp_path / "out")
