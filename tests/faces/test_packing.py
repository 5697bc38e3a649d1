"""From crops and a table to a store."""

import os
import tempfile

import cv2
import numpy as np
import pandas as pd
import pytest

from action_units.errors import ArtifactError, LabelError
from action_units.faces import packing
from action_units.faces.packing import pack_crops


@pytest.fixture
def crops(tmp_path):
    """Ten crops, each of one gray level, and their table in another order."""
    for k in range(10):
        cv2.imwrite(str(tmp_path / f"{k}.png"), np.full((30 + k, 30 + k), 20 * k, np.uint8))
    order = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7]
    table = pd.DataFrame(
        {
            "image": [f"{k}.png" for k in order],
            "rectsize": [f"(0,0,{30 + k},{30 + k})" for k in order],
            "subject": [f"SN{k:03d}" for k in order],
            "AU12": [k % 2 for k in order],
        },
        index=range(100, 110),
    )
    return tmp_path, table


def levels(store):
    return store.faces[:, 8, 8].tolist()


@pytest.mark.parametrize("workers", [1, 3])
def test_each_face_stays_with_its_row(crops, workers):
    folder, table = crops
    store, quarantine = pack_crops(folder, table, 16, workers)
    assert store.faces.shape == (10, 16, 16)
    assert store.aus == (12,)
    assert levels(store) == [20 * int(name[0]) for name in table["image"]]
    assert store.labels[:, 0].tolist() == table["AU12"].tolist()
    assert store.table["sha256"].str.len().eq(64).all()
    assert len(quarantine) == 0


def test_unusable_crops_lose_their_rows_and_nobody_elses(crops):
    folder, table = crops
    (folder / "1.png").unlink()
    (folder / "0.png").write_bytes(b"<html>")
    whole = (folder / "8.png").read_bytes()
    (folder / "8.png").write_bytes(whole[: len(whole) // 2])
    store, quarantine = pack_crops(folder, table, 16, 2)
    assert levels(store) == [20 * k for k in (3, 4, 5, 9, 2, 6, 7)]
    assert store.subjects.tolist() == [f"SN{k:03d}" for k in (3, 4, 5, 9, 2, 6, 7)]
    found = quarantine.table()
    assert found["path"].tolist() == [
        str(folder / name) for name in ("1.png", "0.png", "8.png")
    ]
    assert found["reason"].tolist()[:2] == ["missing", "not an image"]
    assert found["sha256"].str.len().tolist() == [0, 64, 64]


def test_a_folder_that_is_not_the_crops_is_an_error(crops, tmp_path):
    _, table = crops
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabelError) as error:
        pack_crops(tmp_path / "empty", table, 16)
    assert str(tmp_path / "empty") in str(error.value)
    assert "none of the 10 images of the table can be used (10 missing)" in str(error.value)
    with pytest.raises(LabelError, match="the table is empty"):
        pack_crops(tmp_path, table.iloc[:0], 16)


@pytest.mark.parametrize(
    "name", ["../1.png", "/etc/x.png", "a/1.png", "..", "", "a\\1.png", "a\0"]
)
def test_names_that_lead_out_of_the_folder_are_refused(crops, name):
    folder, table = crops
    table = table.assign(image=[name, *table["image"][1:]])
    with pytest.raises(LabelError, match="not the plain name"):
        pack_crops(folder, table, 16)


def test_rectangles_that_do_not_begin_at_the_corner_are_cut_out(tmp_path):
    pixels = np.full((40, 60), 100, np.uint8)
    pixels[10:30, 20:40] = 200
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    rects = ["(20,10,20,20)", "(0,0,60,40)", "(0,0,300,300)", "(50,0,20,20)", ""]
    rows = [pack(tmp_path, rect) for rect in rects[:3]]
    assert (rows[0].faces == 200).all()
    assert (rows[1].faces[0, :2] == 0).all()  # padded to a square, not stretched
    assert rows[1].faces[0, 4, 1] == 100
    assert np.array_equal(rows[1].faces, rows[2].faces)
    with pytest.raises(LabelError, match="1 rectangle"):
        pack(tmp_path, rects[3])
    assert np.array_equal(pack(tmp_path, None).faces, rows[1].faces)


def pack(folder, rect):
    table = pd.DataFrame({"image": ["a.png"], "subject": ["s"], "AU01": [1]})
    if rect is not None:
        table["rectsize"] = rect
    return pack_crops(folder, table, 20)[0]


def test_many_faces_are_held_in_a_file_that_leaves_nothing_behind(crops, tmp_path, monkeypatch):
    folder, table = crops
    expected, _ = pack_crops(folder, table, 16)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setattr(packing, "_IN_MEMORY", 0)
    monkeypatch.setattr(packing, "_BATCH", 3)
    found, _ = pack_crops(folder, table, 16)
    assert isinstance(found.faces, np.memmap)
    assert np.array_equal(found.faces, expected.faces)
    assert list(scratch.iterdir()) == []


def test_no_room_for_that_file_is_a_sentence(crops, monkeypatch):
    folder, table = crops
    monkeypatch.setattr(packing, "_IN_MEMORY", 0)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(ArtifactError, match="has no room for 2,560 bytes"):
        pack_crops(folder, table, 16)


def test_crops_are_read_again_only_where_they_or_their_settings_have_changed(crops, tmp_path):
    folder, table = crops
    (folder / "1.png").unlink()
    store = tmp_path / "store"

    def pack(**provenance):
        packed, quarantine = pack_crops(
            folder, table, 16, 1, existing=store, provenance=provenance
        )
        assert quarantine.counts() == {"missing": 1}
        assert packed.notes["faces"] == {**provenance, "size": 16}
        packed.save(store)
        return isinstance(packed.faces, np.memmap)

    assert [pack(margin=0.1), pack(margin=0.1), pack(margin=0)] == [False, True, False]
    os.utime(folder / "2.png", ns=(1, 2))
    assert [pack(margin=0), pack(margin=0)] == [False, True]
    assert pack_crops(folder, table, 16, 1)[0].notes["faces"] is None


def test_colours_are_packed_red_first_and_grey_repeated(tmp_path):
    """Crops that are given, some of them grey, with a part cut out and edges padded."""
    colours = np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), colours[..., ::-1])
    cv2.imwrite(str(tmp_path / "b.png"), colours[..., 0])
    table = pd.DataFrame(
        {
            "image": ["a.png", "b.png", "a.png"],
            "rectsize": ["(0,0,32,24)", "(0,0,32,24)", "(2,4,16,16)"],
            "subject": "SN001",
            "AU12": 1,
        }
    )
    store, _ = pack_crops(tmp_path, table, 32, 1, colour=True)
    assert store.faces.shape == (3, 32, 32, 3)
    assert store.colour
    assert np.array_equal(store.faces[0, 4:28], colours)
    assert not store.faces[0, :4].any()
    assert np.array_equal(store.faces[1, 4:28], np.repeat(colours[..., :1], 3, axis=2))
    part = pack_crops(tmp_path, table, 16, 1, colour=True)[0].faces[2]
    assert np.array_equal(part, colours[4:20, 2:18])
    grey, _ = pack_crops(tmp_path, table, 32, 1)
    assert not grey.colour
    store.save(tmp_path / "store")
    again, _ = pack_crops(tmp_path, table, 32, 1, existing=tmp_path / "store", colour=True)
    assert isinstance(again.faces, np.memmap)  # opened, not packed again
    assert np.array_equal(again.faces, store.faces)
    fresh, _ = pack_crops(tmp_path, table, 32, 1, existing=tmp_path / "store")
    assert np.array_equal(fresh.faces, grey.faces)
