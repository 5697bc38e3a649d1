"""DISFA's recordings as they lie on people's disks, and what they are matched with."""

import re
import shutil

import cv2
import pytest
import yaml

from action_units.coded_sets.disfa import find_recordings
from action_units.coded_sets.plan import plan_coded_set
from action_units.config.data import CodedSetSettings
from action_units.errors import ConfigurationError, LabelError
from action_units.faces.preprocess import check_recording, crop_videos
from action_units.faces.workers import Workers
from action_units.labels.action_units import DISFA_AUS
from action_units.media.video import ContainerInfo, read_frames
from action_units.media.video_stream import Undecodable, decode_video
from tests.faces.recordings import recording
from tests.faces.test_crop_videos import files, write_video


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


@pytest.mark.parametrize(
    "name",
    [
        "Videos_RightCamera/RightVideoSN001_comp.avi",
        "Video_RightCamera/RightVideoSN001_comp.avi",
        "Videos_RightCamera/Videos_RightCamera/RightVideoSN001_Comp.AVI",
        "DISFA/DISFA/Videos_RightCamera/RightVideoSN001.mp4",
        "video_rightcamera/rightvideosn1_comp.mkv",
        "Videos_RightCamera/SN001.avi",
        "Right/SN001_comp.mov",
        "RightVideoSN001_comp.wmv",
        "videos/SN001.avi",
    ],
)
def test_a_video_is_found_wherever_it_lies(tmp_path, name):
    touch(tmp_path, name, "Videos_LeftCamera/LeftVideoSN001_comp.avi",
          "Landmark_Points/SN001/0001_lm.txt")  # fmt: skip
    found = find_recordings(tmp_path)
    assert found.videos == {"SN001": tmp_path / name}
    assert found.skipped == []


def test_what_lies_beside_the_videos_is_named_and_not_read(tmp_path):
    names = [f"Videos_RightCamera/{name}" for name in (
        "Thumbs.db", ".DS_Store", "._RightVideoSN001_comp.avi", "notes.txt",
        "RightVideoSN001_comp (1).avi", "RightVideoSN001_comp - Copy.avi",
        "RightVideoSN001_comp.avi.part", "RightVideoSN001_comp.txt")]  # fmt: skip
    good = "Videos_RightCamera/RightVideoSN001_comp.avi"
    touch(tmp_path, *names, good, "Videos_RightCamera 2/RightVideoSN001_comp.avi")
    found = find_recordings(tmp_path)
    assert found.videos == {"SN001": tmp_path / good}
    passed = {str(path.relative_to(tmp_path)) for path in found.skipped}
    assert passed == {*names, "Videos_RightCamera 2"}


def test_both_folders_of_a_camera_may_be_there(tmp_path):
    touch(tmp_path, "Videos_RightCamera/RightVideoSN001_comp.avi")
    (tmp_path / "Video_RightCamera").symlink_to("Videos_RightCamera")
    assert list(find_recordings(tmp_path).videos) == ["SN001"]
    (tmp_path / "Video_RightCamera").unlink()
    shutil.copytree(tmp_path / "Videos_RightCamera", tmp_path / "Video_RightCamera")
    found = find_recordings(tmp_path)
    assert len(found.skipped) == len(found.videos) == 1
    touch(tmp_path, "Video_RightCamera/RightVideoSN002_comp.avi")
    assert list(find_recordings(tmp_path).videos) == ["SN001", "SN002"]
    (tmp_path / "Video_RightCamera/RightVideoSN001_comp.avi").write_bytes(b"another")
    with pytest.raises(LabelError, match=r"RightVideoSN001_comp\.avi is of the same subject"):
        find_recordings(tmp_path)


def test_without_a_recording_the_sentence_says_what_is_there(tmp_path):
    touch(tmp_path, "clips/person1.avi", "ActionUnit_Labels/x.txt")
    with pytest.raises(
        LabelError, match="no video is there; expected RightVideoSN001"
    ) as error:
        find_recordings(tmp_path)
    assert "there is ActionUnit_Labels/, clips/; names not understood: " in str(error.value)
    assert "clips/person1.avi" in str(error.value)
    touch(tmp_path, "Videos_LeftCamera/LeftVideoSN001_comp.avi")
    with pytest.raises(LabelError, match=r"1 files of the left .*coded_sets\.\S+\.camera=Left"):
        find_recordings(tmp_path)
    assert list(find_recordings(tmp_path, "Left").videos) == ["SN001"]


FRAMES = [
    ("RightVideoSN001_comp/RightVideoSN001_comp_{:05d}.jpg", 1),
    ("Videos_RightCamera/RightVideoSN001_comp/{:05d}.png", 1),
    ("img/SN001/{}.png", 0),
    ("img/sn1/{}.PNG", 1),
    ("SN001/frame_{:04d}.png", 1),
    ("SN001/frames/frame-{}.bmp", 0),
    ("flat/RightVideoSN001_{:08d}.jpeg", 0),
]


@pytest.mark.parametrize(("name", "first"), FRAMES)
def test_extracted_frames_are_found_in_the_order_of_their_numbers(tmp_path, name, first):
    names = [name.format(first + k) for k in range(12)]
    touch(tmp_path, *names)
    for said in (None, first):
        assert find_recordings(tmp_path, first_frame=said).pictures == {
            "SN001": tuple(tmp_path / name for name in names)
        }
    with pytest.raises(LabelError, match=f"expected number {1 - first} .*first_frame"):
        find_recordings(tmp_path, first_frame=1 - first)


def test_copies_and_others_among_extracted_frames_are_named(tmp_path):
    good = [f"SN001/{k}.png" for k in range(3)]
    odd = ["SN001/0 (1).png", "SN001/1 2.png", "SN001/._2.png", "SN001/Thumbs.db",
           "SN001/SN001.txt"]  # fmt: skip
    touch(tmp_path, *good, *odd, "SN001 2/0.png")
    found = find_recordings(tmp_path)
    assert [path.name for path in found.pictures["SN001"]] == ["0.png", "1.png", "2.png"]
    passed = {str(path.relative_to(tmp_path)) for path in found.skipped}
    assert passed == {*odd, "SN001 2"}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("0.png", "1.png", "3.png"), r"frame number 2 is missing between 1\.png and 3\.png"),
        (("0.png", "1.png", "1.jpg", "2.png"), r"1\.jpg and 1\.png have the same number"),
        (("2.png", "3.png"), r"begin with 2\.png; expected number 0 or 1"),
        (("a_0.png", "a_1.png", "b_0.png", "b_1.png"), "both begin extracted frames of SN001"),
    ],
)
def test_extracted_frames_that_may_not_meet_their_labels_are_refused(tmp_path, names, words):
    touch(tmp_path, *(f"SN001/{name}" for name in names))
    with pytest.raises(LabelError, match=words):
        find_recordings(tmp_path)
    assert find_recordings(tmp_path, left_out={"SN001"}).pictures == {}


def test_a_video_is_read_rather_than_its_extracted_frames(tmp_path):
    touch(tmp_path, "v/RightVideoSN001_comp.avi", "f/SN001/5.png", "f/SN002/0.png")
    found = find_recordings(tmp_path)
    assert (list(found.videos), list(found.pictures)) == (["SN001"], ["SN002"])
    assert found.skipped == [tmp_path / "f/SN001"]


@pytest.fixture
def disfa(portraits, tmp_path):
    """Two subjects of four frames; the third frame of the first shows somebody else."""
    root = tmp_path / "disfa"
    who = {"SN001": [0, 0, 1, 0], "SN002": [2] * 4}
    for subject, people in who.items():
        videos, labels = root / "Videos_RightCamera", root / "ActionUnit_Labels" / subject
        videos.mkdir(exist_ok=True, parents=True)
        labels.mkdir(parents=True)
        write_video(videos / f"RightVideo{subject}_comp.avi", [portraits[k] for k in people])
        for au in DISFA_AUS:
            lines = [f"{frame},{(au + frame) % 6}" for frame in range(1, 5)]
            (labels / f"{subject}_au{au}.txt").write_text("\n".join(lines))
    return root


def extract(disfa, name, first):
    """Replace the videos by their frames, as ffmpeg and others name them."""
    for subject in ("SN001", "SN002"):
        video = disfa / f"Videos_RightCamera/RightVideo{subject}_comp.avi"
        for number, pixels in enumerate(read_frames(video, None), first):
            path = disfa / name.replace("SN001", subject).format(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), pixels)
    shutil.rmtree(disfa / "Videos_RightCamera")


def plan_disfa(disfa, **options):
    settings = CodedSetSettings(reader="disfa", protocol="fg2020", **options)
    return plan_coded_set("disfa", settings, disfa)


def crop(disfa, out, **options):
    plan = plan_disfa(disfa, **options)
    plan.check()
    done = crop_videos(plan.recordings, out, out.with_suffix(".work"), workers=Workers(0))
    return plan, done


@pytest.mark.parametrize(
    ("name", "first"), [("img/SN001/{}.png", 0), ("RightVideoSN001_comp/{:05d}.bmp", 1)]
)
def test_extracted_frames_give_the_crops_of_the_video_under_the_same_labels(
    disfa, tmp_path, name, first
):
    before, from_video = crop(disfa, tmp_path / "1")
    extract(disfa, name, first)
    after, from_pictures = crop(disfa, tmp_path / "2")
    assert from_pictures.table.equals(from_video.table)
    assert files(tmp_path / "1") == files(tmp_path / "2")
    assert after.frames.equals(before.frames)
    again = crop_videos(
        after.recordings, tmp_path / "2", tmp_path / "2.work", workers=Workers(0)
    )
    assert again.new == 0


def test_a_damaged_extracted_frame_is_set_aside_and_shifts_nothing(disfa, tmp_path):
    crop(disfa, tmp_path / "1")
    extract(disfa, "img/SN001/{}.png", 0)
    (disfa / "img/SN001/1.png").write_bytes(b"<html>")
    plan, done = crop(disfa, tmp_path / "2")
    row = done.quarantine.table().iloc[0]
    assert (row["path"], row["reason"]) == ("RightVideoSN001_00000001.jpg", "not an image")
    assert done.table["frame"].tolist() == [1, 3, 4, 1, 2, 3, 4]
    lost = files(tmp_path / "1")
    del lost["RightVideoSN001_00000001.jpg"]
    assert files(tmp_path / "2") == lost
    (disfa / "img/SN001/1.png").write_bytes((disfa / "img/SN001/0.png").read_bytes())
    assert len(crop_videos(plan.recordings, tmp_path / "2", tmp_path / "2.work",
                           workers=Workers(0)).table) == 8  # fmt: skip


@pytest.mark.parametrize("extracted", [False, True])
@pytest.mark.parametrize("labels", [3, 5])
def test_a_frame_more_or_less_than_labels_has_a_way_on_that_shifts_nothing(
    disfa, tmp_path, extracted, labels
):
    _, whole = crop(disfa, tmp_path / "1")
    for path in (disfa / "ActionUnit_Labels/SN001").iterdir():
        lines = [f"{frame},{frame % 6}" for frame in range(1, labels + 1)]
        path.write_text("\n".join(lines))
    options = {}
    if extracted:
        extract(disfa, "img/SN001/{}.png", 0)
        options = {"first_frame": 0}
    with pytest.raises(LabelError, match=rf"4 frames .* {labels} have labels") as error:
        crop(disfa, tmp_path / "2", **options)
    assert "frame_count_tolerance: 1 in the set's entry" in str(error.value)
    if extracted:
        with pytest.raises(LabelError, match=r"coded_sets\.disfa\.first_frame=0 or =1"):
            plan_disfa(disfa, frame_count_tolerance=1)
    plan, done = crop(disfa, tmp_path / "3", frame_count_tolerance=1, **options)
    kept = whole.table.query(f"subject != 'SN001' or frame <= {labels}")
    assert done.table.equals(kept.reset_index(drop=True))
    assert (plan.frames["subject"] == "SN001").sum() == labels
    row = done.quarantine.table().iloc[0]
    surplus = {3: (str(plan.recordings[0].path), "no label"),
               5: ("RightVideoSN001_00000004.jpg", "no frame")}  # fmt: skip
    assert (row["path"], row["reason"]) == surplus[labels]
    crops = files(tmp_path / "1")
    if labels == 3:
        del crops["RightVideoSN001_00000003.jpg"]
    assert files(tmp_path / "3") == crops


def test_more_than_the_tolerance_is_refused_after_cropping_too(disfa, tmp_path):
    video = find_recordings(disfa).videos["SN001"]
    for frames in (2, 6):
        job = recording(video, "SN001", frames, tolerance=1)
        with pytest.raises(LabelError, match=f"4 frames are in the file, but {frames} have"):
            crop_videos([job], tmp_path / "out", tmp_path / "work", workers=Workers(0))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda d: (d / "Videos_RightCamera/RightVideoSN002_comp.avi").write_bytes(b"RIFF"),
         r"RightVideoSN002_comp\.avi"),
        (lambda d: (d / "Videos_RightCamera/RightVideoSN002_comp.avi").rename(
            d / "Videos_RightCamera/RightVideoSN002_comp (1).avi"),
         r"SN002 has no video .*RightVideoSN002_comp \(1\)\.avi"),
        (lambda d: shutil.rmtree(d / "ActionUnit_Labels/SN002"),
         r"SN002 has no label folder; put it there, or leave .*\{subject: SN002, reason: …\}"),
        (lambda d: (d / "ActionUnit_Labels/SN002/SN002_au6.txt").write_text("1,7"),
         r"SN002_au6\.txt, line 1: frame 1 has intensity 7"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_anything_is_cropped(disfa, fault, words):
    fault(disfa)
    with pytest.raises(LabelError, match=words):
        plan_disfa(disfa).check()
    left_out = [{"subject": "SN002", "reason": "x"}]
    plan = plan_disfa(disfa, exclude=left_out)
    plan.check()
    assert [one.subject for one in plan.recordings] == ["SN001"]
    assert plan.left_out == {"SN002": "x"}


def test_of_many_subjects_without_a_video_one_line_leaves_all_out(disfa):
    for number in range(3, 14):
        shutil.copytree(
            disfa / "ActionUnit_Labels/SN001", disfa / f"ActionUnit_Labels/{number}"
        )
        renamed = disfa / f"ActionUnit_Labels/SN{number:03d}"
        (disfa / f"ActionUnit_Labels/{number}").rename(renamed)
        for path in renamed.iterdir():
            path.rename(path.with_name(path.name.replace("SN001", renamed.name)))
    with pytest.raises(LabelError, match="SN003, .* and 6 more have no video") as error:
        plan_disfa(disfa)
    [line] = re.findall(r"parameters_data\.yml: (.*\}\})\.", str(error.value))
    entries = yaml.safe_load(line)["coded_sets"]["disfa"]["exclude"]
    plan = plan_disfa(disfa, exclude=entries)
    assert [one.subject for one in plan.recordings] == ["SN001", "SN002"]


@pytest.mark.parametrize(
    ("exclusion", "words"),
    [
        ({"subject": "SN009"}, "exclude names SN009"),
        ({"subject": "SN009", "frames": 1}, "names a subject that is not in the data"),
        ({"subject": "SN001", "frames": "3-9"}, "SN001 has frames 1 to 4"),
    ],
)
def test_exclusions_of_what_is_not_there_are_refused(disfa, exclusion, words):
    with pytest.raises(ConfigurationError, match=words):
        plan_disfa(disfa, exclude=[{**exclusion, "reason": "x"}])


def test_codes_of_0_and_1_are_presence_where_the_set_says_so(disfa):
    with pytest.raises(
        LabelError, match=r"_au1\.txt, line 1: frame 1 has code 2; .*null codes"
    ):
        plan_disfa(disfa, present_from=None)
    for path in (disfa / "ActionUnit_Labels").rglob("*.txt"):
        path.write_text("".join(f"{frame},{frame % 2}\n" for frame in range(1, 5)))
    frames = plan_disfa(disfa, present_from=None).frames
    assert frames["AU12"].tolist() == [1, 0, 1, 0] * 2
    assert "AU12_r" not in frames
    with pytest.raises(LabelError, match=r"ActionUnit_Labels: its highest code is 1"):
        plan_disfa(disfa)


def test_a_container_that_lists_a_wrong_length_is_counted(disfa, monkeypatch):
    plan = plan_disfa(disfa)
    for said in (7, None):
        answer = ContainerInfo(20.0, said)
        monkeypatch.setattr(
            "action_units.faces.preprocess.container_info", lambda *_, a=answer: a
        )
        plan.check()


def test_a_tolerance_lets_no_frame_at_the_beginning_be_lost(portraits, tmp_path, monkeypatch):
    path = tmp_path / "RightVideoSN001.mp4"
    write_video(path, [portraits[0]] * 4, "mp4v")

    def without_the_first(*arguments):
        whole = decode_video(*arguments)
        next(whole)
        yield Undecodable(1)
        yield from whole

    monkeypatch.setattr("action_units.media.video.decode_video", without_the_first)
    with pytest.raises(LabelError, match="frame 1 cannot be decoded, but frames after it can"):
        check_recording(recording(path, "SN001", 4, tolerance=1), None)


@pytest.mark.parametrize("labels", [3, 5])
def test_the_length_of_any_container_is_known_before_cropping(portraits, tmp_path, labels):
    path = tmp_path / "RightVideoSN001.mp4"
    write_video(path, [portraits[0]] * 4, "mp4v")
    check_recording(recording(path, "SN001", 4), None)
    with pytest.raises(LabelError, match=f"4 frames can be decoded, but {labels} have labels"):
        check_recording(recording(path, "SN001", labels), None)
