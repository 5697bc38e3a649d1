"""Features of coded faces: what they are, who is who, and the store on disk."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import logit

from action_units.config import NetworkSpec
from action_units.errors import ArtifactError, ConfigurationError
from action_units.faces.store import FaceStore
from action_units.models.registry import build_network
from action_units.models.trained import TrainedModel
from action_units.training.features import FeatureStore, extract_features
from action_units.training.inference import Predictor, predict
from tests.training.blobs import AUS, blobs

SPECS = {
    "residual": NetworkSpec(width=0.5, image_size=32),
    "vgg13": NetworkSpec(architecture="vgg13", width=0.25, image_size=32),
}
SPLIT = {"fold": 2, "train": ["b"], "validation": ["c"], "test": ["a"]}


def made(architecture="residual", flip=True, seed=1):
    spec = SPECS[architecture]
    network = build_network(spec, len(AUS), seed=seed).eval()
    # A head of its first weights hardly tells faces apart.
    torch.nn.init.normal_(
        network.head.linear.weight, std=0.15, generator=torch.Generator().manual_seed(3)
    )
    return TrainedModel(network, spec, AUS, {"flip_average": flip})


@pytest.fixture(scope="module")
def faces():
    pixels, labels = blobs(n=20)
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "image": [f"{k:02d}.jpg" for k in range(20)],
            "subject": np.array(list("dabc"))[rng.integers(0, 4, 20)],
            "frame": rng.permutation(20),
            "sha256": [f"{k:064d}" for k in range(20)],
            "gender": 0,
        }
    )
    table[[f"AU{au:02d}" for au in AUS]] = labels.astype(np.int8)
    table["AU12_r"] = 3 * table["AU12"] if "AU12" in table else 0
    return FaceStore(pixels, table, AUS)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("architecture", SPECS)
def test_features_times_the_head_are_the_logits(faces, architecture, flip):
    model = made(architecture, flip)
    store = extract_features(model, faces, SPLIT, "cpu")
    order = [faces.table["image"].tolist().index(image) for image in store.table["image"]]
    probabilities = predict(model, faces.faces[order], "cpu", flip=flip)
    weight = model.network.head.linear.weight.detach().double().numpy()
    bias = model.network.head.linear.bias.detach().double().numpy()
    assert store.features.dtype == np.float16
    got = store.features.astype(float) @ weight.T + bias
    rounding = np.abs(store.features.astype(float)) @ np.abs(weight.T) * 2.0**-11 + 1e-3
    assert (np.abs(got - logit(probabilities.astype(float))) <= rounding).all()
    assert np.ptp(got, axis=0).min() > 10 * rounding.max()  # so the test can tell


def test_rows_are_in_the_order_of_time_and_say_who_is_who(faces):
    table = extract_features(made(), faces, SPLIT, "cpu").table
    assert table[["subject", "frame"]].equals(
        faces.table[["subject", "frame"]].sort_values(["subject", "frame"], ignore_index=True)
    )
    assert (table["fold"] == 2).all()
    parts = dict(zip(table["subject"], table["part"], strict=True))
    assert parts == {"a": "test", "b": "train", "c": "validation", "d": ""}
    labels = faces.table.set_index("image").loc[table["image"]].reset_index()
    assert table[[f"AU{au:02d}" for au in AUS]].equals(labels[[f"AU{au:02d}" for au in AUS]])
    assert "gender" not in table


def test_a_feature_does_not_depend_on_the_other_faces(faces):
    predictor = Predictor(made(), "cpu", flip=True)
    whole = predictor.features(faces.faces)
    assert predictor.features(faces.faces[7:9]).tobytes() == whole[7:9].tobytes()


def test_it_is_read_back_and_not_made_again(faces, tmp_path, monkeypatch):
    store = extract_features(made(), faces, SPLIT, "cpu")
    store.save(tmp_path / "f")
    again = FeatureStore.open(tmp_path / "f")
    np.testing.assert_array_equal(again.features, store.features)
    pd.testing.assert_frame_equal(again.table, store.table)
    # As the documentation says.
    assert np.load(tmp_path / "f/features.npy", mmap_mode="r").shape == store.features.shape
    assert len(pd.read_parquet(tmp_path / "f/table.parquet")) == len(faces)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "f").iterdir()}
    monkeypatch.setattr(Predictor, "features", lambda *_: pytest.fail("computed again"))
    same = extract_features(made(), faces, SPLIT, "cpu", tmp_path / "f")
    same.save(tmp_path / "f")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "f").iterdir()} == times


@pytest.mark.parametrize("change", ["weights", "labels", "split"])
def test_it_is_made_again_where_anything_changed(faces, tmp_path, change):
    extract_features(made(), faces, SPLIT, "cpu").save(tmp_path)
    model = made(seed=2 if change == "weights" else 1)
    split = {**SPLIT, "train": ["b", "d"]} if change == "split" else SPLIT
    table = faces.table.copy()
    if change == "labels":
        table.loc[0, "sha256"] = "f" * 64
    new = extract_features(model, FaceStore(faces.faces, table, AUS), split, "cpu", tmp_path)
    assert not isinstance(new.features, np.memmap)
    new.save(tmp_path)
    assert FeatureStore.open(tmp_path).notes["made_from"] == new.notes["made_from"]


@pytest.mark.parametrize("name", ["features.npy", "table.parquet", "store.json"])
def test_a_changed_byte_is_found(faces, tmp_path, name):
    extract_features(made(), faces, SPLIT, "cpu").save(tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=name.replace(".", r"\.")):
        FeatureStore.open(tmp_path)
    again = extract_features(made(), faces, SPLIT, "cpu", tmp_path)
    again.save(tmp_path)
    assert FeatureStore.open(tmp_path).features.shape == again.features.shape


def test_a_store_that_was_being_replaced_has_no_table(faces, tmp_path, monkeypatch):
    extract_features(made(), faces, SPLIT, "cpu").save(tmp_path)
    new = extract_features(made(seed=2), faces, SPLIT, "cpu")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(ArtifactError, match="features.npy"):
        new.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["features.npy"]
    with pytest.raises(ArtifactError, match=r"store\.json is not there yet"):
        FeatureStore.open(tmp_path)


def test_what_float16_cannot_hold_is_refused(faces):
    model = made()
    with torch.no_grad():
        for parameter in list(model.network.backbone.parameters())[-2:]:
            parameter.mul_(1e7)
    with pytest.raises(ConfigurationError, match="float16 holds 65,504 at most"):
        extract_features(model, faces, SPLIT, "cpu")


def test_another_format_is_named(faces, tmp_path):
    extract_features(made(), faces, SPLIT, "cpu").save(tmp_path)
    from action_units.files import atomic_artifact

    index = json.loads((tmp_path / "store.json").read_text())
    with atomic_artifact(tmp_path / "store.json") as file:
        file.write(json.dumps({**index, "format": 9}).encode())
    with pytest.raises(ArtifactError, match="format 9"):
        FeatureStore.open(tmp_path)
