"""Small networks with treatments, runs on disk and faces, made up for the tests of exports."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from action_units.config import NetworkSpec
from action_units.evaluation.postprocessing.calibration import Temperature
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.evaluation.postprocessing.smoothing import Smoothing
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.export.fold_models import FoldModel
from action_units.faces.store import FaceStore
from action_units.files import atomic_artifact
from action_units.labels.action_units import DISFA_AUS, au_columns
from action_units.models.model_files import model_bytes, save_model
from action_units.models.registry import build_network
from action_units.models.trained import TrainedModel
from action_units.training.augment import normalise

CARD = "---\nlicense: mit\n---\n\n# A run\n\n## Training and test data\n\nFaces.\n"

SMALL = NetworkSpec(architecture="residual", width=0.25, image_size=32)

SUBJECTS = {
    1: {"train": ["SN001"], "validation": ["SN002"], "test": ["SN003"]},
    2: {"train": ["SN002"], "validation": ["SN003"], "test": ["SN001"]},
    3: {"train": ["SN003"], "validation": ["SN001"], "test": ["SN002"]},
}


def synthetic_model(
    spec: NetworkSpec = SMALL,
    aus: Sequence[int] = DISFA_AUS,
    seed: int = 0,
    flip: bool = True,
    **provenance: Any,
) -> TrainedModel:
    """A network that is not as it was initialised: statistics, biases and a decided head."""
    network = build_network(spec, len(aus), seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.3, generator=generator)
                layer.running_var.uniform_(0.5, 2.0, generator=generator)
                layer.weight.uniform_(0.5, 1.5, generator=generator)
                layer.bias.normal_(0, 0.3, generator=generator)
        # Logits spread over some faces, so that every AU tells faces apart.
        head, side = network.head.linear, spec.image_size
        head.weight.normal_(generator=generator)
        some = normalise(torch.from_numpy(synthetic_faces(64, side, 1)))
        logits = network.eval()(some.expand(-1, spec.channels, -1, -1))
        head.weight *= 2 / logits.std(dim=0)[:, None]
        head.bias.copy_(-2 * (logits.mean(dim=0) - head.bias) / logits.std(dim=0) - 0.5)
    return TrainedModel(network.eval(), spec, tuple(aus), {"flip_average": flip, **provenance})


def synthetic_postprocessing(
    n_aus: int, seed: int = 0, temperature: bool = False, smoothing: Smoothing | None = None
) -> Postprocessing:
    """Thresholds of chance, and a calibration where it is asked for."""
    random = np.random.default_rng([5, seed])
    thresholds = FittedThresholds(
        tuple(random.uniform(0.1, 0.9, n_aus).tolist()),
        (False,) * n_aus,
        (0.5,) * n_aus,
        (f"SN{40 + seed:03d}",),
    )
    calibration = (
        Temperature(tuple(random.uniform(0.5, 3, n_aus).tolist()), (False,) * n_aus, ("SN040",))
        if temperature
        else None
    )
    return Postprocessing(thresholds, smoothing or Smoothing(), calibration)


def synthetic_fold_model(fold: int = 1, **options: Any) -> FoldModel:
    """One fold's network; options are those of the model and of the treatment."""
    treated = {
        name: options.pop(name) for name in ("temperature", "smoothing") if name in options
    }
    provenance = {
        "fold": fold,
        "protocol": "fg2020",
        "recipe": "modern",
        "subjects": SUBJECTS[fold],
        "training": {"best_epoch": 10 + fold, "initial_sha256": "ab" * 32, "recipe": RECIPE},
    }
    model = synthetic_model(seed=fold, **{**provenance, **options})
    postprocessing = synthetic_postprocessing(len(model.aus), fold, **treated)
    return FoldModel(f"fold{fold}", model, postprocessing, f"{fold:064d}")


RECIPE = {
    "epochs": 12,
    "batch_size": 32,
    "optimizer": "adamw",
    "learning_rate": 0.0005,
    "head": "shared",
    "loss": {"name": "bce"},
}


def write_run(
    folder: Path, folds: Sequence[int] = (1, 2, 3), evaluated: bool = True, **options: Any
) -> Path:
    """A run's folder of models, as fine-tuning and perhaps evaluation leave it."""
    for fold in folds:
        member = synthetic_fold_model(fold, **options)
        save_model(member.model, folder / f"fold{fold}/finetuned.safetensors")
        if not evaluated:
            continue
        weights = hashlib.sha256(model_bytes(member.model)).hexdigest()
        postprocessing = member.postprocessing.to_json(member.model.aus)
        content = json.dumps(postprocessing | {"weights": weights})
        with atomic_artifact(folder / f"fold{fold}/finetuned_treatment.json") as file:
            file.write(content.encode())
    return folder


def synthetic_faces(n: int, size: int, seed: int = 0) -> np.ndarray:
    """Noise of all grains, uint8 (n, size, size); not the exporter's own."""
    random = np.random.default_rng([9, seed])
    small = random.integers(0, 256, (n, 4, 4)).repeat(size // 4, 1).repeat(size // 4, 2)
    fine = random.integers(-60, 60, (n, size, size))
    return (small + fine).clip(0, 255).astype(np.uint8)


def synthetic_store(n: int = 60, size: int = 32, aus: Sequence[int] = DISFA_AUS) -> FaceStore:
    """Labelled faces of three subjects."""
    random = np.random.default_rng(3)
    table = pd.DataFrame(
        (random.random((n, len(aus))) < 0.4).astype(np.int8), columns=au_columns(aus)
    )
    table.insert(0, "image", [f"{row:03d}.jpg" for row in range(n)])
    table.insert(1, "subject", [f"SN00{row % 3 + 1}" for row in range(n)])
    return FaceStore(synthetic_faces(n, size), table, tuple(aus))
