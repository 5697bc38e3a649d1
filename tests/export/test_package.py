"""An exported folder: whole, told apart, without a pickle, and the networks as they were."""

import hashlib
import json
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from action_units.errors import ArtifactError
from action_units.evaluation.postprocessing.smoothing import Smoothing
from action_units.export.onnx_runtime import OnnxNetwork
from action_units.export.package import export_run, read_package
from action_units.files import sha256_of
from action_units.training.inference import predict
from tests.export.synthetic import (
    CARD,
    synthetic_faces,
    synthetic_fold_model,
    synthetic_store,
    write_run,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "06_models/sample/main/disfa/fg2020")


@pytest.fixture(scope="module")
def ensemble(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported") / "ensemble"
    return export_run(run, out, calibration_faces=synthetic_store(), card=CARD)


@pytest.fixture
def weights_alone(run, tmp_path):
    return export_run(run, tmp_path / "fold2", fold=2, onnx=False, card=CARD)


def test_every_file_is_there_with_its_hash(ensemble):
    names = {path.name for path in ensemble.iterdir() if path.suffix != ".sha256"}
    models = {f"fold{k}.safetensors" for k in (1, 2, 3)} | {"model.onnx", "model-int8.onnx"}
    assert names == models | {"config.json", "README.md"}
    config = json.loads((ensemble / "config.json").read_text())
    assert set(config["sha256"]) == models
    readme = (ensemble / "README.md").read_text()
    assert "left_to_do" not in readme
    for name, sha256 in config["sha256"].items():
        assert hashlib.sha256((ensemble / name).read_bytes()).hexdigest() == sha256
        assert f"| `{name}` | `{sha256}` |" in readme
    for name in names:
        done = subprocess.run(
            ["sha256sum", "-c", f"{name}.sha256"],
            cwd=ensemble,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0


def test_the_configuration_says_what_was_checked_and_measured(ensemble):
    config = json.loads((ensemble / "config.json").read_text())
    assert config["name"] == "sample/main/disfa/fg2020/ensemble"
    assert config["au_columns"][:2] == ["AU01", "AU02"]
    assert config["onnx"]["check"]["faces"] == 200
    assert config["onnx"]["check"]["max_difference"] <= 1e-5
    assert config["int8"]["unseen"] is False
    assert set(config["int8"]["f1"]) >= {"AU01", "8 AUs", "12 AUs"}
    network = OnnxNetwork(ensemble / "model.onnx")
    assert list(config["thresholds"].values()) == network.metadata["thresholds"]
    assert tuple(config["thresholds"].values()) == network.postprocessing.thresholds.values
    readme = (ensemble / "README.md").read_text()
    assert f"{config['onnx']['check']['max_difference']:.1e}" in readme
    assert f"{config['int8']['f1']['8 AUs']['before']:.3f}" in readme


def test_networks_come_back_as_they_were(run, ensemble):
    package = read_package(ensemble)
    assert [member.name for member in package.fold_models] == ["fold1", "fold2", "fold3"]
    assert package.name == "sample/main/disfa/fg2020/ensemble"
    assert package.faces is None
    assert package.sha256 == hashlib.sha256((ensemble / "config.json").read_bytes()).hexdigest()
    faces = synthetic_faces(20, 32)
    for fold, member in enumerate(package.fold_models, start=1):
        wanted = synthetic_fold_model(fold)
        for name, value in wanted.model.network.state_dict().items():
            assert torch.equal(member.model.network.state_dict()[name], value)
        assert member.model.provenance == wanted.model.provenance
        assert member.postprocessing == wanted.postprocessing
        before, after = (predict(m.model, faces, "cpu") for m in (wanted, member))
        assert np.array_equal(before, after)
        original = run / f"fold{fold}/finetuned.safetensors"
        assert member.sha256 == hashlib.sha256(original.read_bytes()).hexdigest()


def test_one_fold_has_one_file_of_weights(weights_alone):
    package = read_package(weights_alone)
    assert [member.name for member in package.fold_models] == ["fold2"]
    assert (weights_alone / "model.safetensors").is_file()
    assert not list(weights_alone.glob("*.onnx"))


def test_nothing_is_unpickled(ensemble, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a pickle was read")

    for name in ("Unpickler", "load", "loads", "_Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    read_package(ensemble)
    OnnxNetwork(ensemble / "model.onnx").probabilities(synthetic_faces(2, 32))
    OnnxNetwork(ensemble / "model-int8.onnx").probabilities(synthetic_faces(2, 32))


def test_only_folds_are_exported_and_in_their_order(tmp_path):
    run = write_run(tmp_path / "run", (1, 2))
    shutil.copytree(run / "fold1", run / "fold10")
    for name in ("fold1 (copy)", "fold2.old", "fold_3", "fold03"):
        shutil.copytree(run / "fold1", run / name)
    package = read_package(export_run(run, tmp_path / "out", onnx=False, card=CARD))
    assert [member.name for member in package.fold_models] == ["fold1", "fold2", "fold10"]


def test_networks_trained_again_are_not_exported_with_the_old_card(run, tmp_path):
    rows = [
        f"| {fold} | `{sha256_of(run / f'fold{fold}/finetuned.safetensors')}` |"
        for fold in (1, 2)
    ]
    card = "\n".join([CARD, *rows, ""])
    export_run(run, tmp_path / "one", fold=1, onnx=False, card=card)
    with pytest.raises(ArtifactError, match=r"fold3: .*kedro run --pipeline evaluate"):
        export_run(run, tmp_path / "all", onnx=False, card=card)
    assert not (tmp_path / "all").exists()


def test_damage_and_mixing_are_refused(run, weights_alone, tmp_path):
    path = weights_alone / "model.safetensors"
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[-5] ^= 1
    path.write_bytes(bytes(damaged))
    with pytest.raises(ArtifactError, match="SHA-256 differs"):
        read_package(weights_alone)
    other = export_run(run, tmp_path / "other", fold=3, onnx=False, card=CARD)
    for suffix in ("", ".sha256"):
        content = (other / f"model.safetensors{suffix}").read_bytes()
        (weights_alone / f"model.safetensors{suffix}").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"not of the same export as its config\.json"):
        read_package(weights_alone)
    (weights_alone / "config.json").unlink()
    with pytest.raises(ArtifactError, match="`kedro run --pipeline export` .* makes it"):
        read_package(weights_alone)


@pytest.mark.parametrize("change", [{"schema": 7}, {"members": [{}]}, {"sha256": {}}, None])
def test_a_configuration_of_another_version_is_refused(weights_alone, change):
    path = weights_alone / "config.json"
    content = b"[]" if change is None else b""
    if change:
        content = json.dumps(json.loads(path.read_text()) | change).encode()
    path.write_bytes(content)
    path.with_name("config.json.sha256").write_text(
        f"{hashlib.sha256(content).hexdigest()}  config.json\n"
    )
    with pytest.raises(ArtifactError, match="schema 7|cannot be read"):
        read_package(weights_alone)


def test_what_is_missing_in_a_run_is_named_with_the_command(tmp_path):
    with pytest.raises(ArtifactError, match="no trained network"):
        export_run(tmp_path / "nothing", tmp_path / "out", card=CARD)
    with pytest.raises(ArtifactError, match=r"fold3.*kedro run --pipeline finetune"):
        export_run(write_run(tmp_path / "a", (1,)), tmp_path / "out", fold=3, card=CARD)
    (tmp_path / "a/fold1/finetuned_treatment.json").unlink()
    with pytest.raises(ArtifactError, match="kedro run --pipeline evaluate"):
        export_run(tmp_path / "a", tmp_path / "out", card=CARD)
    run = write_run(tmp_path / "06_models/d/main/disfa/fg2020", (1,))
    with pytest.raises(ArtifactError, match=r"08_reporting.*model_card\.md.*evaluate"):
        export_run(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_card_and_faces_are_found_beside_the_run(tmp_path):
    data = tmp_path / "data"
    run = write_run(data / "06_models/mine/main/disfa/fg2020", (1,))
    synthetic_store().save(data / "04_feature/mine/disfa")
    from action_units.datasets.verified import VerifiedDataset

    card = data / "08_reporting/mine/main/disfa/fg2020/model_card.md"
    VerifiedDataset(filepath=str(card), dataset="text.TextDataset").save(CARD)
    out = export_run(run, tmp_path / "out", fold=1)
    assert (out / "model-int8.onnx").is_file()
    assert (out / "README.md").read_text().startswith("---\nlicense: mit")


def test_networks_that_do_not_go_together_are_refused(tmp_path):
    run = write_run(tmp_path / "run", (1,), faces={"size": 32})
    write_run(run, (2,), faces={"size": 32, "crop": {"margin": 0.2}})
    with pytest.raises(ArtifactError, match="fold1 and fold2 .* cut out in different ways"):
        export_run(run, tmp_path / "out", card=CARD)
    write_run(run, (2,), faces={"size": 32}, aus=(1, 2))
    with pytest.raises(ArtifactError, match="different AUs"):
        export_run(run, tmp_path / "out", card=CARD)


def test_smoothed_networks_together_get_no_onnx_file_and_a_reason(tmp_path):
    run = write_run(tmp_path / "run", (1, 2), smoothing=Smoothing("mean", 3, ("SN040",)))
    out = export_run(run, tmp_path / "out", card=CARD)
    config = json.loads((out / "config.json").read_text())
    assert config["thresholds"] is None
    assert "No ONNX file" in config["left_out"]
    assert "No ONNX file" in (out / "README.md").read_text()
    assert read_package(out).fold_models[0].postprocessing.smoothing.window == 3
    alone = export_run(run, tmp_path / "one", fold=1, int8=False, card=CARD)
    assert 'see `about["left_to_do"]`' in (alone / "README.md").read_text()


def test_the_code_in_the_card_runs(ensemble):
    blocks = (ensemble / "README.md").read_text().split("```python\n")[1:]
    assert len(blocks) == 2
    code = "\n".join(block.split("```")[0] for block in blocks)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ensemble, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "'AU01': " in done.stdout
    assert "fold3 (1, 2, 4" in done.stdout
