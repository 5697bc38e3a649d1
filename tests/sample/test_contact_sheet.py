import numpy as np
import pytest
from docs.sample_faces import one_person

from action_units.sample.contact_sheet import contact_sheet


def test_pictures_stand_in_their_places() -> None:
    images = [np.full((40, 30), 20 * k, np.uint8) for k in range(5)]
    sheet = contact_sheet(images, [str(k) for k in range(5)], columns=3, margin=4)
    for k in range(5):
        top, left = 4 + (k // 3) * (40 + 18 + 4), 4 + (k % 3) * (30 + 4)
        assert (sheet[top : top + 40, left : left + 30] == 20 * k).all()
        caption = sheet[top + 40 : top + 58, left : left + 30]
        assert caption.min() < 128


def test_a_long_caption_stays_in_its_column() -> None:
    images = [np.zeros((40, 60), np.uint8)] * 2
    sheet = contact_sheet(images, ["a caption much too long", ""], columns=2)
    assert (sheet[44:62, 68:] == 255).all()


def test_odd_input() -> None:
    assert (contact_sheet([], []) == 255).all()
    image = np.zeros((10, 10), np.uint8)
    with pytest.raises(ValueError, match="1 images but 0 captions"):
        contact_sheet([image], [])
    with pytest.raises(ValueError, match="differ in size"):
        contact_sheet([image, image[:5]], ["", ""])
    assert contact_sheet([image, image[:5]], ["", ""], tile=20).shape == (46, 52)


def test_a_page_of_one_person_is_drawn() -> None:
    page = one_person()
    assert page.dtype == np.uint8
    assert page.shape[0] > 700


def test_pictures_in_colour_keep_their_colours() -> None:
    images = [np.full((40, 30, 3), (200, 20 * k, 0), np.uint8) for k in range(3)]
    sheet = contact_sheet(images, ["a"] * 3, tile=40)
    assert sheet.shape == (66, 136, 3)
    assert (sheet[4:44, 48:88] == (200, 20, 0)).all()
    caption = sheet[44:62, 4:44]
    assert caption.min() < 128
    assert (caption[..., 0] == caption[..., 2]).all()  # black on white
