"""One table of the codes of any data set."""

from pathlib import Path

import numpy as np
import pytest

from action_units.errors import LabelError
from action_units.labels.coded_frames import MISSING, Recording, coded_frames

AUS = (1, 12)


def recording(subject="A", name="T1", frames=(3, 1), codes=((0, 5), (2, MISSING))):
    return Recording(subject, name, np.array(frames), np.array(codes), Path(f"{name}.csv"))


def test_recordings_become_one_ordered_table():
    parts = [recording("B"), recording("A", "T2"), recording("A", "T1", (7,), ((1, 1),))]
    found = coded_frames(parts, AUS, "intensity", ".")
    assert found.table.to_numpy().tolist() == [
        ["A", "T1", 7, 1, 1],
        ["A", "T2", 1, 2, -1],
        ["A", "T2", 3, 0, 5],
        ["B", "T1", 1, 2, -1],
        ["B", "T1", 3, 0, 5],
    ]
    assert list(found.table) == ["subject", "recording", "frame", "AU01", "AU12"]
    assert (found.table[["AU01", "AU12"]].dtypes == np.int8).all()


def test_presence_keeps_what_is_missing():
    found = coded_frames([recording()], AUS, "intensity", ".")
    present = found.present(2)
    assert present.table[["AU01", "AU12"]].to_numpy().tolist() == [[1, -1], [0, 1]]
    assert (present.table[["AU01", "AU12"]].dtypes == np.int8).all()
    assert present.scale == "presence"
    assert present.table[["AU01_r", "AU12_r"]].to_numpy().tolist() == [[2, -1], [0, 5]]
    assert present.present(None) is present
    assert found.present(3).table["AU01"].tolist() == [0, 0]


def test_a_threshold_that_does_not_fit_the_codes_is_refused():
    intensities = coded_frames([recording()], AUS, "intensity", "somewhere")
    presence = coded_frames([recording(codes=((0, 1), (1, 0)))], AUS, "presence", "somewhere")
    low = coded_frames([recording(codes=((0, 1), (1, 0)))], AUS, "intensity", "somewhere")
    with pytest.raises(LabelError, match="somewhere: its codes are intensities"):
        intensities.present(None)
    with pytest.raises(LabelError, match="somewhere: its codes are 0 and 1, .*from: null"):
        presence.present(2)
    with pytest.raises(LabelError, match="somewhere: its highest code is 1, .* no AU is ever"):
        low.present(2)
    assert low.present(1).table["AU12"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("parts", "scale", "words"),
    [
        ([recording(), recording()], "intensity", "recording T1 of A is in T1.csv as well"),
        ([recording(frames=(3, 3))], "intensity", "T1.csv: frame 3 occurs twice"),
        ([recording()], "presence", "frame 1 has AU01 2; presence goes from 0 to 1"),
        (
            [recording(codes=((0, 6), (0, 0)))],
            "intensity",
            "frame 3 has AU12 6; intensity goes",
        ),
        ([recording(codes=((0, 1.5), (0, 0)))], "intensity", "frame 3 has AU12 1.5"),
        ([recording(codes=((0,), (0,)))], "intensity", "a column for each of 2 AUs"),
        ([recording(frames=(), codes=np.empty((0, 2)))], "intensity", "0 frames"),
        ([], "intensity", "somewhere: no recording with codes"),
    ],
)
def test_a_fault_is_named(parts, scale, words):
    with pytest.raises(LabelError) as error:
        coded_frames(parts, AUS, scale, "somewhere")
    assert words in str(error.value)


def test_a_copy_of_a_recording_is_left_out_and_another_of_such_a_name_is_told(caplog):
    whole = [recording(), recording("B")]
    copies = [recording(name="T1 (1)"), recording("B - Copy"), recording(name="T1 - Copy (2)")]
    found = coded_frames([*copies, *whole], AUS, "intensity", ".")
    assert found.table.equals(coded_frames(whole, AUS, "intensity", ".").table)
    assert "Skipped 3 files or folders next to the recordings" in caplog.text
    assert "T1 (1).csv" in caplog.text
    caplog.clear()
    other = recording(name="T1 2", codes=((5, 5), (5, 5)))
    assert len(coded_frames([*whole, other], AUS, "intensity", ".").table) == 6
    assert "T1 2.csv is read as a separate recording" in caplog.text
    caplog.clear()
    alone = coded_frames([recording(name="T1 (1)")], AUS, "intensity", ".")
    assert (len(alone.table), caplog.text) == (2, "")
