"""Names of photographs, of their crops, and in other programs' files."""

import os
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_units.labels.names import parse_web_name
from action_units.media import photograph_names
from action_units.media.file_types import PICTURES, is_picture
from action_units.media.photograph_names import (
    by_identity,
    folder_of,
    match_names,
    portable,
    stem_of,
    suffix_of,
)

WEB = re.compile(r".+[/_]\d+-FaceId-\d+\.\w+", re.ASCII)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("m.0d27_dy/84-FaceId-0.jpg", "m.0d27_dy_84-FaceId-0"),
        ("m.0d27_dy_84-FaceId-0.jpg", "m.0d27_dy_84-FaceId-0"),
        ("m.0d27_/084-FaceId-12.png", "m.0d27__084-FaceId-12"),
        ("m.0d27_dy_84-FaceId-0.JPG", "m.0d27_dy_84-FaceId-0"),
        ("m.0d27_dy/84-FaceId-0.Webp", "m.0d27_dy_84-FaceId-0"),
        ("a.jpg", "a_0-FaceId-0"),
        ("a.png", "a.png_0-FaceId-0"),
        ("a.JPG", "a.JPG_0-FaceId-0"),
        ("a.png.jpg", "a.png.jpg_0-FaceId-0"),
        ("a~b.jpg", "a=7Eb_0-FaceId-0"),
        ("a=7Eb.jpg", "a=3D7Eb_0-FaceId-0"),
        ("é.jpg", "=C3=A9_0-FaceId-0"),
        (".jpg", "=2Ejpg_0-FaceId-0"),
        ("caf\udce9.jpg", "caf=E9_0-FaceId-0"),
        ("anna/my photo.jpg", "anna_185877023527825-FaceId-0"),
        ("a_b/c.jpg", "a_b_101636385834572-FaceId-0"),
        ("../../etc/x.jpg", "=2E.~..~etc_215446240913775-FaceId-0"),
        ("/etc/x.jpg", "~etc_222695922705313-FaceId-0"),
        ("../84-FaceId-0.jpg", "=2E._232474636941563-FaceId-0"),
        (".m/84-FaceId-0.jpg", "=2Em_138757619358512-FaceId-0"),
    ],
)
def test_stems(name, stem):
    assert stem_of(name) == stem


def test_the_file_around_is_part_of_the_name_but_of_a_web_face_and_an_identity():
    assert stem_of("1.jpg", within="set-000") == "set-000~1_0-FaceId-0"
    assert stem_of("m.0a/1-FaceId-0.jpg", within="set-000") == "m.0a_1-FaceId-0"
    one, two = (stem_of("anna/1.jpg", within=tar) for tar in ("a", "b"))
    assert one != two
    assert {parse_web_name(f"{stem}.jpg").identity for stem in (one, two)} == {"anna"}


def test_stems_of_web_faces_are_what_the_label_tables_have():
    name = parse_web_name(stem_of("m.0d27__/84-FaceId-3.jpg") + ".jpg")
    assert (name.identity, name.number, name.face) == ("m.0d27__", 84, 3)


ALPHABET = st.sampled_from(
    [*"aA.~=_-/ 0é\\\n", "\udce9", ".jpg", ".png", "-FaceId-", "x" * 190]
)
NAMES = st.tuples(
    st.lists(ALPHABET, max_size=9).map("".join), st.sampled_from([".jpg", ".png"])
).map("".join)


@settings(max_examples=120, deadline=None)
@given(st.sets(NAMES, min_size=2, max_size=12))
def test_two_photographs_never_share_a_crop(names):
    others = {name for name in names if not WEB.fullmatch(name)}
    assert len({stem_of(name) for name in others}) == len(others)
    assert len({portable(name) for name in names}) == len(names)


@settings(max_examples=120, deadline=None)
@given(NAMES)
def test_a_stem_is_a_plain_file_name(name):
    stem = stem_of(name)
    assert re.fullmatch(r"[A-Za-z0-9_~=-][A-Za-z0-9._~=-]*", stem, re.ASCII)
    assert len(stem) <= 200
    portable(name).encode()


@settings(max_examples=100, deadline=None)
@given(NAMES)
def test_every_stem_is_a_web_face_s_name(name):
    parsed = parse_web_name(f"{stem_of(name)}.jpg")
    folder = name.rpartition("/")[0]
    if not WEB.fullmatch(name) and folder and len(os.fsencode(name)) < 50:
        raw = parsed.identity.encode()
        parts = re.split(rb"(=[0-9A-F]{2})", raw.replace(b"~", b"/"))
        back = b"".join(bytes([int(p[1:], 16)]) if p.startswith(b"=") else p for p in parts)
        assert os.fsdecode(back) == folder


def test_a_name_is_told_from_one_that_looks_like_its_escape():
    names = ["caf\udce9.jpg", "caf\\xe9.jpg", "caf\\\\xe9.jpg"]
    assert len({portable(name) for name in names}) == 3
    assert portable("a b/é.jpg") == "a b/é.jpg"


def test_long_names_are_told_apart_by_a_hash():
    long = "x" * 300
    stems = {stem_of(f"{long}{k}.jpg") for k in range(5)}
    assert {len(stem) for stem in stems} == {170 + len("_0-FaceId-0")}
    assert len(stems) == 5


def test_what_a_picture_is():
    for name in ("a.jpg", "b/a.JPEG", "a.b.Png", "a.webp", "a.tif"):
        assert is_picture(name)
    for name in (".a.jpg", "a.csv", "a", "a.jpg.txt", "b.jpg/x", "a.jpg/.b.jpg"):
        assert not is_picture(name)
    assert suffix_of("b/a.CSV") == ".csv"
    assert suffix_of("a") == "no suffix"
    assert suffix_of("b/.a.jpg") == "hidden"


PEOPLE = ["Adriana Lima", "Müller", "O'Neil, Pat (actor)", "train/p0", 'a "b" c', "m.0d27_dy"]


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_people_are_found_by_the_names_of_their_folders(person, form):
    folder = unicodedata.normalize(form, person)
    identity = parse_web_name(stem_of(f"{folder}/1.jpg") + ".jpg").identity
    values = by_identity({name: k for k, name in enumerate(PEOPLE)})
    assert values[identity] == PEOPLE.index(person)
    assert folder_of(identity) == folder
    assert by_identity({identity: 7})[identity] == 7  # as crops' names have it


def test_a_folder_s_own_name_goes_before_an_identity():
    assert by_identity({"a=20b": 0, "a b": 1})["a=20b"] == 1
    long = "Müller " * 40
    identity = parse_web_name(stem_of(f"{long}/1.jpg") + ".jpg").identity
    assert by_identity({long: 1})[identity] == 1


@pytest.mark.parametrize("suffix", [*PICTURES, ".JPG", ".Png"])
@pytest.mark.parametrize(
    "name",
    [
        "p/230{}", "./p/230{}", "p/230", "p/230.csv", "p/230{}.csv", "230", "230.csv",
        "p//230{}", "/data/photographs/p/230{}", "C:\\photos\\p\\230{}", "..\\p\\230.csv",
        "P/230{}", " p/230.jpg ", "p/230.png",
    ],
)  # fmt: skip
def test_a_name_means_the_photograph_that_it_fits(name, suffix):
    name, photograph = name.format(suffix), f"p/230{suffix}"
    others = [f"p/1230{suffix}", f"p/23{suffix}", f"q/231{suffix}"]
    found = match_names([name], [*others, photograph])
    assert found.found == {name: photograph}
    assert found.ambiguous == {}


@pytest.mark.parametrize(
    ("name", "photographs", "meant"),
    [
        ("p/1.jpg", ["p/1.png", "p/1.jpg", "p/1.JPG"], "p/1.jpg"),
        ("p/1.JPG", ["p/1.png", "p/1.jpg"], "p/1.jpg"),
        ("./p/1.JPG", ["p/1.jpg", "p/1.JPG"], "p/1.JPG"),
        ("1.jpg", ["p/1.jpg", "1.jpg"], "1.jpg"),
        ("1", ["p/1.jpg", "1.jpg"], "1.jpg"),
        ("/a/b/1.jpg", ["c/1.jpg", "b/1.jpg"], "b/1.jpg"),
        ("A/1.png", ["a/1.jpg", "A/1.jpg"], "A/1.jpg"),
        ("set-000.tar/00012.jpg", ["set-001.tar/00012.jpg", "set-000.tar/00012.jpg"],
         "set-000.tar/00012.jpg"),
        ("m.0d27_dy_84-FaceId-0.csv", ["m.0d27_dy_84-FaceId-1.jpg",
                                       "m.0d27_dy_84-FaceId-0.jpg"],
         "m.0d27_dy_84-FaceId-0.jpg"),
        ("1.jpg.jpg", ["1.jpg", "1.jpg.jpg"], "1.jpg.jpg"),
        ("1.jpg", ["1.jpg.jpg", "1.jpg"], "1.jpg"),
        ("x/P/1.CSV", ["q/1.jpg", "p/1.jpg", "y/p/1.jpg"], "p/1.jpg"),
        ("p/1.png.csv", ["p/1.png.jpg", "p/2.jpg"], "p/1.png.jpg"),
        ("A.csv", ["a.jpg", "A.jpg"], "A.jpg"),
        ("v1.2.csv", ["v1.2.jpg", "v1.jpg"], "v1.2.jpg"),
    ],
)  # fmt: skip
def test_of_several_the_most_alike_is_meant(name, photographs, meant):
    assert match_names([name], photographs).found == {name: meant}


@pytest.mark.parametrize(
    ("names", "photographs", "why"),
    [
        (["p/1.csv"], ["p/1.jpg", "p/1.png"], "p/1.csv fits p/1.jpg and p/1.png"),
        (["1"], ["p/1.jpg", "q/1.jpg"], "1 fits p/1.jpg and q/1.jpg"),
        (["p/1.jpg", "q/1.jpg"], ["1.jpg"], "p/1.jpg and q/1.jpg both fit 1.jpg"),
        (["./p/1.jpg", "p/1.jpg"], ["p/1.jpg"], "./p/1.jpg and p/1.jpg both fit p/1.jpg"),
        (["x.csv", "x.png"], ["x.jpg"], "x.csv and x.png both fit x.jpg"),
    ],
)
def test_what_cannot_be_decided_is_named(names, photographs, why):
    found = match_names(names, photographs)
    assert found.found == {}
    assert set(found.ambiguous.values()) == {why}
    assert found.unclear[photographs[0]] == why


def test_each_photograph_is_meant_by_the_name_that_fits_it_best():
    found = match_names(["q/1.jpg", "./1.jpg", "2.jpg", "x.jpg"], ["1.jpg", "2.jpg", "3.jpg"])
    assert found.found == {"./1.jpg": "1.jpg", "2.jpg": "2.jpg"}


def test_a_row_of_a_picture_that_is_gone_does_no_harm():
    assert match_names(["p/1.jpg", "p/1.png"], ["p/1.jpg"]).found == {"p/1.jpg": "p/1.jpg"}


def test_accents_are_alike_in_both_unicode_forms():
    composed, parted = (unicodedata.normalize(form, "Müller/é.jpg") for form in ("NFC", "NFD"))
    assert composed != parted
    assert match_names([composed], [parted]).found == {composed: parted}


def test_a_name_is_compared_with_those_of_its_folder_alone(monkeypatch):
    photographs = [f"m.0{person}/{number}.jpg" for person in range(30) for number in range(20)]
    names = [name.replace(".jpg", ".csv") for name in photographs]
    compared = []
    real = photograph_names._ends_alike
    monkeypatch.setattr(
        photograph_names, "_ends_alike", lambda *a: compared.append(a) or real(*a)
    )
    assert match_names(names, photographs).found == dict(zip(names, photographs, strict=True))
    assert len(compared) == len(names)
