"""A bar for a person, plain lines for a file."""

import logging

import pytest

from action_units import progress
from action_units.progress import Progress, clock, speed


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (4320, "1 h 12 min"),
        (float("inf"), "unknown time"),
    ],
)
def test_durations_read_as_a_person_writes_them(seconds, text):
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [(0, "0/s"), (2.5, "2.5/s"), (86.42, "86.4/s"), (256.7, "257/s"), (1063.4, "1,063/s")],
)
def test_speeds_read_as_a_person_writes_them(rate, text):
    assert speed(rate) == text


def test_short_work_is_silent(caplog):
    with caplog.at_level(logging.INFO), Progress("Counting", 3) as bar:
        bar.advance(3)
    assert not caplog.records


def test_long_work_logs_rate_time_left_and_note(caplog, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with caplog.at_level(logging.INFO), Progress("Cropping", 100, "photographs") as bar:
        now[0] += 4
        bar.advance(10)
        assert not caplog.records
        now[0] += 8
        bar.advance(20, note="2 without a face")
        now[0] += 28
        bar.advance(70)
    assert [record.getMessage() for record in caplog.records] == [
        "Cropping: 30 of 100 photographs, 2.5/s, 28 s left, 2 without a face",
        "Cropping: 100 photographs in 40 s (2.5/s)",
    ]


def test_a_failure_is_not_reported_as_done(caplog, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with caplog.at_level(logging.INFO), pytest.raises(KeyError), Progress("Cropping", 2):
        now[0] += 60
        raise KeyError
    assert not caplog.records
