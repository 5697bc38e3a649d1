"""Exporting again into a folder: all of the new export, or all of the old one."""

import errno
import itertools
import os
from pathlib import Path

import pytest

from action_units.errors import ArtifactError, ConfigurationError
from action_units.export.package import export_run, read_package
from action_units.locks import locked
from tests.export.synthetic import CARD, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "06_models/sample/main/disfa/fg2020")


@pytest.fixture
def weights_alone(run, tmp_path):
    return export_run(run, tmp_path / "fold2", fold=2, onnx=False, card=CARD)


def test_another_export_into_the_folder_leaves_nothing_of_the_first(run, tmp_path):
    out = export_run(run, tmp_path / "x", fold=1, int8=False, card=CARD)
    assert (out / "model.onnx").is_file()
    export_run(run, out, onnx=False, card=CARD)
    assert {path.name for path in out.iterdir() if path.suffix == ".onnx"} == set()
    assert not (out / "model.safetensors").exists()
    assert not (out / "model.onnx.sha256").exists()
    assert len(read_package(out).fold_models) == 3


def content_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("fails_at", range(0, 8, 2))
def test_a_full_disk_leaves_an_earlier_export_as_it_was(run, tmp_path, monkeypatch, fails_at):
    out = export_run(run, tmp_path / "x", fold=1, onnx=False, card=CARD)
    before = content_of(out)
    fsync, calls = os.fsync, itertools.count()

    def full(descriptor):
        if next(calls) >= fails_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ArtifactError, match=r"x/.*No space left on device"):
            export_run(run, out, onnx=False, card=CARD)
    assert content_of(out) == before
    assert [member.name for member in read_package(out).fold_models] == ["fold1"]


@pytest.mark.parametrize("after", range(10))
def test_a_killed_export_can_be_made_again(run, tmp_path, monkeypatch, after):
    out = export_run(run, tmp_path / "x", fold=1, onnx=False, card=CARD)
    (out / "model.onnx.sha256").write_text("left by a kill\n")
    replace, calls = os.replace, itertools.count()

    def killed(*paths):
        if next(calls) == after:
            raise KeyboardInterrupt
        replace(*paths)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            export_run(run, out, onnx=False, card=CARD)
    assert list(out.glob(".*"))
    (out / ".gitattributes").write_text("mine")
    if (
        after == 3
    ):  # between the card's manifest and the card, which so looks like an edited one
        with pytest.raises(ConfigurationError, match="was changed after the export"):
            export_run(run, out, onnx=False, card=CARD)
        (out / "README.md").unlink()
    export_run(run, out, onnx=False, card=CARD)
    assert len(read_package(out).fold_models) == 3
    assert [path.name for path in out.glob(".*")] == [".gitattributes"]
    names = {path.name for path in out.iterdir()} - {".gitattributes"}
    files = {"fold1.safetensors", "fold2.safetensors", "fold3.safetensors"}
    files |= {"README.md", "config.json"}
    assert names == files | {f"{name}.sha256" for name in files}


def test_an_edited_card_is_not_overwritten(run, weights_alone):
    card = weights_alone / "README.md"
    card.write_text(card.read_text().replace("license: mit", "license: other"))
    before = content_of(weights_alone)
    with pytest.raises(ConfigurationError, match=r"README\.md was changed after the export"):
        export_run(run, weights_alone, fold=2, onnx=False, card=CARD)
    assert content_of(weights_alone) == before
    card.unlink()
    export_run(run, weights_alone, fold=2, onnx=False, card=CARD)


def test_a_file_is_no_folder(run, tmp_path):
    (tmp_path / "x").write_text("mine")
    with pytest.raises(ConfigurationError, match="x is a file"):
        export_run(run, tmp_path / "x", onnx=False, card=CARD)


@pytest.mark.parametrize("name", ["finetuned.safetensors", "README.md", "config.json", "notes"])
def test_a_folder_with_other_files_is_left_alone(run, tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigurationError, match=f"holds {name}, which no export has written"):
        export_run(run, tmp_path, onnx=False, card=CARD)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_takes_one_export_at_a_time(run, weights_alone):
    before = content_of(weights_alone)
    with locked(weights_alone), pytest.raises(ArtifactError, match="is in use by process"):
        export_run(run, weights_alone, fold=1, onnx=False, card=CARD)
    assert content_of(weights_alone) == before
