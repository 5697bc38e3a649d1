"""The code of docs/extending.md, run as it stands there."""

import re

import cv2
import numpy as np
import pytest
import torch
from sklearn.metrics import jaccard_score

from action_units.config import DetectorSettings, LossOptions, NetworkSpec
from action_units.evaluation import subject_statistics
from action_units.evaluation.predictions import Predictions
from action_units.models import backbones
from action_units.models.registry import architectures, build_network
from action_units.training import losses
from tests.conftest import PROJECT

TEXT = (PROJECT / "docs/extending.md").read_text("utf-8")


def block(section):
    """The Python of a section."""
    part = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)[1]
    return re.search(r"^```python\n(.*?)^```", part, re.M | re.S)[1]


def run(section):
    names = {}
    exec(compile(block(section), "docs/extending.md", "exec"), names)  # noqa: S102 - our own page
    return names


def test_the_loss_is_its_closed_form(monkeypatch):
    monkeypatch.setattr(losses, "LOSSES", dict(losses.LOSSES))
    run("A loss")
    options = LossOptions.model_construct(**{**LossOptions().model_dump(), "name": "poly1"})
    loss = losses.build_loss(options, torch.full((2,), 0.5))
    logits = torch.tensor([[0.3, -2.0], [1.5, 0.0]])
    targets = torch.tensor([[1.0, 0.0], [0.0, -1.0]])  # the last label is missing
    p = torch.sigmoid(logits)
    right = torch.stack([p[0, 0], 1 - p[0, 1], 1 - p[1, 0]])  # probability of each label
    torch.testing.assert_close(loss(logits, targets), (-right.log() + 1 - right).mean())


def test_the_backbone_is_found_by_its_file_and_trained(monkeypatch, tmp_path):
    (tmp_path / "plain.py").write_text(block("A backbone"))
    monkeypatch.setattr(backbones, "__path__", [*backbones.__path__, str(tmp_path)])
    assert "plain" in architectures()
    network = build_network(NetworkSpec(architecture="plain", width=0.25), 3, seed=1)
    logits = network(torch.rand(2, 1, 64, 64))
    assert logits.shape == (2, 3)
    logits.sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    assert len(network.blocks()) == 4  # three stages and the head


def test_the_metric_is_computed_with_its_resamples(monkeypatch):
    monkeypatch.setattr(subject_statistics, "METRICS", dict(subject_statistics.METRICS))
    run("A metric")
    rng = np.random.default_rng(0)
    labels, probabilities = rng.integers(2, size=(60, 2)), rng.random((60, 2))
    statistics = subject_statistics.subject_statistics(
        Predictions(
            aus=(1, 12),
            labels=labels.astype(np.int8),
            probabilities=probabilities,
            predicted=probabilities >= 0.5,
            subjects=np.repeat(["a", "b", "c"], 20),
        )
    )
    expected = [jaccard_score(labels[:, au], probabilities[:, au] >= 0.5) for au in range(2)]
    assert statistics.values["jaccard"] == pytest.approx(expected)
    assert statistics.resampled([1], 50)["jaccard"].shape == (50, 2)


@pytest.mark.skipif(not hasattr(cv2, "CascadeClassifier"), reason="this OpenCV has no cascades")
def test_the_detector_finds_a_face_at_its_place(portraits):
    detector = run("A detector")["Haar"](DetectorSettings())
    small = [detector.best(face) for face in portraits]
    large = [
        detector.best(cv2.resize(face, None, fx=5, fy=5, interpolation=cv2.INTER_LINEAR))
        for face in portraits  # larger than longest_side, so it is shrunk and scaled back
    ]
    assert np.allclose([5 * d.width for d in small], [d.width for d in large], rtol=0.25)
    assert all(abs(d.x + d.width / 2 - 96) < 40 for d in small)
