"""Frames and subjects that are left out with a reason."""

import pandas as pd
import pytest

from action_units.errors import ConfigurationError
from action_units.labels.exclusions import Exclusion, exclude, parse_exclusions

BAD = {"subject": "SN029", "frames": "4330-4536", "reason": "bad landmarks reported"}


@pytest.fixture
def table():
    """SN001 has frames 1–10, SN029 has 4,321–4,845, as if the rest were lost."""
    frames = {"SN001": range(1, 11), "SN029": range(4321, 4846)}
    rows = [(subject, frame) for subject, numbers in frames.items() for frame in numbers]
    return pd.DataFrame(rows, columns=["subject", "frame"])


@pytest.mark.parametrize(
    ("frames", "parsed"),
    [
        ("4330-4536", (4330, 4536)),
        (" 4330 – 4536 ", (4330, 4536)),
        ([4330, 4536], (4330, 4536)),
        (4330, (4330, 4330)),
        ("7", (7, 7)),
        (None, None),
    ],
)
def test_frames_are_written_in_several_ways(frames, parsed):
    (entry,) = parse_exclusions([{**BAD, "frames": frames}])
    assert entry == Exclusion("SN029", parsed, "bad landmarks reported")


def test_frames_are_left_out_with_their_reason(table):
    kept, out = exclude(table, parse_exclusions([BAD, {**BAD, "frames": 4800, "reason": "x"}]))
    assert len(kept) + len(out) == len(table)
    assert out["frame"].tolist() == [*range(4330, 4537), 4800]
    assert out["reason"].tolist() == ["bad landmarks reported"] * 207 + ["x"]
    assert not set(zip(kept["subject"], kept["frame"], strict=True)) & set(
        zip(out["subject"], out["frame"], strict=True)
    )
    assert "reason" not in kept
    assert kept.index.tolist() == list(range(len(kept)))


def test_a_whole_subject_is_left_out(table):
    kept, out = exclude(table, parse_exclusions([{"subject": "SN029", "reason": "lost"}]))
    assert set(kept["subject"]) == {"SN001"}
    assert len(out) == 525


def test_nothing_to_leave_out(table):
    for entries in (None, []):
        kept, out = exclude(table, parse_exclusions(entries))
        assert kept.equals(table)
        assert out.empty
        assert "reason" in out


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([{**BAD, "reason": " "}], "reason:  } gives no reason; add"),
        ([{"subject": "SN029"}], "{subject: SN029} gives no reason"),
        ([{"reason": "x"}], "{reason: x} names no subject"),
        ([{**BAD, "subject": 29}], "names no subject (a number in quotes: '29'); expected"),
        ([{**BAD, "frames": "4330 to 4536"}], "has frames '4330 to 4536'; expected one number"),
        ([{**BAD, "frames": [1, 2, 3]}], "expected one number or the first and the last"),
        ([{**BAD, "frames": -3}], "has frames -3"),
        (
            [{**BAD, "frames": "9-3"}],
            "frames: 9-3, reason: bad landmarks reported} ends before",
        ),
        ([{**BAD, "frame": 3}], "has 'frame'; expected such as"),
        (["SN029"], "'SN029' is not an entry"),
        (BAD, "not a list of entries"),
        ("SN029", "not a list of entries"),
        (
            [BAD, {**BAD, "frames": "4536-4600", "reason": "y"}],
            "frames: 4536-4600, reason: y} ov",
        ),
        ([BAD, {"subject": "SN029", "reason": "y"}], "name each frame once"),
        ([BAD, BAD], "name each frame once"),
    ],
)
def test_a_faulty_entry_is_named(entries, words):
    with pytest.raises(ConfigurationError) as error:
        parse_exclusions(entries)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({**BAD, "subject": "SN014"}, "names a subject that is not in the data"),
        ({**BAD, "frames": "4840-4846"}, "SN029 has frames 4,321 to 4,845"),
        ({**BAD, "frames": 4320}, "names frames that do not exist"),
    ],
)
def test_what_is_not_in_the_data_is_named(table, entry, words):
    with pytest.raises(ConfigurationError) as error:
        exclude(table, parse_exclusions([entry]))
    assert words in str(error.value)
    assert f"{{subject: {entry['subject']}" in str(error.value)


def test_everything_cannot_be_left_out(table):
    entries = [{"subject": name, "reason": "x"} for name in ("SN001", "SN029")]
    with pytest.raises(ConfigurationError, match="leaves no frame"):
        exclude(table, parse_exclusions(entries))


def test_frames_of_one_recording_are_left_out(table):
    table = table.assign(recording=(["a"] * len(table)))
    table.loc[table["subject"] == "SN029", "recording"] = ["a", "b"] * 262 + ["a"]
    entries = [{**BAD, "recording": name, "frames": "4400-4404"} for name in ("a", "b")]
    _, out = exclude(table, parse_exclusions(entries[:1]))
    assert set(out["recording"]) == {"a"}
    assert set(out["frame"]) < set(range(4400, 4405))
    assert len(exclude(table, parse_exclusions(entries))[1]) == 5
    with pytest.raises(ConfigurationError, match="overlaps"):
        parse_exclusions([*entries, {**BAD, "frames": 4404}])
    with pytest.raises(ConfigurationError, match="overlaps"):
        parse_exclusions([*entries, {**entries[0], "frames": 4404}])
    with pytest.raises(ConfigurationError, match="names no recording"):
        parse_exclusions([{**BAD, "recording": 3}])


def test_a_range_may_have_gaps_but_no_end_outside(table):
    table = table[table["frame"] % 5 == 0]
    assert len(exclude(table, parse_exclusions([{**BAD, "frames": "4401-4409"}]))[1]) == 1
    for frames in ("1-4409", "4401-5000", "4401-4404"):
        with pytest.raises(ConfigurationError, match="names frames that do not exist"):
            exclude(table, parse_exclusions([{**BAD, "frames": frames}]))
