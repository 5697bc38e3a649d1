"""A file that cannot be understood is named in a sentence, whichever dataset reads it."""

import gzip
import hashlib

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError

from action_units.datasets.crops import CodedCropsDataset, CropSet
from action_units.datasets.faces import FaceStoreDataset
from action_units.datasets.folds import EvaluatedFoldsDataset
from action_units.datasets.verified import CSV, JSON, VerifiedDataset
from action_units.error_messages import error_message
from action_units.faces.store import FaceStore
from action_units.files import manifest_of
from tests.datasets.test_datasets import disfa_table

DAMAGES = {
    "empty": b"",
    "bytes": bytes(range(128, 256)) * 3,
    "other": b'[1, {"a": 2}]',
    "deep": b"[" * 100_000,
    "null": b"null",
    "gzip": gzip.compress(b"x", mtime=0),
}


def table():
    return pd.DataFrame({"subject": ["SN001"], "frames": [3], "lost": [1], "no face": [1]})


def store():
    rows = {
        "image": ["a.jpg"],
        "subject": ["SN001"],
        "frame": [1],
        "sha256": ["0"],
        "AU01": [1],
    }
    return FaceStore(np.zeros((1, 16, 16), np.uint8), pd.DataFrame(rows), (1,))


CASES = {
    "table.csv": (CSV, table, "table.csv"),
    "table.parquet": ("pandas.ParquetDataset", table, "table.parquet"),
    "document.json": (JSON, lambda: {"a": 1}, "document.json"),
    "page.html": ("text.TextDataset", lambda: "page", "page.html"),
    "store": (None, store, "store/store.json"),
}


def damaged(path, content):
    """Put other content in place, as if it had been saved so."""
    path.write_bytes(content)
    if manifest_of(path).is_file():
        manifest_of(path).write_text(f"{hashlib.sha256(content).hexdigest()}  {path.name}\n")


def refuse(load, path, may_load=False):
    if may_load:
        load()
        return
    with pytest.raises(DatasetError) as refused:
        load()
    sentence = error_message(refused.value)
    assert sentence is not None
    assert str(path) in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", CASES)
def test_an_artifact(tmp_path, name, damage):
    kind, make, file = CASES[name]
    path = str(tmp_path / name)
    dataset = (
        FaceStoreDataset(path=path)
        if kind is None
        else VerifiedDataset(filepath=path, dataset=kind)
    )
    dataset.save(make())
    damaged(tmp_path / file, DAMAGES[damage])
    understood = {
        "document.json": ("other", "null"),
        "page.html": ("empty", "other", "deep", "null"),
        "table.csv": ("other", "deep", "null"),
    }
    refuse(dataset.load, tmp_path / file, damage in understood.get(name, ()))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["origin.json", "labels.parquet", "SHA256SUMS"])
def test_what_lies_beside_crops(tmp_path, name, damage):
    dataset = CodedCropsDataset(path=str(tmp_path))
    dataset.save(CropSet(tmp_path, disfa_table().assign(score=0.9), "mine"))
    sums = tmp_path / "SHA256SUMS"
    if name != sums.name:
        sums.unlink()  # as of crops that were made elsewhere
    (tmp_path / name).write_bytes(DAMAGES[damage])
    refuse(dataset.load, tmp_path / name, name == sums.name and damage == "empty")


def test_a_damaged_part_of_a_store_is_named_itself(tmp_path):
    FaceStoreDataset(path=str(tmp_path)).save(store())
    faces = next(tmp_path.glob("faces-*.npy"))
    faces.write_bytes(b"")
    refuse(FaceStoreDataset(path=str(tmp_path)).load, faces)


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_looked_at_of_all_folds(tmp_path, damage):
    evaluation = tmp_path / "fold1/evaluation.json"
    VerifiedDataset(filepath=str(evaluation), dataset=JSON).save({})
    damaged(evaluation, DAMAGES[damage])
    folds = EvaluatedFoldsDataset(path=str(tmp_path), predictions=str(tmp_path))
    refuse(folds.load, evaluation)
