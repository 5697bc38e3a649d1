"""SIGKILL at random moments: the next start leaves nothing of it, and ends in the same files."""

import multiprocessing
import os
import random
import signal
import tempfile
import time

import cv2
import pytest

from action_units.commands import main
from action_units.config import CropSettings
from action_units.faces.crop import FaceSettings
from action_units.faces.preprocess import crop_photographs
from action_units.faces.workers import Workers
from action_units.media.sources import open_photographs
from tests.portraits import portrait

KILLS = int(os.environ.get("ACTION_UNITS_KILLS", "8"))  # of each kind
SETTINGS = FaceSettings(crop=CropSettings(max_size=48))


def predict(folder, models):
    command = ["predict", str(folder / "two.avi"), "--model", str(models), "--annotate"]
    main([*command, "--out", str(folder / "out"), "--device", "cpu"], standalone_mode=False)


def preprocess(folder, _models):
    source = open_photographs(folder / "photographs")
    crop_photographs(source, folder / "out", folder / "work", SETTINGS, Workers(2))


def start(work, folder, models):
    """A process forked from a server that has torch loaded, with a TMPDIR of its own."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.prediction.test_orphans", "torch", "pandas"])
    process = processes.Process(target=_work, args=(work, folder, models))
    process.start()
    return process


def _work(work, folder, models):
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder / "tmp")
    work(folder, models)


def results(folder):
    """Every file, by its path; a journal's pages are in the order in which work ended."""
    paths = [path for part in ("out", "work", "tmp") for path in (folder / part).rglob("*")]
    return {
        str(path.relative_to(folder)): b"" if path.suffix == ".sqlite" else path.read_bytes()
        for path in paths
        if path.is_file()
    }


@pytest.mark.slow
@pytest.mark.parametrize("work", [predict, preprocess])
def test_nothing_is_left_of_kills_after_the_next_start(tmp_path, run_folder, two_people, work):
    folders = []
    for name in ("whole", "killed"):
        folder = tmp_path / name
        (folder / "photographs").mkdir(parents=True)
        (folder / "tmp").mkdir()
        (folder / "two.avi").symlink_to(two_people)
        folders.append(folder)
    for k in range(16):
        content = cv2.imencode(".png", portrait(k))[1].tobytes()
        for folder in folders:
            (folder / "photographs" / f"{k}.png").write_bytes(content)
    whole, killed = folders
    began = time.monotonic()
    process = start(work, whole, run_folder)
    process.join()
    seconds = time.monotonic() - began
    assert process.exitcode == 0
    assert len(results(whole)) > 4

    generator, kills, left = random.Random(5), 0, 0
    while kills < KILLS:
        process = start(work, killed, run_folder)
        process.join(generator.uniform(0.1, 1.0) * seconds)
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.join()
        left += len(list(killed.rglob("*.part")))
        if process.exitcode == 0:  # what is done would not be done again
            for path in (*killed.glob("out/*"), *killed.glob("work/*")):
                path.unlink()
    process = start(work, killed, run_folder)
    process.join()
    assert process.exitcode == 0
    time.sleep(1)  # a worker of the last kill may have ended after this start's sweep
    print(f"{kills} kills left {left} temporary files and folders")
    assert left > 0 or work is preprocess  # whose crops are written in no time
    orphans = [path for path in killed.rglob("*") if path.name.startswith(".")]
    assert orphans == []
    assert results(killed).keys() == results(whole).keys()
    differing = {
        name
        for name, content in results(whole).items()
        if results(killed)[name] != content
        and not name.endswith((".json", ".webm"))  # with paths in it; with random numbers
    }
    assert differing == set()
    assert {path.stat().st_mode & 0o077 for path in killed.glob("out/*")} == {0}
