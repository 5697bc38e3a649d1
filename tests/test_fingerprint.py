"""Records of what was made from what."""

import os

from action_units.fingerprint import changes, of_file, of_values, plain, read_record


def test_a_file_that_changes_has_another_fingerprint(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"1")
    first = of_file(path.stat())
    os.utime(path, ns=(1, 2))
    second = of_file(path.stat())
    path.write_bytes(b"12")
    os.utime(path, ns=(1, 2))
    assert len({first, second, of_file(path.stat())}) == 3


def test_values_have_the_same_fingerprint_whatever_their_order_in_a_mapping():
    assert of_values({"a": 1, "b": (2,)}) == of_values({"b": [2], "a": 1})
    assert of_values(1, 2) != of_values(12) != of_values("12")


def test_changes_are_named_and_tuples_are_lists():
    recorded = plain({"crop": {"size": (64, 64), "margin": 0.0}, "versions": "1"})
    assert not changes(recorded, {"crop": {"size": (64, 64), "margin": 0.0}})
    assert changes(recorded, {"crop": {"size": [64, 64], "margin": 0.1}}) == [
        "crop.margin was 0.0 and is now 0.1"
    ]
    assert changes({}, {"crop": 1}) == ["crop was None and is now 1"]


def test_a_record_that_cannot_be_read_is_none(tmp_path):
    assert read_record(tmp_path / "gone") == {}
    for content in (b"{", b"[1]", b"\xff"):
        (tmp_path / "a").write_bytes(content)
        assert read_record(tmp_path / "a") == {}
