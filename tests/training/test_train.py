"""What a training does, run to its end in this process."""

import math
import re

import numpy as np
import pandas as pd
import pytest
import torch

from action_units.config import Augmentation, NetworkSpec, Recipe
from action_units.errors import ConfigurationError
from action_units.progress import Progress
from action_units.training.curves import CURVE_COLUMNS
from action_units.training.divergence import DivergedError
from action_units.training.inference import predict
from action_units.training.losses import BinaryLoss
from action_units.training.randomness import epoch_order
from tests.training.blobs import AUS, blobs, train
from tests.training.killed_run import weights_hash

SPEC = NetworkSpec(width=0.5, image_size=32)
STILL = Augmentation(shift=0, scale=1, rotation=0, skew=0, flip=0)
QUICK = Recipe(epochs=3, batch_size=20)
FACES, LABELS = blobs()


def quick(recipe=QUICK, *, spec=SPEC, faces=FACES, labels=LABELS, **arguments):
    arguments = {
        "train_rows": range(160),
        "validation_rows": range(160, 200),
        "seed": 1,
        **arguments,
    }
    rows, held_out = arguments.pop("train_rows"), arguments.pop("validation_rows")
    return train(spec, recipe, faces, labels, rows, held_out, AUS, **arguments)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_learns(precision):
    result = quick(Recipe(epochs=8, batch_size=20), precision=precision)
    probabilities = predict(result.model, FACES[160:])
    assert ((probabilities > 0.5) == LABELS[160:]).mean() > 0.97
    assert result.curve.validation_average_precision.max() > 0.97


def test_vgg13_learns():
    spec = NetworkSpec(
        architecture="vgg13", width=0.125, image_size=32, dropout=0.2, normalisation="batch"
    )
    result = quick(Recipe(epochs=8, batch_size=20, augmentation=STILL), spec=spec)
    assert result.curve.validation_average_precision.max() > 0.95


def test_golden_losses():
    """The loss of a seeded tiny run; a change here is a change of every result."""
    result = quick(Recipe(epochs=2, batch_size=40, loss={"name": "weighted_bce"}))
    assert result.curve.train_loss.tolist() == pytest.approx([0.6991958, 0.5267653], rel=1e-4)
    assert result.curve.validation_loss.tolist() == pytest.approx(
        [0.7405522, 0.6924378], rel=1e-4
    )


def test_the_same_arguments_give_the_same_bits_whatever_the_global_generator():
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002 - disturbs what nothing may depend on
    one = quick()
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002
    two = quick()
    assert weights_hash(one) == weights_hash(two)
    clocks = ["seconds", "faces_per_second"]
    pd.testing.assert_frame_equal(
        one.curve.drop(columns=clocks), two.curve.drop(columns=clocks), check_exact=True
    )
    assert one.model.provenance == two.model.provenance


def test_another_seed_gives_other_weights():
    assert weights_hash(quick(seed=2)) != weights_hash(quick())


def test_the_curve_has_a_row_an_epoch_and_one_best():
    result = quick(Recipe(epochs=5, batch_size=20, validate_every=2))
    curve = result.curve
    assert tuple(curve.columns) == CURVE_COLUMNS
    assert curve.epoch.tolist() == [1, 2, 3, 4, 5]
    assert curve.validation_loss.isna().tolist() == [True, False, True, False, False]
    assert curve.best.sum() == 1
    assert curve.epoch[curve.best].item() == result.best_epoch
    assert (curve.faces_per_second > 0).all()


def test_the_kept_weights_are_the_best_epochs():
    recipe = Recipe(epochs=4, batch_size=20, learning_rate=0.02, select_by="loss")
    result = quick(recipe)
    best = result.curve.validation_loss.idxmin()
    assert result.best_epoch == best + 1
    p = predict(result.model, FACES[160:]).astype(float).clip(1e-12, 1 - 1e-7)
    losses = -np.where(LABELS[160:] == 1, np.log(p), np.log1p(-p))
    assert losses.mean() == pytest.approx(result.curve.validation_loss[best], rel=1e-4)


def test_a_budget_of_steps_may_end_within_an_epoch():
    result = quick(Recipe(steps=11, batch_size=20))  # 8 steps an epoch
    assert len(result.curve) == 2
    assert result.model.provenance["training"]["steps"] == 11


def test_between_equal_scores_the_smaller_loss_decides():
    curve = quick(Recipe(epochs=4, batch_size=20)).curve
    assert (curve.validation_average_precision == 1.0).sum() > 1
    perfect = curve[curve.validation_average_precision == 1.0]
    assert curve.best.idxmax() == perfect.validation_loss.idxmin()


def test_patience_ends_a_training():
    # A rate so small that float32 weights do not move.
    recipe = Recipe(
        epochs=40, batch_size=40, learning_rate=1e-12, average=0.0, patience=2,
        select_by="loss", augmentation=STILL,
    )  # fmt: skip
    spec = NetworkSpec(width=0.5, image_size=32, normalisation="none")
    result = quick(recipe, spec=spec)
    assert len(result.curve) == 3
    assert result.best_epoch == 1


def test_without_validation_rows_the_last_epoch_is_kept():
    result = quick(validation_rows=[])
    assert result.best_epoch == 3
    assert result.curve.validation_loss.isna().all()


def test_validation_rows_without_positives_choose_by_loss():
    labels = LABELS.copy()
    labels[160:] = 0
    result = quick(labels=labels)
    assert result.best_epoch == result.curve.validation_loss.idxmin() + 1
    assert math.isnan(result.curve.validation_macro_f1[0])


def test_missing_labels_do_not_teach():
    rows = np.arange(160)
    hidden = LABELS.copy().astype(float)
    hidden[:160:2, 1] = -1
    changed = hidden.copy()
    changed[:160:2, 1] = np.nan
    assert weights_hash(quick(labels=hidden)) == weights_hash(quick(labels=changed))
    assert weights_hash(quick(labels=hidden)) != weights_hash(quick(train_rows=rows))


def test_fewer_faces_than_a_batch_are_one_batch():
    result = quick(Recipe(epochs=2, batch_size=512), train_rows=range(30))
    assert result.model.provenance["training"]["steps"] == 2


def test_rows_may_be_masks_and_faces_mapped(tmp_path):
    np.save(tmp_path / "faces.npy", FACES)
    mapped = np.load(tmp_path / "faces.npy", mmap_mode="r")
    mask = np.arange(200) < 160
    masked = quick(faces=mapped, train_rows=mask, validation_rows=~mask)
    assert weights_hash(masked) == weights_hash(quick())


def test_faces_of_another_size_are_resized():
    faces, labels = blobs(n=200, size=64)
    result = quick(faces=faces, labels=labels)
    assert predict(result.model, faces).shape == (200, 3)


def test_three_channels_repeat_the_grey():
    quick(Recipe(epochs=1), spec=NetworkSpec(width=0.25, image_size=32, channels=3))


def test_fine_tuning_starts_from_the_pre_trained_backbone():
    first = quick().model
    result = train(
        SPEC, Recipe(steps=1, learning_rate=1e-9, average=0.0, batch_size=20), FACES,
        LABELS[:, :2], range(160), range(160, 200), (4, 26), seed=5, initial=first,
        device="cpu", precision="fp32", threads=1,
    )  # fmt: skip
    assert result.model.aus == (4, 26)
    old, new = first.network.backbone.state_dict(), result.model.network.backbone.state_dict()
    for name in old:
        if "running" not in name and "batches" not in name:
            assert torch.allclose(old[name], new[name], atol=1e-6)
    assert result.model.provenance["training"]["initial_sha256"]


def test_a_pre_trained_model_of_another_network_is_refused():
    with pytest.raises(ConfigurationError, match=r"width 0\.5 and not 1\.0"):
        quick(spec=NetworkSpec(image_size=32), initial=quick(Recipe(epochs=1)).model)


def test_a_loss_that_is_no_number_stops_with_the_place(monkeypatch, tmp_path):
    calls = []
    original = BinaryLoss.each

    def broken(self, logits, targets):
        calls.append(1)
        scale = (
            math.inf if len(calls) == 11 else 1.0
        )  # 8 steps, one evaluation, then the second
        return original(self, logits, targets) * scale

    monkeypatch.setattr(BinaryLoss, "each", broken)
    names = [f"face{row}.png" for row in range(200)]
    sentence = (
        r"inf in epoch 2, step 2 of 8, at learning rate 0\.\d+, on the faces "
        r"(face\d+\.png, ){7}face\d+\.png and 12 more\. The last checkpoint is untouched"
    )
    with pytest.raises(DivergedError, match=sentence) as raised:
        quick(images=names, checkpoint_folder=tmp_path)
    shown = {int(row) for row in re.findall(r"face(\d+)", str(raised.value))}
    assert shown <= {int(row) for row in epoch_order(1, 1, 160)[20:40]}
    monkeypatch.undo()
    assert weights_hash(quick(checkpoint_folder=tmp_path)) == weights_hash(quick())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"faces": FACES.astype(float)}, r"float64 \(200, 32, 32\); they must be uint8"),
        ({"labels": LABELS[:, :2]}, r"labels are \(200, 2\); 200 faces and 3 AUs"),
        ({"labels": LABELS * 5}, "go up to 5"),
        ({"train_rows": []}, "train_rows is empty"),
        ({"train_rows": range(170)}, "10 faces in common, such as row 160"),
        ({"train_rows": [0, 0, 1]}, "names a row twice"),
        ({"train_rows": [0, 200]}, "row 0 to 200; there are 200"),
        ({"train_rows": np.ones(3, bool)}, "mask"),
        ({"seed": -1}, "seed is -1"),
        ({"images": ["one.png"]}, r"images are \(1,\); 200 faces need one each"),
        ({"device": "tpu"}, "device is .tpu.; it must be auto, cpu"),
        ({"device": 0, "devices": 2}, "device is 0; it must be auto"),
        ({"precision": "fp16"}, "precision is 'fp16'; it must be one of: auto, fp32"),
        ({"compilation": ["default"]}, "compilation is .*; it must be one of: none"),
        ({"faces_in_memory": "disk"}, "must be one of: auto, always, blocks"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        quick(**arguments)


def test_progress_is_described(monkeypatch):
    told = []
    monkeypatch.setattr(Progress, "advance", lambda self, n, note: told.append((n, note)))
    quick(Recipe(epochs=2, batch_size=20))
    assert sum(n for n, _ in told) == 320
    assert told[3][1].startswith("epoch 1 of 2, loss 0.")
    assert "validation F1" in told[-1][1]


def test_progress_shows_the_last_score_there_was(monkeypatch):
    told = []
    monkeypatch.setattr(Progress, "advance", lambda self, n, note: told.append(note))
    curve = quick(Recipe(epochs=4, batch_size=20, validate_every=2)).curve
    assert "F1" not in told[15]
    assert told[-1].endswith(f"validation F1 {curve.validation_macro_f1[1]:.3f}")
    quick(Recipe(epochs=2, batch_size=20), validation_rows=[])
    assert "F1" not in told[-1]
