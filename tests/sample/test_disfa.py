from pathlib import Path

import cv2
import numpy as np
import pytest

from action_units.config import DisfaSampleConfig, WebSampleConfig
from action_units.labels.action_units import DISFA_AUS, PRETRAIN_AUS, au_columns
from action_units.labels.annotations.read import read_annotations
from action_units.labels.disfa import read_disfa
from action_units.labels.folds import FG2020, STANDARD, FoldProtocol
from action_units.sample.disfa import (
    write_disfa_annotations,
    write_disfa_sample,
    write_subject,
)
from action_units.sample.disfa_plan import (
    COMBINATIONS,
    PREVALENCE,
    SUBJECTS,
    intensities,
)
from action_units.sample.openface import PRESENT_FROM, positive_chance
from action_units.sample.web import list_photographs, scene_of

RENDERED = SUBJECTS[:3]  # the others are rendered in the same way
SMALL = DisfaSampleConfig(frames_per_subject=24, width=176, height=160)


def occurrences(config: DisfaSampleConfig) -> dict[str, np.ndarray]:
    columns = [PRETRAIN_AUS.index(au) for au in DISFA_AUS]
    return {
        subject: np.rint(intensities(config, subject)[:, columns]) >= 2 for subject in SUBJECTS
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disfa") / "sample"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("action_units.sample.disfa.SUBJECTS", RENDERED)
        assert write_disfa_sample(folder, SMALL, workers=2)
    return folder


def test_every_video_has_a_label_for_every_frame(small: Path) -> None:
    table = read_disfa(small / "ActionUnit_Labels").present(2).table
    assert table["subject"].nunique() == len(RENDERED)
    for subject, rows in table.groupby("subject"):
        video = cv2.VideoCapture(
            str(small / f"Videos_RightCamera/RightVideo{subject}_comp.avi")
        )
        decoded = 0
        while True:
            fine, picture = video.read()
            if not fine:
                break
            assert picture.shape == (160, 176, 3)
            decoded += 1
        assert decoded == len(rows) == 24
        assert list(rows["frame"]) == list(range(1, 25))


def test_the_written_labels_are_the_planned_ones(small: Path) -> None:
    table = read_disfa(small / "ActionUnit_Labels").present(2).table
    labels = occurrences(SMALL)
    planned = np.concatenate([labels[subject] for subject in RENDERED])
    np.testing.assert_array_equal(table.filter(regex=r"^AU\d\d$").to_numpy(bool), planned)


def test_any_number_of_workers_writes_the_same_bytes(small: Path, tmp_path: Path) -> None:
    (tmp_path / "Videos_RightCamera").mkdir()
    write_subject(tmp_path, SMALL, RENDERED[1])
    alone = {path.relative_to(tmp_path): path.read_bytes() for path in files(tmp_path)}
    together = {path.relative_to(small): path.read_bytes() for path in files(small)}
    assert len(together) == len(RENDERED) * len(alone) + 2  # the marker and the hashes
    assert alone == {path: together[path] for path in alone}


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_prevalences_are_those_of_disfa(seed: int) -> None:
    labels = np.concatenate(list(occurrences(DisfaSampleConfig(seed=seed)).values()))
    for column, au in enumerate(DISFA_AUS):
        assert labels[:, column].mean() == pytest.approx(PREVALENCE[au], abs=0.003)


def test_aus_occur_together_as_in_disfa(real_labels: Path) -> None:
    real = np.concatenate(
        [
            np.loadtxt(real_labels / f"fold{k}_test.csv.gz", delimiter=",", dtype=str,
                       quotechar='"')[:, 2:].astype(int)
            for k in (1, 2)
        ]
    )  # fmt: skip
    ours = np.concatenate(list(occurrences(DisfaSampleConfig()).values()))
    real_r, our_r = np.corrcoef(real.T), np.corrcoef(ours.T)
    pairs = np.triu_indices(12, 1)
    assert np.abs(real_r[pairs] - our_r[pairs]).mean() < 0.03
    assert np.abs(real_r[pairs] - our_r[pairs]).max() < 0.15


def test_the_combinations_make_up_the_prevalences() -> None:
    shares = np.array([share for _, share in COMBINATIONS])
    assert shares.sum() == pytest.approx(100, abs=0.1)
    for au in DISFA_AUS:
        having = sum(share for aus, share in COMBINATIONS if au in aus)
        assert having == pytest.approx(100 * PREVALENCE[au], abs=0.02)


@pytest.mark.parametrize("protocol", [FG2020, STANDARD])
@pytest.mark.parametrize("frames", [24, 40, 100])
@pytest.mark.parametrize("seed", [0, 1911, 77])
def test_every_fold_tests_and_trains_on_every_au(
    protocol: FoldProtocol, frames: int, seed: int
) -> None:
    labels = occurrences(DisfaSampleConfig(seed=seed, frames_per_subject=frames))
    for group in protocol.groups:
        test = np.array([labels[s].any(axis=0) for s in group])
        train = np.array([labels[s].any(axis=0) for s in SUBJECTS if s not in group])
        assert test.any(axis=0).all()
        assert (train.sum(axis=0) >= 2).all()


def test_subjects_differ_in_how_much_they_show() -> None:
    labels = occurrences(DisfaSampleConfig())
    rates = np.array([rows.mean(axis=0) for rows in labels.values()])  # (27, 12)
    common = rates.mean(axis=0) > 0.04
    variation = rates[:, common].std(axis=0) / rates[:, common].mean(axis=0)
    assert variation.mean() > 0.7


def test_expressions_rise_and_fall() -> None:
    config = DisfaSampleConfig(frames_per_subject=200)
    weak = strong = 0
    for subject in SUBJECTS[:6]:
        course = intensities(config, subject)[:, [PRETRAIN_AUS.index(au) for au in DISFA_AUS]]
        assert course.min() >= 0
        assert course.max() <= 5
        weak += int(((course > 0) & (course < 1.5)).sum())
        strong += int((course >= 1.5).sum())
    assert 0.5 < weak / strong < 2.0


def test_uncoded_aus_are_shown_but_not_written(small: Path) -> None:
    course = np.concatenate([intensities(SMALL, subject) for subject in SUBJECTS])
    for au in (7, 10, 14, 23, 28, 45):
        assert 0.002 < (course[:, PRETRAIN_AUS.index(au)] >= 1.5).mean() < 0.2
        assert not list(small.rglob(f"*_au{au}.txt"))


def test_the_annotator_of_the_web_photographs_labels_the_videos_too(tmp_path):
    config = DisfaSampleConfig(frames_per_subject=24)
    web = WebSampleConfig(photographs=60, identities=20, noise="class_conditional")
    folder = tmp_path / "openface"
    assert write_disfa_annotations(folder, config, web)
    read = read_annotations(folder, suffix="").table
    assert set(read["image"]) == set(SUBJECTS)
    course = np.concatenate(
        [intensities(config, subject) for subject in read["image"].unique()]
    )
    rows = read["image"].map({s: k for k, s in enumerate(read["image"].unique())}) * 24
    shown = course[(rows + read["frame"] - 1).to_numpy()] >= PRESENT_FROM
    said = read[au_columns(PRETRAIN_AUS)].to_numpy() == 1
    expected = positive_chance(shown * 5.0, web, scene_of(web, list_photographs(web)).truth)
    for k in range(len(PRETRAIN_AUS)):  # at the rates that it has on the web
        for part in (shown[:, k], ~shown[:, k]):
            n, p = part.sum(), expected[part, k].mean() if part.any() else 0.5
            assert abs(said[part, k].sum() - n * p) < 4 * np.sqrt(n * p * (1 - p)) + 1


def test_other_noise_labels_the_videos_again_and_the_same_does_not(tmp_path):
    config = DisfaSampleConfig(frames_per_subject=24)
    web = WebSampleConfig(photographs=20, identities=10)
    write_disfa_annotations(tmp_path / "openface", config, web)
    before = (tmp_path / "openface/SN001.csv").read_bytes()
    assert not write_disfa_annotations(tmp_path / "openface", config, web)
    assert (tmp_path / "openface/SN001.csv").read_bytes() == before
    other = web.model_copy(update={"noise": "mild"})
    write_disfa_annotations(tmp_path / "openface", config, other)
    assert (tmp_path / "openface/SN001.csv").read_bytes() != before
