from pathlib import Path

import cv2
import numpy as np
import pytest

from action_units.coded_sets.table import read_table
from action_units.config import DisfaSampleConfig, StudioSampleConfig, WebSampleConfig
from action_units.config.data import CodedSetSettings
from action_units.labels.action_units import au_columns
from action_units.labels.coded_frames import MISSING
from action_units.sample import disfa
from action_units.sample.disfa_plan import SUBJECTS as DISFA_SUBJECTS
from action_units.sample.identity import draw_identity
from action_units.sample.layout import MARKER
from action_units.sample.muscles import RENDERED_AUS
from action_units.sample.studio import subject_identity, write_studio_sample, write_subject
from action_units.sample.studio_plan import (
    HIDES,
    NEVER_SCORED,
    STUDIO_AUS,
    SUBJECTS,
    codes,
    codes_csv,
    intensities,
    occluder,
)

RENDERED = SUBJECTS[2:4]  # the others are rendered in the same way
SMALL = StudioSampleConfig(frames_per_subject=24, width=176, height=160)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studio") / "sample"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("action_units.sample.studio.SUBJECTS", RENDERED)
        assert write_studio_sample(folder, SMALL, workers=1)
        assert not write_studio_sample(folder, SMALL, workers=1)
    return folder


def test_every_coded_frame_has_a_picture_and_every_picture_a_code(small: Path) -> None:
    assert sorted(path.name for path in small.iterdir()) == sorted(
        [MARKER, "SHA256SUMS", "codes.csv", "frames"]
    )
    rows = [line.split(",") for line in (small / "codes.csv").read_text().splitlines()[1:]]
    coded = [f"frames/{subject}/{int(frame):04d}.png" for subject, frame, *_ in rows]
    pictures = [path.relative_to(small).as_posix() for path in small.rglob("*.png")]
    assert sorted(pictures) == [path for path in coded if path.split("/")[1] in RENDERED]
    for path in pictures[::8]:
        picture = cv2.imread(str(small / path), cv2.IMREAD_UNCHANGED)
        assert picture.shape == (160, 176)


def test_each_subject_is_rendered_to_the_same_bytes_alone(small: Path, tmp_path: Path) -> None:
    write_subject(tmp_path, SMALL, RENDERED[1])
    for path in tmp_path.rglob("*.png"):
        other = small / "frames" / path.relative_to(tmp_path)
        assert path.read_bytes() == other.read_bytes()


def test_the_table_has_the_shown_intensities_as_letters() -> None:
    header, *lines = codes_csv(SMALL).splitlines()
    assert header == "subject,frame," + ",".join(f"AU{au:02d}" for au in STUDIO_AUS)
    rows = [line.split(",") for line in lines]
    assert [row[:2] for row in rows] == [[s, str(k)] for s in SUBJECTS for k in range(1, 25)]
    written = np.array(["0ABCDE.........9".index(c) for row in rows for c in row[2:]])
    columns = [RENDERED_AUS.index(au) for au in STUDIO_AUS]
    shown = np.concatenate([intensities(SMALL, subject)[:, columns] for subject in SUBJECTS])
    scored = written.reshape(shown.shape) <= 5
    np.testing.assert_array_equal(written.reshape(shown.shape)[scored], np.rint(shown)[scored])
    assert 0.8 < scored.mean() < 0.97


def test_the_reader_of_tables_reads_back_what_the_coders_wrote(small: Path) -> None:
    settings = CodedSetSettings(reader="table", present_from=2, protocol="studio_folds")
    left_out = set(SUBJECTS) - set(RENDERED)
    read = read_table(settings, small, left_out)
    assert read.frames.aus == STUDIO_AUS
    table = read.frames.table
    assert list(table["subject"]) == [subject for subject in RENDERED for _ in range(24)]
    planned = np.concatenate([codes(SMALL, subject) for subject in RENDERED])
    np.testing.assert_array_equal(table[au_columns(STUDIO_AUS)], planned)
    assert not read.set_aside
    assert not read.skipped
    for subject in RENDERED:
        pictures = read.media[subject, subject].pictures
        assert pictures is not None
        assert dict(pictures) == {
            frame: small / f"frames/{subject}/{frame:04d}.png" for frame in range(1, 25)
        }


def test_what_cannot_be_seen_is_not_scored() -> None:
    config = StudioSampleConfig()
    for subject in SUBJECTS:
        coded = codes(config, subject)
        never = NEVER_SCORED.get(subject, ())
        assert (coded[0] == MISSING).all()
        for index in range(1, len(coded)):
            hidden = {*never, *HIDES.get(occluder(config, subject, index)[0], ())}
            missing = {
                au for au, code in zip(STUDIO_AUS, coded[index], strict=True) if code < 0
            }
            assert missing == hidden


@pytest.mark.parametrize("seed", [0, 1911])
@pytest.mark.parametrize("frames", [24, 80])
def test_every_fold_tests_and_trains_on_every_au(frames: int, seed: int) -> None:
    config = StudioSampleConfig(seed=seed, frames_per_subject=frames)
    shows = np.array([(codes(config, subject) >= 2).any(axis=0) for subject in SUBJECTS])
    for test in np.split(np.arange(12), 3):
        assert shows[test].any(axis=0).all()
        assert (np.delete(shows, test, axis=0).sum(axis=0) >= 2).all()


def test_every_au_is_neither_rare_nor_common() -> None:
    coded = np.concatenate([codes(StudioSampleConfig(), subject) for subject in SUBJECTS])
    for column in coded.T:
        assert 0.05 < (column[column != MISSING] >= 2).mean() < 0.25
        assert set(column) >= {MISSING, 0, 1, 2, 3, 4}
    assert 0.25 < (coded < 2).all(axis=1).mean() < 0.6


def test_nobody_is_in_another_sample() -> None:
    config, web = StudioSampleConfig(), WebSampleConfig()
    people = [subject_identity(config, subject) for subject in SUBJECTS]
    people += [disfa.subject_identity(DisfaSampleConfig(), s) for s in DISFA_SUBJECTS]
    people += [
        draw_identity(np.random.default_rng([web.seed, 22, person]))
        for person in range(web.identities)
    ]
    # The age is drawn first, whatever the gender: equal seeds would give equal ages.
    assert len({who.age for who in people}) == len(people)
