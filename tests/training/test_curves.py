"""The curve of a training that runs."""

import math
import sys

import pandas as pd
import pytest

from action_units.errors import ConfigurationError
from action_units.training.curves import CurveLog


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
    log = CurveLog(tmp_path)
    for n in (1, 2, 3):
        log(CURVE[:n])
        table = pd.read_csv(tmp_path / "curve.csv")
        assert table["epoch"].tolist() == [1, 2, 3][:n]
    assert table["train_loss"].tolist() == pytest.approx([1, 1 / 2, 1 / 3])
    assert "n/a" in (tmp_path / "curve.csv").read_text().splitlines()[2]
    assert [path.name for path in tmp_path.iterdir()] == ["curve.csv"]


def test_a_resumed_run_leaves_no_gap_and_nothing_twice(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    killed = CurveLog(tmp_path, tensorboard=True)
    killed(CURVE[:1])
    killed(CURVE[:2])
    resumed = CurveLog(tmp_path, tensorboard=True)
    resumed(CURVE)
    resumed.close()
    events = reader.EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Scalars("loss/train")] == [1, 2, 3]
    assert [event.step for event in events.Scalars("validation/macro F1")] == [1, 3]
    assert events.Scalars("loss/validation")[2].value == pytest.approx(2 / 3)


def test_without_tensorboard_it_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'action-units\[tensorboard\]'"):
        CurveLog(tmp_path, tensorboard=True)
