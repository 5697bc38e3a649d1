"""Cropping photographs: incremental, restartable, the same however it is divided."""

import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from upath import UPath

from action_units.config import DetectorSettings
from action_units.errors import ArtifactError, LabelError
from action_units.faces.crop import CropSettings, FaceSettings
from action_units.faces.crop_folder import UNFINISHED
from action_units.faces.journal import Journal
from action_units.faces.preprocess import crop_photographs
from action_units.faces.workers import Workers
from action_units.media.sources import open_photographs

HERE = Workers(0)
SETTINGS = FaceSettings(crop=CropSettings(max_size=48))


def jpeg(pixels):
    return cv2.imencode(".jpg", pixels)[1].tobytes()


@pytest.fixture
def folder(tmp_path, portraits):
    """Nine photographs of three people; the fourth is grey, the sixth cut short."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for k in range(9):
        content = jpeg(portraits[k % 3])
        if k == 3:
            content = jpeg(np.full((160, 160), 128, np.uint8))
        (folder / f"m.0{k % 3}_{k}-FaceId-0.jpg").write_bytes(
            content[:-200] if k == 5 else content
        )
    return folder


def crop(source, tmp_path, name="a", settings=SETTINGS, workers=HERE):
    result = crop_photographs(
        open_photographs(source), tmp_path / name, tmp_path / f"{name}.work", settings, workers
    )
    (tmp_path / name / UNFINISHED).unlink()
    return result


def files(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_a_face_of_each_photograph_and_a_reason_for_the_others(folder, tmp_path):
    result = crop(folder, tmp_path)
    assert len(result.table) == 7
    assert set(files(tmp_path / "a")) == set(result.table["image"])
    aside = result.quarantine.table().set_index("reason")
    assert Path(aside.loc["no face", "path"]).name == "m.00_3-FaceId-0.jpg"
    assert Path(aside.loc["truncated", "path"]).name == "m.02_5-FaceId-0.jpg"
    assert len(aside.loc["truncated", "sha256"]) == 64
    decoded = cv2.imread(str(tmp_path / "a" / result.table["image"][0]), cv2.IMREAD_UNCHANGED)
    assert decoded.shape == (48, 48)
    assert result.table["rectsize"][0] == "(0,0,48,48)"


@pytest.mark.parametrize("workers", [1, 2])
def test_neither_table_nor_bytes_depend_on_the_workers(folder, tmp_path, workers):
    one = crop(folder, tmp_path)
    two = crop(folder, tmp_path, "b", workers=Workers(workers))
    assert one.table.equals(two.table)
    assert one.quarantine.table().equals(two.quarantine.table())
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_only_what_is_new_is_worked_on(folder, tmp_path, portraits):
    crop(folder, tmp_path)
    again = crop(folder, tmp_path)
    assert again.new == 0
    (folder / "a" / "m.09_1-FaceId-0.jpg").parent.mkdir()
    (folder / "a" / "m.09_1-FaceId-0.jpg").write_bytes(jpeg(portraits[0]))
    (folder / "m.01_1-FaceId-0.jpg").write_bytes(jpeg(portraits[2]))
    (folder / "m.01_4-FaceId-0.jpg").unlink()
    (tmp_path / "a" / "m.02_2-FaceId-0.jpg").unlink()  # a crop that somebody lost
    changed = crop(folder, tmp_path)
    assert changed.new == 3
    fresh = crop(folder, tmp_path, "fresh")
    assert changed.table.equals(fresh.table)
    assert files(tmp_path / "a") == files(tmp_path / "fresh")


def test_a_changed_setting_does_all_again_and_is_named(folder, tmp_path, caplog):
    caplog.set_level("INFO")
    crop(folder, tmp_path)
    larger = replace(SETTINGS, crop=CropSettings(max_size=48, margin=0.2, suffix=".png"))
    assert crop(folder, tmp_path, settings=larger).new == 9
    assert "crop.margin was 0.1 and is now 0.2" in caplog.text
    assert all(name.endswith(".png") for name in files(tmp_path / "a"))  # the old are gone
    crop(folder, tmp_path, "fresh", larger)
    assert files(tmp_path / "a") == files(tmp_path / "fresh")


def test_no_finished_crop_goes_before_its_successor_is_written(folder, tmp_path, portraits):
    """A wrong setting sets every photograph aside; what was cropped before stays."""
    crop(folder, tmp_path)
    finished = files(tmp_path / "a")
    narrow = replace(SETTINGS, max_megapixels=1e-6)
    for _ in range(2):
        none = crop(folder, tmp_path, settings=narrow)
        assert none.table.empty
        assert files(tmp_path / "a") == finished
    (folder / "m.01_1-FaceId-0.jpg").unlink()  # withdrawn: its crop goes, whenever it was made
    crop(folder, tmp_path, settings=narrow)
    assert finished.keys() - files(tmp_path / "a").keys() == {"m.01_1-FaceId-0.jpg"}
    png = replace(SETTINGS, crop=CropSettings(max_size=48, suffix=".png"))
    crop(folder, tmp_path, settings=png)
    assert {Path(name).suffix for name in files(tmp_path / "a")} == {".png"}


def test_no_limit_is_none(folder, tmp_path):
    usual = crop(folder, tmp_path)
    endless = crop(folder, tmp_path, "b", replace(SETTINGS, max_megapixels=None))
    assert endless.table.equals(usual.table)


def test_what_is_not_ours_stays(folder, tmp_path):
    crop(folder, tmp_path)
    (tmp_path / "a" / "mine.jpg").write_bytes(b"mine")
    (
        tmp_path / "a" / ".m.01_1-FaceId-0.jpg.abc_1234.part"
    ).touch()  # as a killed write leaves it
    (folder / "m.01_1-FaceId-0.jpg").unlink()
    crop(folder, tmp_path)
    left = files(tmp_path / "a")
    assert "mine.jpg" in left
    assert not {".m.01_1-FaceId-0.jpg.abc_1234.part", "m.01_1-FaceId-0.jpg"} & set(left)


def test_two_photographs_of_one_name_give_one_crop_the_first(tmp_path, portraits):
    rows = [("m.01", "7", portraits[k]) for k in (0, 1, 2)] + [("m.02", "1", portraits[0])]
    box = base64.b64encode(np.zeros(4, np.float32).tobytes()).decode()
    text = "".join(
        f"{who}\t{rank}\tu\tp\tFaceId-0\t{box}\t{base64.b64encode(jpeg(face)).decode()}\n"
        for who, rank, face in rows
    )
    (tmp_path / "set.tsv").write_text(text)
    result = crop(tmp_path / "set.tsv", tmp_path)
    assert list(result.table["image"]) == ["m.01_7-FaceId-0.jpg", "m.02_1-FaceId-0.jpg"]
    assert result.quarantine.counts() == {"repeated": 2}
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "m.01_7-FaceId-0.jpg").write_bytes(jpeg(portraits[0]))
    crop(tmp_path / "alone", tmp_path, "b")
    name = "m.01_7-FaceId-0.jpg"
    assert files(tmp_path / "a")[name] == files(tmp_path / "b")[name]


@dataclass(frozen=True)
class _Renamed:
    """A chunk whose photographs all have one stem."""

    chunk: object
    id = property(lambda self: self.chunk.id)
    fingerprint = property(lambda self: self.chunk.fingerprint)
    weight = property(lambda self: self.chunk.weight)

    def photographs(self):
        for photograph in self.chunk.photographs():
            yield replace(photograph, stem="m.01_7-FaceId-0")


class _OneName:
    """A source of such chunks."""

    def __init__(self, folder):
        self.source = open_photographs(folder)

    def chunks(self):
        return map(_Renamed, self.source.chunks())


def test_of_repeats_in_several_portions_the_first_is_kept(tmp_path, portraits, monkeypatch):
    for part, face in (("a", 0), ("b", 1), ("c", 2)):
        (tmp_path / "parts" / part).mkdir(parents=True)
        (tmp_path / "parts" / part / "x.jpg").write_bytes(jpeg(portraits[face]))
    name = "m.01_7-FaceId-0.jpg"
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / name).write_bytes(jpeg(portraits[0]))
    crop(tmp_path / "one", tmp_path, "b")
    monkeypatch.setattr(
        "action_units.faces.incremental.work_through.__defaults__", (None, 1, "")
    )
    for new in (3, 0):  # the second run finds all settled
        source = _OneName(tmp_path / "parts")
        result = crop_photographs(source, tmp_path / "a", tmp_path / "w", SETTINGS, HERE)
        assert (len(result.table), result.new) == (1, new)
        assert result.quarantine.counts() == {"repeated": 2}
        assert files(tmp_path / "a")[name] == files(tmp_path / "b")[name]


def test_a_tar_and_a_folder_give_the_same_crops(folder, tmp_path):
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        for path in sorted(folder.iterdir()):
            content = path.read_bytes()
            member = tarfile.TarInfo(path.name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    crop(folder, tmp_path)
    result = crop(tmp_path / "set.tar", tmp_path, "b")
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert len(result.quarantine) == 2


def test_photographs_and_crops_may_lie_in_a_store(folder, tmp_path):
    store = UPath("memory://photographs")
    for path in folder.iterdir():
        (store / path.name).write_bytes(path.read_bytes())
    out = UPath("memory://crops")
    for expected in (9, 0):
        result = crop_photographs(
            open_photographs("memory://photographs"), out, tmp_path / "w", SETTINGS, HERE
        )
        assert result.new == expected
    crop(folder, tmp_path)
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.name != UNFINISHED} == files(
        tmp_path / "a"
    )


def test_a_photograph_that_kills_its_process_is_set_aside_by_name(folder, tmp_path, portraits):
    killer = folder / "m.01_4-FaceId-0.jpg"
    killer.write_bytes(cv2.imencode(".jpg", portraits[1], [cv2.IMWRITE_JPEG_QUALITY, 60])[1])
    whole = crop(folder, tmp_path)
    deadly = replace(SETTINGS, max_megapixels=_Deadly(killer.stat().st_size))
    result = crop(folder, tmp_path, "b", deadly, Workers(2))
    aside = result.quarantine.table().set_index("reason")
    assert aside.loc["crash", "path"] == str(killer)
    assert "crashed its process" in aside.loc["crash", "detail"]
    kept = whole.table[whole.table["photograph"] != killer.name].reset_index(drop=True)
    assert result.table.equals(kept)


class _Deadly(float):
    """A limit of megapixels that kills the process which holds a file of one size against it."""

    def __new__(cls, size):
        made = super().__new__(cls, 64.0)
        made.size = size
        return made

    def __reduce__(self):
        return _Deadly, (self.size,)

    def __mul__(self, other):
        frame = sys._getframe(1)
        if len(frame.f_locals.get("content", b"")) == self.size:
            os.kill(os.getpid(), signal.SIGKILL)
        return 64.0 * other


def test_a_run_that_is_killed_goes_on_and_ends_the_same(folder, tmp_path, portraits):
    for k in range(60):
        (folder / f"m.1{k}_1-FaceId-0.jpg").write_bytes(jpeg(portraits[k % 3]))
    crop(folder, tmp_path)
    script = (
        "import sys; from pathlib import Path; from tests.faces.test_crop_photographs import *\n"
        "crop(Path(sys.argv[1]), Path(sys.argv[2]), 'b', workers=Workers(2))"
    )
    kills = 0
    for pause in (1.0, 1.2, 1.5, 2.0, 60.0):
        run = subprocess.Popen([sys.executable, "-c", script, str(folder), str(tmp_path)])
        started = time.monotonic()
        while run.poll() is None and time.monotonic() - started < pause:
            time.sleep(0.01)
        if run.poll() is not None:
            break
        run.kill()
        run.wait()
        kills += 1
    assert run.returncode == 0
    assert kills >= 1
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_two_runs_on_one_journal_are_not_let(folder, tmp_path):
    with (
        Journal.open(tmp_path / "a.work", {}),
        pytest.raises(ArtifactError, match="in use by process"),
    ):
        crop(folder, tmp_path)


def test_weights_are_looked_for_before_any_work(folder, tmp_path):
    nowhere = replace(SETTINGS, detector=DetectorSettings(model=str(tmp_path / "no.onnx")))
    with pytest.raises(ArtifactError, match=r"no\.onnx"):
        crop(folder, tmp_path, settings=nowhere)
    assert not (tmp_path / "a").exists()


def test_settings_come_back_from_what_was_noted_of_them():
    settings = FaceSettings(
        DetectorSettings(score=0.7, choose="central"),
        CropSettings(margin=0.2, max_size=96, align="eyes", suffix=".png"),
        9.0,
    )
    noted = json.loads(json.dumps({**settings.provenance(), "size": 64}))
    assert FaceSettings.from_provenance(noted) == settings
    usual = FaceSettings().provenance()
    assert FaceSettings.from_provenance(usual).provenance() == usual
    del noted["crop"]["margin"]
    with pytest.raises(ArtifactError, match="margin"):
        FaceSettings.from_provenance(noted)


def test_where_nothing_is_usable_the_work_stops_early(tmp_path, portraits, monkeypatch):
    monkeypatch.setattr("action_units.faces.preprocess.FIRST", 20)
    (tmp_path / "photos").mkdir()
    for k in range(60):
        (tmp_path / "photos" / f"{k:02d}.jpg").write_text("version https://git-lfs.github.com")
    with pytest.raises(LabelError) as error:
        crop(tmp_path / "photos", tmp_path, "a")
    assert re.search(
        r"00\.jpg: not an image: the content is of no known image format\. Not one of the first "
        r"(\d+) photographs is usable \(\1 not an image\)", str(error.value)
    )  # fmt: skip
    assert int(re.search(r"first (\d+)", str(error.value))[1]) < 60
    (tmp_path / "photos" / "00.jpg").write_bytes(jpeg(portraits[0]))
    assert len(crop(tmp_path / "photos", tmp_path, "b").table) == 1


def test_of_a_moving_picture_the_first_is_cropped_and_the_others_are_counted(
    tmp_path, portraits
):
    folder = tmp_path / "photographs"
    folder.mkdir()
    frames = [Image.fromarray(portrait) for portrait in portraits]
    frames[0].save(folder / "a.gif", save_all=True, append_images=frames[1:])
    frames[0].save(folder / "b.png")
    for _ in range(2):  # in the second run by the journal alone
        result = crop(folder, tmp_path)
        assert sorted(result.table["photograph"]) == ["a.gif", "b.png"]
        assert result.quarantine.counts() == {"pictures left out": 1}
        (row,) = result.quarantine.rows()
        assert row[:3] == [
            str(folder / "a.gif"), "pictures left out", "the first of 3 pictures was taken",
        ]  # fmt: skip
