"""One small training with dropout, augmentation and shuffling, saved at every step.

Run as ``python -m tests.training.killed_run FOLDER THREADS``: says ``ready`` before it
trains and the hash of the final weights after.
"""

import hashlib
import sys
from pathlib import Path

from action_units.config import Augmentation, NetworkSpec, Recipe
from action_units.models.model_files import plain_state
from action_units.training.context import TrainingResult
from tests.training.blobs import AUS, blobs, train

SPEC = NetworkSpec(width=0.5, image_size=32)
RECIPE = Recipe(
    epochs=6, batch_size=16, augmentation=Augmentation(noise=0.1, erase=0.3, brightness=0.1)
)


def run(
    folder: Path | None = None,
    threads: int = 1,
    *,
    spec: NetworkSpec = SPEC,
    recipe: Recipe = RECIPE,
    n: int = 180,
) -> TrainingResult:
    faces, labels = blobs(n=n + 40, size=spec.image_size)
    return train(
        spec,
        recipe,
        faces,
        labels,
        range(n),
        range(n, n + 40),
        AUS,
        seed=4,
        checkpoint_folder=folder,
        checkpoint_seconds=0.0,
        precision="auto",
        threads=threads,
        provenance={"fold": 1},
    )


def weights_hash(result: TrainingResult) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(plain_state(result.model.network.state_dict()).items()):
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    print("ready", flush=True)
    print(weights_hash(run(Path(sys.argv[1]), int(sys.argv[2]))), flush=True)
