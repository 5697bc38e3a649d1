import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from action_units.config.base import Settings
from action_units.errors import ArtifactError, ConfigurationError
from action_units.files import SUMS, differing, renew_sums, temporary_folder
from action_units.sample.layout import MARKER, make_once, run_tasks


class Seeded(Settings):
    seed: int = 1


def make(folder: Path, seed: int = 1) -> bool:
    def fill(making: Path) -> None:
        (making / "content").write_text(str(seed))

    return make_once(folder, "test", Seeded(seed=seed), fill)


def test_a_second_call_finds_the_sample_and_does_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "sample"
    assert make(folder)
    before = (folder / MARKER).stat().st_mtime_ns
    assert not make(folder)
    assert (folder / MARKER).stat().st_mtime_ns == before
    assert [path.name for path in folder.parent.iterdir()] == ["sample"]


def test_another_configuration_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    make(folder)
    with pytest.raises(
        ArtifactError, match=r"config.seed was 1 and is now 2.*delete the folder"
    ):
        make(folder, 2)
    assert (folder / "content").read_text() == "1"


def test_other_parameters_of_labels_have_only_the_labels_written_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    folder = tmp_path / "sample"
    made = make_labelled(folder)
    picture = (folder / "picture.jpg").stat().st_mtime_ns
    assert made
    assert not make_labelled(folder, flips=3)
    assert (folder / "labels.csv").read_text() == "3"
    assert (folder / "picture.jpg").stat().st_mtime_ns == picture
    assert list(differing(folder)) == []
    assert [record.message for record in caplog.records] == [
        f"The labels in {folder} were written again; its pictures stay"
    ]
    assert not make_labelled(folder, flips=3)
    assert len(caplog.records) == 1
    with pytest.raises(ArtifactError, match=r"config.seed was 1 and is now 2"):
        make_labelled(folder, seed=2)


def test_a_sample_from_before_a_parameter_of_labels_gets_its_labels(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    make_labelled(folder)
    record = json.loads((folder / MARKER).read_text())
    del record["config"]["flips"]
    (folder / MARKER).write_text(json.dumps(record))
    renew_sums(folder)
    (folder / "labels.csv").write_text("of another version")
    with pytest.raises(ArtifactError, match="labels.csv is not as it was written here"):
        make_labelled(folder)
    renew_sums(folder)
    assert not make_labelled(folder)
    assert (folder / "labels.csv").read_text() == "0"


def test_a_kill_while_labels_are_written_again_is_made_good(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    make_labelled(folder)
    with pytest.raises(KeyboardInterrupt):
        make_labelled(folder, flips=3, killed=True)
    assert not make_labelled(folder)
    assert (folder / "labels.csv").read_text() == "0"
    assert list(differing(folder)) == []
    assert (folder / SUMS).is_file()


class Labelled(Seeded):
    flips: int = 0


def make_labelled(folder: Path, seed: int = 1, flips: int = 0, killed: bool = False) -> bool:
    def label(making: Path) -> None:
        (making / "labels.csv").write_text(str(flips))
        if killed:
            raise KeyboardInterrupt

    def fill(making: Path) -> None:
        (making / "picture.jpg").write_text(str(seed))
        label(making)

    return make_once(folder, "test", Labelled(seed=seed, flips=flips), fill, label, ["flips"])


@pytest.mark.parametrize("marker", [None, "not json", "[]", '{"sample": "x"}'])
def test_a_folder_of_other_files_is_never_touched(tmp_path: Path, marker: str | None) -> None:
    folder = tmp_path / "sample"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    if marker is not None:
        (folder / MARKER).write_text(marker)
    with pytest.raises(ArtifactError, match="not touched"):
        make(folder)
    assert (folder / "thesis.txt").read_text() == "mine"


def test_an_error_while_rendering_leaves_nothing(tmp_path: Path) -> None:
    def fill(making: Path) -> None:
        (making / "half").write_text("x")
        raise OSError(28, "No space left on device")

    with pytest.raises(ArtifactError, match="No space left"):
        make_once(tmp_path / "sample", "test", Seeded(), fill)
    assert list(tmp_path.iterdir()) == []


KILLED = """
import sys
from pathlib import Path
from action_units.config import WebSampleConfig
from action_units.sample.web import write_web_sample
if __name__ == "__main__":
    config = WebSampleConfig(photographs=4000, identities=100)
    write_web_sample(Path(sys.argv[1]), config, workers=2)
"""


def test_a_kill_leaves_no_final_folder_and_the_next_run_clears_the_rest(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(KILLED)
    folder = tmp_path / "raw" / "web"
    process = subprocess.Popen(
        [sys.executable, script, folder], stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob("raw/.web.making.*/new/photographs/*.jpg")):
        assert time.monotonic() < deadline, "rendering never started"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not folder.exists()
    assert len(list(folder.parent.iterdir())) == 1
    assert make(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["web"]


def test_a_run_that_is_still_going_is_left_alone(tmp_path: Path) -> None:
    with temporary_folder("other.making", tmp_path) as running:
        assert make(tmp_path / "other")
        assert running.is_dir()


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "sample").mkdir()
    assert make(tmp_path / "sample")
    assert (tmp_path / "sample" / MARKER).is_file()


@pytest.mark.parametrize("name", ["labels/au1.txt", "openface.csv", MARKER])
def test_a_flipped_bit_in_a_label_is_refused(tmp_path: Path, name: str) -> None:
    def fill(making: Path) -> None:
        (making / "labels").mkdir()
        (making / "labels" / "au1.txt").write_text("1,0\n")
        (making / "openface.csv").write_text("a.jpg,1\n")

    folder = tmp_path / "sample"
    make_once(folder, "test", Seeded(), fill)
    assert not make(folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    with pytest.raises(ArtifactError, match="not as it was written here|not touched"):
        make(folder)


def test_a_sample_is_its_owners_alone(tmp_path: Path) -> None:
    def fill(making: Path) -> None:
        (making / "videos").mkdir(0o755)
        (making / "videos" / "a.avi").write_bytes(b"a face")

    folder = tmp_path / "sample"
    make_once(folder, "test", Seeded(), fill)
    modes = {path.stat().st_mode & 0o077 for path in (folder, *folder.rglob("*"))}
    assert modes == {0}


def write_square(task: tuple[Path, int]) -> None:
    folder, x = task
    (folder / str(x)).write_text(str(x * x))


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_is_done(tmp_path: Path, workers: int) -> None:
    tasks = [(tmp_path, x) for x in range(9)]
    run_tasks(write_square, tasks, [1] * 9, workers, "Squaring", "numbers")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        str(x): str(x * x) for x in range(9)
    }


def die(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_is_named() -> None:
    with pytest.raises(ArtifactError, match="worker process was killed"):
        run_tasks(die, [1, 2], [1, 1], 2, "Dying", "times")


def test_a_wrong_number_of_workers_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="workers=-1 must be 0 or more"):
        run_tasks(die, [1], [1], -1, "Squaring", "numbers")
