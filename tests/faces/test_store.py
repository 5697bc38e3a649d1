"""The face store: in memory, on disk, damaged."""

import contextlib
import io
import json
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_units.errors import ArtifactError
from action_units.faces import store as store_module
from action_units.faces.store import FaceStore
from action_units.files import atomic_artifact, sha256_of


def make(n=7, seed=0, size=4):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "image": [f"{k}.jpg" for k in range(n)],
            "subject": [f"SN{k % 3:03d}" for k in range(n)],
            "frame": np.arange(1, n + 1),
            "AU01": rng.integers(0, 2, n).astype(np.int8),
            "AU12": rng.integers(0, 2, n).astype(np.int8),
        }
    )
    return FaceStore(rng.integers(0, 256, (n, size, size), dtype=np.uint8), table, (12, 1))


def same(one, other):
    assert np.array_equal(one.faces, other.faces)
    assert one.aus == other.aus
    pd.testing.assert_frame_equal(one.table, other.table)


def test_labels_follow_the_order_of_the_aus():
    store = make()
    assert store.labels.dtype == np.int8
    assert np.array_equal(store.labels[:, 0], store.table["AU12"])
    assert np.array_equal(store.labels[:, 1], store.table["AU01"])
    assert store.subjects.tolist() == store.table["subject"].tolist()
    with pytest.raises(ValueError, match="read-only"):
        store.labels[0] = 1


@given(st.lists(st.integers(0, 6)))
def test_a_selection_keeps_faces_and_rows_together(rows):
    store = make()
    chosen = store.select(np.array(rows))
    assert len(chosen) == len(rows)
    assert np.array_equal(chosen.faces, store.faces[np.array(rows, int)])
    assert chosen.table["image"].tolist() == [f"{k}.jpg" for k in rows]
    assert chosen.table.index.tolist() == list(range(len(rows)))
    assert chosen.labels.shape == (len(rows), 2)


def test_masks_and_slices_select_too():
    store = make()
    mask = store.subjects == "SN001"
    same(store.select(mask), store.select(np.flatnonzero(mask)))
    same(store.select(slice(2, 5)), store.select(np.arange(2, 5)))
    assert np.shares_memory(store.select(slice(2, 5)).faces, store.faces)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_a_store_comes_back_from_disk_as_it_was(n, tmp_path):
    make(n).save(tmp_path / "s")
    again = FaceStore.open(tmp_path / "s")
    same(again, make(n))
    if n:
        assert isinstance(again.faces, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            again.faces[0] = 0


def test_the_same_store_is_the_same_bytes_and_any_strides_save(tmp_path):
    store = make(9)
    turned = FaceStore(np.asfortranarray(store.faces), store.table, store.aus)
    store.save(tmp_path / "a")
    turned.save(tmp_path / "b")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "b").iterdir())
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    array = next((tmp_path / "a").glob("faces-*.npy"))
    assert np.array_equal(np.load(array), store.faces)


def test_large_stores_are_written_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "_BLOCK", 40)
    make(50).save(tmp_path)
    same(FaceStore.open(tmp_path), make(50))


def test_saving_again_leaves_one_store(tmp_path):
    make(seed=1).save(tmp_path)
    old = FaceStore.open(tmp_path)
    make(seed=2).save(tmp_path)
    same(FaceStore.open(tmp_path), make(seed=2))
    same(old, make(seed=1))  # who has it open keeps it
    assert len(list(tmp_path.iterdir())) == 4
    FaceStore.open(tmp_path).save(tmp_path)  # onto itself
    same(FaceStore.open(tmp_path), make(seed=2))


@pytest.mark.parametrize("write", range(1, 6))
def test_a_save_cut_short_leaves_the_old_store_or_the_new(write, tmp_path, monkeypatch):
    make(seed=1).save(tmp_path)
    replace, calls = os.replace, []

    def dying(*names):
        calls.append(names)
        if len(calls) == write:
            raise KeyboardInterrupt
        replace(*names)

    monkeypatch.setattr(os, "replace", dying)
    with contextlib.suppress(KeyboardInterrupt):
        make(seed=2).save(tmp_path)
    monkeypatch.undo()
    found = FaceStore.open(tmp_path)
    same(found, make(seed=2 if np.array_equal(found.faces, make(seed=2).faces) else 1))
    make(seed=3).save(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


def test_faces_that_a_killed_save_left_go_with_the_next_though_it_changes_nothing(tmp_path):
    make().save(tmp_path)
    files = sorted(path.name for path in tmp_path.iterdir())
    (tmp_path / "faces-0123456789abcdef.npy").write_bytes(b"of a store that has no index yet")
    FaceStore.open(tmp_path).save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == files


@pytest.mark.parametrize("pattern", ["faces-*.npy", "table-*.parquet", "store.json"])
def test_every_flipped_bit_and_missing_file_is_refused(pattern, tmp_path):
    make().save(tmp_path)
    path = next(tmp_path.glob(pattern))
    content = path.read_bytes()
    for place in range(0, len(content), max(1, len(content) // 25)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError):
            FaceStore.open(tmp_path)
    path.write_bytes(content[:-1])
    with pytest.raises(ArtifactError):
        FaceStore.open(tmp_path)
    path.unlink()
    with pytest.raises(ArtifactError, match=r"missing|not there"):
        FaceStore.open(tmp_path)


def test_a_store_that_was_never_made_says_what_makes_it(tmp_path):
    with pytest.raises(ArtifactError, match="`kedro run` makes it"):
        FaceStore.open(tmp_path / "none", made_by="`kedro run`")


def test_a_store_of_another_format_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "_FORMAT", 2)
    make().save(tmp_path)
    monkeypatch.undo()
    with pytest.raises(ArtifactError, match="format 2"):
        FaceStore.open(tmp_path)
    assert json.loads((tmp_path / "store.json").read_text())["shape"] == [7, 4, 4]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"faces": np.zeros((7, 4, 4))}, "must be uint8"),
        ({"faces": np.zeros((7, 4, 4, 1), np.uint8)}, "must be uint8 of shape"),
        ({"faces": np.zeros((6, 4, 4), np.uint8)}, "6 faces but 7 rows"),
        ({"aus": (1, 2)}, "no column AU02"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(change, words):
    store = make()
    parts = {"faces": store.faces, "table": store.table, "aus": store.aus} | change
    with pytest.raises(ValueError, match=words):
        FaceStore(**parts)


def planted(folder, part, content):
    """A store in which one file is another, as its maker could have written it."""
    make().save(folder)
    path = next(folder.glob(f"{part}-*"))
    path.write_bytes(content)
    index = json.loads((folder / "store.json").read_text())
    index[f"{part}_sha256"] = sha256_of(path)
    with atomic_artifact(folder / "store.json") as file:
        file.write(json.dumps(index).encode())


def test_a_table_that_says_more_than_the_faces_is_refused_unread(tmp_path, monkeypatch):
    table = pd.DataFrame({"image": np.repeat("a" * 50, 1_000_000)})
    planted(tmp_path, "table", table.to_parquet(index=False))
    monkeypatch.delattr(pd, "read_parquet")
    with pytest.raises(ArtifactError, match=r"1,000,000 rows .* expected 7, one for each"):
        FaceStore.open(tmp_path)


def test_a_table_that_unpacks_to_far_more_than_its_file_is_refused_unread(
    tmp_path, monkeypatch
):
    table = make().table.assign(image=[f"{k}" * 1_000_000 for k in range(7)])
    planted(tmp_path, "table", table.to_parquet(index=False, compression="zstd"))
    monkeypatch.delattr(pd, "read_parquet")
    with pytest.raises(ArtifactError, match=r"7 rows in [67],\d+,\d+ bytes"):
        FaceStore.open(tmp_path)


@pytest.mark.parametrize("shape", [(1 << 20, 1 << 10, 1 << 10), (7, 4, 2)])
def test_faces_of_another_shape_than_the_file_has_are_refused(shape, tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    planted(tmp_path, "faces", header.getvalue() + bytes(7 * 4 * 4))
    with pytest.raises(
        ArtifactError, match=r"faces-\w+\.npy (does not hold|holds \(7, 4, 2\))"
    ):
        FaceStore.open(tmp_path)


def test_a_large_file_is_hashed_once_while_it_stays_as_it_is(tmp_path, monkeypatch):
    hashed = []

    def hash_of(path):
        hashed.append(path.name)
        return sha256_of(path)

    monkeypatch.setattr(store_module, "sha256_of", hash_of)
    made = make(n=41)
    made.save(tmp_path)
    faces = next(tmp_path.glob("faces-*.npy"))
    monkeypatch.setattr(store_module, "_LARGE", faces.stat().st_size)
    hashed.clear()
    for _ in range(3):
        same(FaceStore.open(tmp_path), made)
    assert hashed.count(faces.name) == 1
    content = bytearray(faces.read_bytes())
    content[-1] ^= 1
    faces.write_bytes(content)
    os.utime(faces, (0, 0))
    with pytest.raises(ArtifactError, match="damaged"):
        FaceStore.open(tmp_path)
