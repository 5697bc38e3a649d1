"""Datasets keep the promises: whole files, checked when read, raw data never touched."""

import base64
import errno
import inspect
import os
import subprocess

import fsspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from kedro.io import DatasetError, Version
from matplotlib.figure import Figure

from action_units.datasets import folds
from action_units.datasets.crops import CodedCropsDataset, CropSet, WebCropsDataset
from action_units.datasets.faces import ChosenFacesDataset
from action_units.datasets.folder import FolderDataset
from action_units.datasets.folds import EvaluatedFoldsDataset
from action_units.datasets.raw import RawFolder, RawFolderDataset
from action_units.datasets.verified import CSV, JSON, TableCSVDataset, VerifiedDataset
from action_units.faces import store as stores
from action_units.faces.store import FaceStore
from action_units.files import sha256_of
from action_units.labels.action_units import DISFA_AUS, PRETRAIN_AUS, au_columns
from action_units.labels.folds import DISFA_SUBJECTS, FG2020

TABLE = pd.DataFrame({"au": [1, 2], "f1": [0.123456789012345, np.nan], "name": ["a", "n, b"]})


FIGURE = {"type": "matplotlib.MatplotlibDataset", "save_args": {"metadata": {"Software": None}}}
PARQUET = {"type": "pandas.ParquetDataset", "save_args": {"index": False}}


def verified(path, dataset=CSV, **options):
    return VerifiedDataset(filepath=str(path), dataset=dataset, **options)


def drawn():
    figure = Figure()
    figure.subplots().plot([1, 2])
    return figure


@pytest.mark.parametrize("dataset", [CSV, PARQUET])
def test_a_table_comes_back_and_undefined_is_na(tmp_path, dataset):
    table = verified(tmp_path / "t", dataset)
    assert not table.exists()
    table.save(TABLE)
    assert table.exists()
    pd.testing.assert_frame_equal(table.load(), TABLE, check_dtype=False)
    if dataset == CSV:
        assert "2,n/a," in (tmp_path / "t").read_text()
    assert table.preview(nrows=1)["data"] == [[1, 0.123456789012345, "a"]]


def test_an_empty_table_keeps_its_columns(tmp_path):
    dataset = verified(tmp_path / "t.csv")
    dataset.save(TABLE[:0])
    assert list(dataset.load()) == list(TABLE)


@pytest.mark.parametrize(
    ("dataset", "data"),
    [(CSV, TABLE), (PARQUET, TABLE), (JSON, {"a": [1, None]}), ("text.TextDataset", "page")],
)
def test_a_changed_byte_is_refused(tmp_path, dataset, data):
    path = tmp_path / "artifact"
    artifact = verified(path, dataset)
    artifact.save(data)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="SHA-256 differs"):
        artifact.load()


def test_json_never_holds_nan(tmp_path):
    with pytest.raises(DatasetError, match="JSON compliant"):
        verified(tmp_path / "a.json", JSON).save({"f1": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named_and_leaves_the_file(tmp_path, monkeypatch):
    dataset = verified(tmp_path / "t.csv")
    dataset.save(TABLE)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(TableCSVDataset, "save", full)
    with pytest.raises(DatasetError, match=r"t\.csv .*Free some space"):
        dataset.save(TABLE[:1])
    pd.testing.assert_frame_equal(dataset.load(), TABLE, check_dtype=False)


def test_the_same_figure_is_the_same_file_and_its_own_preview(tmp_path):
    for name in ("a.png", "b.png"):
        verified(tmp_path / name, FIGURE).save(drawn())
    content = (tmp_path / "a.png").read_bytes()
    assert content == (tmp_path / "b.png").read_bytes()
    assert base64.b64decode(verified(tmp_path / "a.png", FIGURE).preview()) == content


@pytest.mark.parametrize(
    ("name", "dataset", "data", "kind"),
    [
        ("t.csv", CSV, TABLE, "TablePreview"),
        ("d.json", JSON, {"a": 1}, "JSONPreview"),
        ("f.png", FIGURE, drawn(), "ImagePreview"),
    ],
)
def test_kedro_viz_finds_each_preview_by_its_type(tmp_path, name, dataset, data, kind):
    saved = verified(tmp_path / name, dataset)
    saved.save(data)
    annotation = inspect.signature(saved.preview).return_annotation
    assert getattr(annotation, "__name__", annotation) == kind
    assert not hasattr(verified(tmp_path / "page.html", "text.TextDataset"), "preview")


def test_a_file_on_another_file_system_is_checked_too():
    dataset = verified("memory:///bucket/t.csv")
    assert not dataset.exists()
    dataset.save(TABLE)
    pd.testing.assert_frame_equal(dataset.load(), TABLE, check_dtype=False)
    fsspec.filesystem("memory").pipe("/bucket/t.csv", b"au,f1,name\n1,0.5,a\n")
    with pytest.raises(DatasetError, match="SHA-256 differs"):
        dataset.load()


def test_versions_of_a_file_are_kept_apart(tmp_path):
    for version, table in (("1", TABLE), ("2", TABLE[:1])):
        verified(tmp_path / "t.csv", version=Version(None, version)).save(table)
    first = verified(tmp_path / "t.csv", version=Version("1", None))
    pd.testing.assert_frame_equal(first.load(), TABLE, check_dtype=False)
    assert len(verified(tmp_path / "t.csv", version=Version(None, None)).load()) == 1


def test_a_folder_is_made_by_loading_and_by_saving(tmp_path):
    assert FolderDataset(path=str(tmp_path / "a" / "b")).load().is_dir()
    FolderDataset(path=str(tmp_path / "c")).save(True)
    assert (tmp_path / "c").is_dir()


def disfa_table():
    rows = [
        {
            "image": f"RightVideo{subject}_{number:08d}.jpg",
            "rectsize": "(0,0,64,64)",
            **{column: (number + k) % 2 for k, column in enumerate(au_columns(DISFA_AUS))},
        }
        for subject in DISFA_SUBJECTS
        for number in range(2)
    ]
    table = pd.DataFrame(rows)
    return table.assign(
        subject=table["image"].str[10:15], frame=table["image"].str[16:24].astype(int) + 1
    )


def test_disfa_crops_are_written_as_the_papers_six_files(tmp_path):
    dataset = CodedCropsDataset(path=str(tmp_path))
    assert not dataset.exists()
    dataset.save(CropSet(tmp_path, disfa_table(), "rendered", {"crop": {"margin": 0.1}}))
    files = {path.name for path in tmp_path.glob("*.csv")}
    assert files == {f"fold{k}_{part}.csv" for k in (1, 2, 3) for part in ("train", "test")}
    for fold in (1, 2, 3):
        test = pd.read_csv(tmp_path / f"fold{fold}_test.csv", header=None)[0]
        assert set(test.str[10:15]) == set(FG2020.test_subjects(fold))
    back = dataset.load()
    assert (back.origin, back.provenance) == ("rendered", {"crop": {"margin": 0.1}})
    columns = ["image", *au_columns(DISFA_AUS)]
    wanted = disfa_table().sort_values("image", ignore_index=True)
    found = back.table.sort_values("image", ignore_index=True)
    pd.testing.assert_frame_equal(found[columns], wanted[columns], check_dtype=False)


@pytest.mark.parametrize(
    "subjects", [("SN001", "SN002"), ("SN006",), ("SN001", "SN006", "SN003")]
)
def test_of_a_few_subjects_only_folds_that_have_some_are_written(tmp_path, subjects, caplog):
    """SN001 and SN003 test fold 2, SN002 and SN006 fold 1, and nobody of them fold 3."""
    dataset = CodedCropsDataset(path=str(tmp_path))
    dataset.save(CropSet(tmp_path, disfa_table(), "own"))  # whose files of fold 3 must go
    table = disfa_table()
    dataset.save(CropSet(tmp_path, table[table["subject"].isin(subjects)], "own"))
    assert not (tmp_path / "fold3_test.csv").exists()
    assert all(path.stat().st_size for path in tmp_path.glob("*.csv"))
    caplog.set_level("INFO")
    assert set(dataset.load().table["subject"]) == set(subjects)
    assert "but fold" not in caplog.text  # it is no other protocol that a subject is not there


def as_downloaded(folder):
    """Leave what the paper's authors share: their CSVs alone."""
    for name in ("origin.json", "labels.parquet", "SHA256SUMS"):
        (folder / name).unlink()


def test_the_paper_s_files_are_imported_as_the_same_table(tmp_path):
    table = disfa_table().sort_values(["subject", "frame"], ignore_index=True)
    dataset = CodedCropsDataset(path=str(tmp_path))
    dataset.save(CropSet(tmp_path, table.assign(score=0.5), "own"))
    saved = dataset.load().table
    assert saved["score"].eq(0.5).all()  # the working table holds more than the CSVs can
    as_downloaded(tmp_path)
    imported = dataset.load().table
    pd.testing.assert_frame_equal(imported, saved[list(imported)], check_dtype=False)


def test_labels_of_an_earlier_version_are_not_read_without_their_details(tmp_path):
    dataset = CodedCropsDataset(path=str(tmp_path))
    dataset.save(CropSet(tmp_path, disfa_table(), "own"))
    (tmp_path / "SHA256SUMS").unlink()
    (tmp_path / "labels.parquet").rename(tmp_path / "details.parquet")
    with pytest.raises(DatasetError, match=r"details\.parquet of an earlier version and no"):
        dataset.load()


def test_whose_crops_they_are_is_known_without_a_note_of_it(tmp_path):
    dataset = CodedCropsDataset(path=str(tmp_path / "fine_tune_images"))
    dataset.save(CropSet(tmp_path, disfa_table(), "rendered"))
    as_downloaded(tmp_path / "fine_tune_images")
    assert dataset.load().origin == "fine_tune_images"
    assert dataset.load().provenance is None


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("train_label.csv", -2),  # the last label of the last face: 1 to 0
        ("test_label.csv", -2),
        ("origin.json", 12),  # a letter of the word rendered
        ("labels.parquet", 40),
        ("SHA256SUMS", 0),
    ],
)
def test_one_flipped_bit_in_what_was_written_here_is_refused(tmp_path, name, place):
    dataset = WebCropsDataset(path=str(tmp_path))
    table = web_table([("m.0a", "train"), ("m.0b_", "test")])
    dataset.save(CropSet(tmp_path, table.assign(score=0.5), "rendered"))
    assert dataset.load().origin == "rendered"
    flip(tmp_path / name, place)
    with pytest.raises(
        DatasetError, match="is not as it was written here|is missing"
    ) as refused:
        dataset.load()
    assert "`kedro run --pipeline preprocess` (with the --env" in str(refused.value)
    assert f"delete {tmp_path / 'SHA256SUMS'}" in str(refused.value)


def test_labels_changed_on_purpose_are_read_when_the_hashes_are_deleted(tmp_path, caplog):
    caplog.set_level("INFO")
    dataset = WebCropsDataset(path=str(tmp_path))
    dataset.save(CropSet(tmp_path, web_table([("m.0a", "train"), ("m.0b_", "test")]), "own"))
    flip(tmp_path / "train_label.csv", -2)
    (tmp_path / "SHA256SUMS").unlink()
    (tmp_path / "labels.parquet").unlink()
    assert dataset.load().table["AU45"].tolist() == [0, 1]
    assert "has no SHA256SUMS, so its files are read unchecked" in caplog.text


def test_the_hashes_are_those_of_sha256sum(tmp_path):
    WebCropsDataset(path=str(tmp_path)).save(
        CropSet(tmp_path, web_table([("m.0a", "train"), ("m.0b_", "test")]), "own")
    )
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done
    assert done.stdout.count(b": OK") == 4


def web_table(people):
    return pd.DataFrame(
        [
            {
                "image": f"{person}_{number}-FaceId-0.jpg",
                "rectsize": "(0,0,64,64)",
                "gender": number % 2,
                "subject": person,
                "split": split,
                **dict.fromkeys(au_columns(PRETRAIN_AUS), 1),
            }
            for number, (person, split) in enumerate(people)
        ]
    )


def test_web_crops_keep_their_split(tmp_path):
    dataset = WebCropsDataset(path=str(tmp_path))
    dataset.save(CropSet(tmp_path, web_table([("m.0a", "train"), ("m.0b_", "test")]), "own"))
    table = dataset.load().table
    assert dict(zip(table["subject"], table["split"], strict=True)) == {
        "m.0a": "train",
        "m.0b_": "test",
    }


@pytest.mark.parametrize("change", [{"AU45": -1}, {"AU24": 1}, "AU45"])
def test_labels_that_the_papers_files_cannot_hold_are_in_one_table_alone(tmp_path, change):
    table = web_table([("m.0a", "train"), ("m.0b_", "test")])
    dataset = WebCropsDataset(path=str(tmp_path))
    dataset.save(CropSet(tmp_path, table, "own"))
    other = table.drop(columns=change) if isinstance(change, str) else table.assign(**change)
    dataset.save(CropSet(tmp_path, other, "own"))
    assert not list(tmp_path.glob("*.csv"))
    pd.testing.assert_frame_equal(
        dataset.load().table, other[dataset.load().table.columns], check_dtype=False
    )


def test_a_person_in_both_web_files_is_refused_unless_allowed(tmp_path):
    people = [("m.0a", "train"), ("m.0a", "test")]
    WebCropsDataset(path=str(tmp_path)).save(CropSet(tmp_path, web_table(people), "own"))
    as_downloaded(tmp_path)
    with pytest.raises(DatasetError, match=r"test_label\.csv, line 1: .*m\.0a"):
        WebCropsDataset(path=str(tmp_path)).load()
    allowed = WebCropsDataset(path=str(tmp_path), allow_identity_overlap=True)
    assert len(allowed.load().table) == 2


def test_raw_data_is_read_and_never_written(tmp_path):
    folder = tmp_path / "mine"
    dataset = RawFolderDataset(path=str(folder))
    assert not dataset.exists()
    folder.mkdir()
    assert not dataset.exists()
    (folder / "notes.txt").write_text("mine")
    assert dataset.exists()
    assert dataset.load() == RawFolder(folder, "mine")
    with pytest.raises(DatasetError, match="never write"):
        dataset.save("anything")


def test_the_chosen_sets_faces_are_read_from_their_stores(tmp_path):
    for name, aus in (("a", (1, 12)), ("b", (12, 17))):
        table = pd.DataFrame({"image": ["1.jpg"], "subject": ["p0"]})
        labels = {f"AU{au:02d}": np.ones(1, np.int8) for au in aus}
        faces = np.full((1, 8, 8), ord(name), np.uint8)
        FaceStore(faces, table.assign(**labels), aus).save(tmp_path / name)
    one = ChosenFacesDataset(stores=str(tmp_path), sets="b")
    assert one.load().table[["set", "subject"]].to_numpy().tolist() == [["b", "p0"]]
    assert isinstance(one.load().faces, np.memmap)
    both = ChosenFacesDataset(stores=str(tmp_path), sets="a+b", people={"b": "own"})
    assert both.load().aus == (1, 12, 17)
    assert both.load().table["subject"].tolist() == ["a/p0", "b/p0"]
    missing = ChosenFacesDataset(stores=str(tmp_path), sets="a+c")
    assert not missing.exists()
    assert missing.missing == [tmp_path / "c"]


def test_the_chosen_sets_stores_are_checked_once_until_a_file_changes(tmp_path, monkeypatch):
    def write(value: int) -> None:
        table = pd.DataFrame(
            {"image": ["1.jpg"], "subject": ["p0"], "AU01": np.ones(1, np.int8)}
        )
        FaceStore(np.full((1, 8, 8), value, np.uint8), table, (1,)).save(tmp_path / "a")

    hashed = []
    monkeypatch.setattr(
        stores, "sha256_of", lambda path: hashed.append(path) or sha256_of(path)
    )
    write(1)
    chosen = ChosenFacesDataset(stores=str(tmp_path), sets="a")
    first = chosen.load()
    assert chosen.load() is first
    assert len(hashed) == 2  # faces and table
    write(2)
    assert chosen.load().faces.max() == 2
    chosen.release()
    assert chosen.load().faces.max() == 2
    assert len(hashed) == 6
    next((tmp_path / "a").glob("faces-*")).write_bytes(b"damaged")
    with pytest.raises(DatasetError, match="damaged"):
        chosen.load()


def test_evaluated_folds_are_read_once_until_a_file_changes(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(folds, "read_folds", lambda *places: read.append(places) or {1: "one"})
    dataset = EvaluatedFoldsDataset(path=str(tmp_path / "a"), predictions=str(tmp_path / "b"))
    for file in ("a/fold1/evaluation.json", "b/fold1/finetuned_predictions.parquet"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text("before")
        dataset.load().clear()  # what a node does to the mapping is its own affair
        assert dataset.load() == {1: "one"}
    assert len(read) == 2
    (tmp_path / "b/fold1/finetuned_predictions.parquet").write_text("after it")
    dataset.load()
    dataset.release()
    dataset.load()
    assert read == [(tmp_path / "a", tmp_path / "b")] * 4


def test_folds_that_are_not_there_yet_are_no_error(tmp_path):
    dataset = EvaluatedFoldsDataset(path=str(tmp_path), predictions=str(tmp_path))
    assert dataset.exists()
    assert dataset.load() == {}


@given(arrays(np.float64, 40, elements={"allow_nan": False}))
@settings(max_examples=30, deadline=None)
def test_numbers_of_a_table_come_back_bit_for_bit(tmp_path_factory, numbers):
    dataset = verified(tmp_path_factory.mktemp("table") / "t.csv")
    dataset.save(pd.DataFrame({"x": numbers}))
    again = dataset.load()["x"].to_numpy(np.float64)
    np.testing.assert_array_equal(again.view(np.int64), numbers.view(np.int64))
