"""The curve of a training that runs."""

import math
import sys
from types import ModuleType

import pandas as pd
import pytest

from action_units.errors import ConfigurationError
from action_units.training.curves import curve_log
from tests.training.test_checkpoints import Crash, crash, crash_after
from tests.training.test_train import QUICK, quick


def row(epoch, **changes):
    return {
        "epoch": epoch,
        "learning_rate": 0.001,
        "train_loss": 1 / epoch,
        "validation_loss": 2 / epoch,
        "validation_macro_f1": 0.1 * epoch,
        "validation_average_precision": 0.2,
        "seconds": 3.0,
        "faces_per_second": 100.0,
        "best": True,
        **changes,
    }


CURVE = [row(1), row(2, validation_macro_f1=math.nan), row(3)]


def test_the_csv_holds_every_epoch_so_far(tmp_path):
    with curve_log(tmp_path) as log:
        for n in (1, 2, 3):
            log(CURVE[:n])
            table = pd.read_csv(tmp_path / "curve.csv")
            assert table["epoch"].tolist() == [1, 2, 3][:n]
    assert table["train_loss"].tolist() == pytest.approx([1, 1 / 2, 1 / 3])
    assert "n/a" in (tmp_path / "curve.csv").read_text().splitlines()[2]
    assert [path.name for path in tmp_path.iterdir()] == ["curve.csv"]


def write(folder, *curves):
    with curve_log(folder, tensorboard=True) as log:
        for curve in curves:
            log(curve)


class FakeWriter:
    """What is used of ``torch.utils.tensorboard``; a line a scalar."""

    started = 0

    def __init__(self, folder):
        FakeWriter.started += 1
        self.path = f"{folder}/events.out.tfevents.{FakeWriter.started}"
        open(self.path, "w").close()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass

    def add_scalar(self, tag, value, step):
        with open(self.path, "a") as file:
            file.write(f"{tag} {step} {value:g}\n")

    def flush(self):
        pass


def test_a_resumed_run_leaves_no_gap_and_nothing_twice(monkeypatch, tmp_path):
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = FakeWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    write(tmp_path, CURVE[:1], CURVE[:2])
    write(tmp_path, CURVE)
    (file,) = tmp_path.glob("events*")
    lines = file.read_text().splitlines()
    assert [line for line in lines if line.startswith("loss/train")] == [
        "loss/train 1 1", "loss/train 2 0.5", "loss/train 3 0.333333"
    ]  # fmt: skip
    assert [line.split()[2] for line in lines if "macro F1" in line] == ["1", "3"]


def test_tensorboard_reads_what_was_written(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    write(tmp_path, CURVE[:1], CURVE[:2])
    write(tmp_path, CURVE)
    events = reader.EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Scalars("loss/train")] == [1, 2, 3]
    assert [event.step for event in events.Scalars("validation/macro F1")] == [1, 3]
    assert events.Scalars("loss/validation")[2].value == pytest.approx(2 / 3)


def test_a_training_writes_its_curve_and_is_the_same_with_and_without(monkeypatch, tmp_path):
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = FakeWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    plain = quick(checkpoint_folder=tmp_path / "plain")
    logged = quick(checkpoint_folder=tmp_path / "logged", tensorboard=True)
    again = quick(checkpoint_folder=tmp_path / "plain", tensorboard=True)  # the same training
    assert logged.model.provenance == plain.model.provenance == again.model.provenance
    written = pd.read_csv(tmp_path / "logged" / "curve.csv")
    pd.testing.assert_frame_equal(written, logged.curve, check_dtype=False)
    assert list((tmp_path / "logged").glob("events*"))
    assert not list((tmp_path / "plain").glob("events*"))


def test_a_resumed_run_shows_at_once_what_it_has(monkeypatch, tmp_path):
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = FakeWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    write(tmp_path, CURVE)  # and was killed before it saved the third epoch
    with curve_log(tmp_path, True, CURVE[:2]):
        assert pd.read_csv(tmp_path / "curve.csv")["epoch"].tolist() == [1, 2]
        (file,) = tmp_path.glob("events*")
        assert "loss/train 2 0.5" in file.read_text()
        assert "loss/train 3" not in file.read_text()
    with curve_log(tmp_path, False, CURVE[:2]):
        assert list(tmp_path.glob("events*")) == [file]


@pytest.mark.parametrize("saved", [True, False])
def test_a_restarted_run_shows_the_one_before_until_it_has_saved(monkeypatch, tmp_path, saved):
    quick(checkpoint_folder=tmp_path)
    (tmp_path / "events.out.tfevents.1").touch()
    before = (tmp_path / "curve.csv").read_bytes()
    with monkeypatch.context() as patch:
        crash_after(patch, 3, crash)
        with pytest.raises(Crash):
            quick(
                checkpoint_folder=tmp_path,
                checkpoint_seconds=0.0 if saved else None,
                restart=True,
            )
    assert (tmp_path / "curve.csv").exists() != saved
    assert bool(list(tmp_path.glob("events*"))) != saved
    assert saved or (tmp_path / "curve.csv").read_bytes() == before


def test_what_is_not_true_or_false_is_refused():
    with pytest.raises(ConfigurationError, match="tensorboard is 'yes'; it must be true or"):
        quick(QUICK, tensorboard="yes")


def test_without_tensorboard_it_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with (
        pytest.raises(ConfigurationError, match=r"pip install 'action-units\[tensorboard\]'"),
        curve_log(tmp_path, tensorboard=True),
    ):
        pass
