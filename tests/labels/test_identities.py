"""Who the people of the web set are."""

import pytest

from action_units.errors import LabelError
from action_units.labels.identities import read_identities, web_people
from action_units.labels.names import parse_web_name
from action_units.labels.tables import read_pretrain_labels


def test_identities_are_put_beside_the_faces(tmp_path):
    path = tmp_path / "identities.csv"
    path.write_text("identity,gender\nm.0d27_dy,0\n\nm.0b,1\n")
    genders = read_identities(path)
    table = web_people(["m.0b_3-FaceId-0.jpg", "m.0d27_dy_84-FaceId-1.jpg"], genders, path)
    assert table["subject"].tolist() == ["m.0b", "m.0d27_dy"]
    assert table["gender"].tolist() == [1, 0]
    with pytest.raises(
        LabelError, match=r"m\.0c, who is shown in m\.0c_1-FaceId-0\.jpg, is not"
    ):
        web_people(["m.0c_1-FaceId-0.jpg"], genders, path)
    with pytest.raises(LabelError, match="is not the name of a web face"):
        web_people(["x.jpg"], genders, path)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("identity,sex\na,1\n", 1, "the header must be identity,gender"),
        ("", 1, "the header must be identity,gender"),
        ("identity,gender\na,1\nb\n", 3, "is not identity,gender"),
        ("identity,gender\na,x\n", 2, "gender is 'x'"),
        ("identity,gender\na,1\n\na,1\n", 4, "a occurs twice"),
        (
            "identity,gender\nO'Neil, Pat (actor),1\n",
            2,
            "a name with ',' in it stands in quotes",
        ),
        ("identity,gender\n,1\n", 2, "is not identity,gender"),
        (
            "name,sex,gender\na,1,1\n",
            1,
            "identity,gender, perhaps with other columns; it is name",
        ),
        ("identity,gender,gender\na,1,1\n", 1, "it is identity,gender,gender"),
        ("sep=;\nidentity;gender\na;x\n", 3, "gender is 'x'"),
        ("identity,gender\n\n", 1, "the file has a header, but no person"),
        ("a,1\nb,0\n", 1, "the header must be identity,gender"),
        ("<html>", 1, "the file is not CSV but an HTML or XML page"),
        ("PK\x03\x04", 1, "the file is not CSV but a zip archive"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path, text, line, words):
    path = tmp_path / "identities.csv"
    path.write_text(text)
    with pytest.raises(LabelError) as error:
        read_identities(path)
    assert words in str(error.value)
    assert error.value.line == line


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LabelError, match="no such file"):
        read_identities(tmp_path / "none.csv")


@pytest.mark.parametrize(
    "text",
    [
        '"identity","gender"\n"Adriana Lima",0\n"O\'Neil, Pat (actor)",1\ntrain/p0,1\nMüller,0\n',
        'gender,born,identity\n0,1981,Adriana Lima/\n1,,"O\'Neil, Pat (actor)"\n'
        "1,,./train/p0\n0,,Müller\n",
        "\ufeffIdentity;Gender\r\nAdriana Lima;f\r\nO'Neil, Pat (actor);m\r\ntrain\\p0;m\r\nMüller;f\r\n",
        "sep=\t\nidentity\tgender\nAdriana Lima\t0\nO'Neil, Pat (actor)\t1\ntrain/p0\t1\n"
        "Müller\t0",
    ],
)
def test_names_of_people_as_their_folders_have_them(tmp_path, text):
    path = tmp_path / "identities.csv"
    path.write_bytes(text.encode())
    people = {"Adriana Lima": 0, "O'Neil, Pat (actor)": 1, "train/p0": 1, "Müller": 0}
    assert read_identities(path) == people


def test_text_that_is_not_utf_8_is_named_by_line(tmp_path):
    path = tmp_path / "identities.csv"
    path.write_bytes("identity,gender\na,1\nMüller,0\n".encode("cp1252"))
    with pytest.raises(LabelError, match=r"line 3: .* save it as CSV in UTF-8"):
        read_identities(path)


def test_genders_may_be_words(tmp_path):
    path = tmp_path / "identities.csv"
    words = ["0", "woman", "Female", "F", "1", "man", "MALE", "m"]
    path.write_text("identity,gender\n" + "".join(f"m.0{k},{w}\n" for k, w in enumerate(words)))
    assert list(read_identities(path).values()) == [0] * 4 + [1] * 4


def test_identities_that_hold_or_end_in_underscores(tmp_path):
    genders = {"m.0d27_dy": 0, "m.0_": 1, "m.0": 0, "m.0_1": 1}
    images = ["m.0d27_dy_84-FaceId-0.jpg", "m.0__3-FaceId-0.jpg", "m.0_3-FaceId-0.jpg",
              "m.0_1_2-FaceId-11.jpg"]  # fmt: skip
    people = web_people(images, genders, tmp_path)
    assert people["subject"].tolist() == ["m.0d27_dy", "m.0_", "m.0", "m.0_1"]


def test_the_names_of_real_faces(real_labels):
    table = read_pretrain_labels(real_labels / "pretrain_label_sample.csv.gz")
    genders = dict(zip(table["subject"], table["gender"], strict=True))
    people = web_people(table["image"], genders, real_labels)
    assert (people["subject"] == table["subject"]).all()
    names = [parse_web_name(image) for image in table["image"]]
    assert [name.identity for name in names] == table["subject"].tolist()
    assert people["subject"].str.fullmatch(r"m\.0[0-9a-z_]+").all()


def test_many_names_are_read(tmp_path):
    images = [f"m.0{k // 80:x}_z_{k % 80}-FaceId-0.jpg" for k in range(16_000)]
    path = tmp_path / "identities.csv"
    path.write_text("identity,gender\n" + "".join(f"m.0{k:x}_z,{k % 2}\n" for k in range(2000)))
    people = web_people(images, read_identities(path), path)
    assert people["subject"].nunique() == 200
