"""What the rehearsal at full size makes is as large and as varied as the real thing."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.full_size import measure
from benchmarks.full_size_data import _numbered, coded_labels, groups, web_labels

from action_units.labels.action_units import DISFA_AUS, PRETRAIN_AUS, au_columns
from action_units.labels.folds import DISFA_SUBJECTS
from action_units.labels.names import parse_disfa_name, parse_web_name

NONE = Path("no/such/folder")


def test_made_up_frames_are_as_many_as_the_real_ones_and_come_and_go():
    frames = coded_labels(NONE, 1.0)
    assert len(frames) == 130_814
    assert tuple(frames["subject"].unique()) == DISFA_SUBJECTS
    assert not frames["image"].duplicated().any()
    named = parse_disfa_name(frames["image"].iloc[-1])
    assert (named.subject, named.frame) == tuple(frames.iloc[-1][["subject", "frame"]])
    labels = frames[au_columns(DISFA_AUS)]
    assert labels.isin((0, 1)).all(axis=None)
    shares = labels.mean()
    assert shares["AU25"] > 0.1 > shares["AU09"] > 0.005
    changes = labels.diff().abs().mean()
    assert (changes < shares / 4).all()  # events last for many frames


@pytest.mark.parametrize("scale", [0.01, 0.1])
def test_every_subject_keeps_the_same_part_of_its_frames(scale):
    frames = coded_labels(NONE, scale)
    counts = frames.groupby("subject").size()
    assert set(counts.index) == set(DISFA_SUBJECTS)
    np.testing.assert_allclose(counts, 4845 * scale, atol=1)
    first = frames[frames["subject"] == "SN001"]["frame"]
    assert (first.diff().dropna() == 1).all()


def test_web_faces_have_people_who_are_in_one_file_only():
    faces = web_labels(NONE, 0.01)
    assert len(faces) == 1600
    assert not faces["image"].duplicated().any()
    assert parse_web_name(faces["image"].iloc[7]).identity == faces["subject"].iloc[7]
    assert (faces.groupby("subject")["split"].nunique() == 1).all()
    assert set(faces["split"]) == {"train", "test"}
    assert 0.5 < faces[au_columns(PRETRAIN_AUS)].mean()["AU01"] < 0.7
    assert groups(["SN002", "SN001"])["subject"].tolist() == ["SN001", "SN002"]


def test_no_two_files_are_the_same():
    picture = np.full((96, 96), 128, np.uint8)
    numbers = [*range(300), 290_813, 290_814, 2**20 - 1]
    assert len({_numbered(picture, number) for number in numbers}) == len(numbers)


def test_a_stage_is_measured_with_what_its_nodes_take(tmp_path):
    (tmp_path / "data/01_raw").mkdir(parents=True)
    (tmp_path / "data/01_raw/given").write_bytes(bytes(1 << 20))
    script = (
        "from pathlib import Path; held = bytearray(60 << 20)\n"
        "print('INFO [1/1] waits', flush=True)\n"
        "Path('data/02').mkdir(); Path('data/02/made').write_bytes(held[:1 << 19])\n"
    )
    used = measure(["python", "-c", script], tmp_path, tmp_path / "log")
    assert list(used.nodes) == ["start", "waits"]
    assert sum(one.seconds for one in used.nodes.values()) == pytest.approx(used.seconds)
    assert used.peak > 60
    assert used.disk == 0.5
    assert used.cpu > 0
    with pytest.raises(SystemExit, match="log"):
        measure(["python", "-c", "raise ValueError"], tmp_path, tmp_path / "log")
