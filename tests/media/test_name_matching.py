"""Which photograph a name in another program's files means."""

import unicodedata

import pytest

from action_units.media import photograph_names
from action_units.media.file_types import PICTURES
from action_units.media.photograph_names import match_names


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
