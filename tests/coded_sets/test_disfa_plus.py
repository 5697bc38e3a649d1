"""DISFA+'s trials: codes and pictures that belong together by the pictures' names."""

import pytest

from action_units.coded_sets.plan import plan_coded_set
from action_units.config.data import CodedSetSettings
from action_units.errors import LabelError
from tests.coded_sets.test_disfa import touch

TRIALS = {("SN001", "A1_AU1_TrailNo_1"): 3, ("SN027", "B2_Happy_TrailNo_2"): 2}


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "plus"
    for (subject, trial), count in TRIALS.items():
        for au in (1, 12):
            path = root / f"Labels/{subject}/{trial}/AU{au}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = [f"{frame:03d}.jpg     {frame * 2}" for frame in range(count)]
            path.write_text("\n".join([f"AU{au}", "Image     Intensity", *lines]))
        touch(root, *(f"Images/{subject}/{trial}/{frame:03d}.jpg" for frame in range(count)))
    return root


def plan(root, **settings):
    given = {"reader": "disfa_plus", "protocol": "x"} | settings
    return plan_coded_set("plus", CodedSetSettings(**given), root)


@pytest.mark.parametrize("inner", [False, True])
def test_every_trial_is_read_with_its_pictures(root, inner):
    if inner:  # as it is unpacked
        for path in [*(root / "Images").iterdir(), *(root / "Labels").iterdir()]:
            path.rename(path.with_name("x"))
            path.mkdir()
            path.with_name("x").rename(path / path.name)
    touch(root, "FaceLandmarks/SN001/A1_AU1_TrailNo_1_FaceCropped.mat", "readme.txt")
    found = plan(root)
    assert found.frames[["subject", "recording", "frame", "AU01", "AU12_r"]].to_numpy().tolist(
    ) == [["SN001", "A1_AU1_TrailNo_1", 0, 0, 0], ["SN001", "A1_AU1_TrailNo_1", 1, 1, 2],
          ["SN001", "A1_AU1_TrailNo_1", 2, 1, 4], ["SN027", "B2_Happy_TrailNo_2", 0, 0, 0],
          ["SN027", "B2_Happy_TrailNo_2", 1, 1, 2]]  # fmt: skip
    assert found.frames["image"][0] == "SN001_A1_AU1_TrailNo_1_00000000.jpg"
    assert [path.name for path in found.recordings[1].pictures.values()] == [
        "000.jpg", "001.jpg"]  # fmt: skip
    assert (found.set_aside, found.skipped) == ({}, [])
    assert len(plan(root, exclude=[{"subject": "SN001", "reason": "x"}]).frames) == 2


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (lambda r: (r / "Labels/SN027/B2_Happy_TrailNo_2/AU12.txt").unlink(),
         "AU12.txt is missing"),
        (lambda r: (r / "Labels/SN027/B2_Happy_TrailNo_2/AU1.txt").write_text("000.jpg 1\n"),
         "picture 001 is in only one of AU12.txt and AU1.txt"),
        (lambda r: (r / "Images/SN027/B2_Happy_TrailNo_2/001.jpg").unlink(),
         "1 of its 2 pictures are missing, such as 001"),
        (lambda r: (r / "Images/SN027/B2_Happy_TrailNo_2").rename(r / "other"),
         "2 of its 2 pictures are missing, such as 000"),
    ],
)  # fmt: skip
def test_a_trial_that_does_not_fit_is_set_aside_by_name(root, fault, reason, caplog):
    fault(root)
    found = plan(root)
    assert found.set_aside == {"SN027/B2_Happy_TrailNo_2": reason}
    assert set(found.frames["subject"]) == {"SN001"}
    assert found.unused["no_codes"].total() == 0
    found.log_counts()
    assert f"plus: recordings set aside: SN027/B2_Happy_TrailNo_2 ({reason})" in caplog.text
    with pytest.raises(LabelError, match=f"none of its 1 trials can be used: SN027/.*{reason}"):
        plan(root, exclude=[{"subject": "SN001", "reason": "x"}])


def test_two_folders_of_pictures_are_not_mixed(root):
    touch(root, "Aligned/SN001/A1_AU1_TrailNo_1/000.jpg")
    with pytest.raises(LabelError, match=r"both A1_AU1_Tr.* of SN001.*coded_sets\.plus\.media"):
        plan(root)
    images, labels = str(root / "Images"), str(root / "Labels")
    assert len(plan(root, media=images, labels=labels).frames) == 5
