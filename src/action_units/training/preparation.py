"""A job's data, checked, and what its checkpoints are known by."""

import hashlib
from dataclasses import dataclass
from typing import Any

from action_units.config import Recipe
from action_units.errors import ConfigurationError
from action_units.models.model_files import plain_state
from action_units.models.network import AUNetwork
from action_units.models.pretrained import PretrainedWeights
from action_units.models.trained import TrainedModel
from action_units.training.data.arrays import TrainingData, checked_data
from action_units.training.distributed.job import Job
from action_units.training.setup import learning_data


@dataclass(frozen=True)
class Prepared:
    """A job that can be trained.

    Attributes:
        data: Its faces, labels and rows.
        weights: What its backbone starts from, where the recipe names a file.
        identity: All that decides its result, in plain values.
    """

    data: TrainingData
    weights: PretrainedWeights | None
    identity: dict[str, Any]


def prepare(job: Job) -> Prepared:
    """Check a job.

    Raises:
        ConfigurationError: Its parts do not fit together.
    """
    data = checked_data(
        job.faces, job.labels, job.train_rows, job.validation_rows, job.aus, job.images
    )
    data = learning_data(job.recipe, data, job.intensities, job.subjects)
    initial = job.initial
    if initial is not None and initial.spec != job.network_spec:
        old, new = initial.spec.to_json(), job.network_spec.to_json()
        found = [f"{key} {old[key]} and not {new[key]}" for key in old if old[key] != new[key]]
        raise ConfigurationError(
            f"The pre-trained model has {', '.join(found)}; choose the same network or train a "
            "new model."
        )
    weights = _backbone_weights(job.recipe, initial)
    identity = {
        "network": job.network_spec.to_json(),
        "recipe": job.recipe.to_json(),
        "aus": list(data.aus),
        "seed": job.seed,
        "data_sha256": data.sha256(),
        "initial_sha256": _weights_sha256(initial.network) if initial else None,
        "backbone_sha256": weights.sha256 if weights else None,
        "provenance": dict(job.provenance),
    }
    return Prepared(data, weights, identity)


def _backbone_weights(recipe: Recipe, initial: TrainedModel | None) -> PretrainedWeights | None:
    """The file that the recipe starts a backbone from, where it names one."""
    if recipe.backbone_weights is None:
        return None
    if initial is not None:
        raise ConfigurationError(
            f"Recipe option 'backbone_weights' is {recipe.backbone_weights}, and there is a "
            "pre-trained model to start from as well; fine-tuning takes the latter, so leave "
            "the option null there."
        )
    return PretrainedWeights.read(recipe.backbone_weights)


def _weights_sha256(network: AUNetwork) -> str:
    """A name for a network's weights."""
    digest = hashlib.sha256()
    for name, value in sorted(plain_state(network.state_dict()).items()):
        digest.update(name.encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()
