"""Who the people of the web set are."""

import pytest

from action_units.errors import LabelError
from action_units.facs.identities import read_identities, web_people


def test_identities_are_put_beside_the_faces(tmp_path):
    path = tmp_path / "identities.csv"
    path.write_text("identity,gender\nm.0d27_dy,0\n\nm.0b,1\n")
    genders = read_identities(path)
    table = web_people(["m.0b_3-FaceId-0.jpg", "m.0d27_dy_84-FaceId-1.jpg"], genders, path)
    assert table["subject"].tolist() == ["m.0b", "m.0d27_dy"]
    assert table["gender"].tolist() == [1, 0]
    with pytest.raises(LabelError, match=r"m\.0c, whose face is m\.0c_1-FaceId-0\.jpg, is not"):
        web_people(["m.0c_1-FaceId-0.jpg"], genders, path)
    with pytest.raises(LabelError, match="is not the name of a web face"):
        web_people(["x.jpg"], genders, path)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("identity,sex\na,1\n", 1, "the header must be identity,gender"),
        ("", 1, "the header must be identity,gender"),
        ("identity,gender\na,1\nb\n", 3, "is not identity,gender"),
        ("identity,gender\na,woman\n", 2, "gender is 'woman'"),
        ("identity,gender\na,1\n\na,1\n", 4, "a is there twice"),
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
