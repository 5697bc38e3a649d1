"""The unchanging part of a training: its checked data, its lengths, its first state."""

import hashlib
import logging
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from action_units.config import NetworkSpec, Recipe
from action_units.errors import ConfigurationError
from action_units.models.model_files import plain_state
from action_units.models.network import AUNetwork
from action_units.models.pretrained import PretrainedWeights
from action_units.models.registry import build_network, rehead
from action_units.models.trained import TrainedModel
from action_units.training.curves import CURVE_COLUMNS
from action_units.training.data import TrainingData, check_data, one_each, ranks, soften
from action_units.training.device import Machine
from action_units.training.distributed import ProcessGroup
from action_units.training.job import TrainingJob
from action_units.training.length import TrainingLength
from action_units.training.losses import BinaryLoss, build_loss, prevalence_of
from action_units.training.noise import RATE, NoiseModel
from action_units.training.optim import (
    ExponentialAverage,
    build_optimizer,
    check_unfreezing,
    learning_rate,
    rate_factors,
)
from action_units.training.randomness import weights_seed
from action_units.training.sampling import Weights, epoch_faces, face_weights
from action_units.training.state import TrainingState
from action_units.training.streaming import Windows

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """What a training leaves.

    Attributes:
        model: With the weights of the best epoch.
        curve: One row an epoch; columns ``CURVE_COLUMNS``. ``seconds`` is the epoch's time
            with its evaluation, ``faces_per_second`` its training alone; the validation
            columns are NaN where an epoch was not evaluated.
        best_epoch: Counted from 1.
    """

    model: TrainedModel
    curve: pd.DataFrame
    best_epoch: int


@dataclass(frozen=True)
class TrainingContext:
    """A job, checked, and where it runs.

    Attributes:
        job: What to train.
        data: Its faces, labels and rows.
        identity: All that decides its result, in plain values.
        backbone_weights: The weights of the recipe's file, if it names one.
        machine: Where it runs.
        group: The processes that train it.
        windows: How the faces are streamed; None where they are in memory.
    """

    job: TrainingJob
    data: TrainingData
    identity: dict[str, Any]
    backbone_weights: PretrainedWeights | None = None
    machine: Machine = field(default_factory=lambda: Machine("cpu", "fp32", 1))
    group: ProcessGroup = field(default_factory=ProcessGroup)
    windows: Windows | None = None

    @classmethod
    def of(cls, job: TrainingJob) -> "TrainingContext":
        """Check a job.

        Raises:
            ConfigurationError: Its parts do not fit together.
            ArtifactError: The recipe's file of weights holds none.
        """
        recipe, initial = job.recipe, job.initial
        data = check_data(
            job.faces, job.labels, job.train_rows, job.validation_rows, job.aus, job.images
        )
        if recipe.soft_targets.curve != "none":
            soft = soften(recipe.soft_targets, data.targets, job.intensities, job.probabilities)
            data = replace(data, soft=soft)
        name = {"subjects": "subjects", "both": "subjects", "sets": "sets"}.get(recipe.balance)
        if name is not None and (groups := getattr(job, name)) is not None:
            data = replace(data, groups=one_each(groups, len(data.faces), name))
        if recipe.intensity_weight:
            values = (
                None if given is None else np.asarray(given)[data.train_rows]
                for given in (job.intensities, job.probabilities)
            )
            data = replace(data, ranks=ranks(data.learned, *values))
            if data.ranks is None:
                logger.info(
                    "%s has no intensities to learn from; it learns presence.", job.description
                )
        if initial is not None:
            _check_initial(initial, job)
        weights = None
        if recipe.backbone_weights is not None:
            weights = PretrainedWeights.read(recipe.backbone_weights)
        identity = {
            "network": job.network_spec.to_json(),
            "recipe": recipe.to_json(),
            "aus": list(data.aus),
            "seed": job.seed,
            "data_sha256": data.sha256(),
            "initial_sha256": _weights_sha256(initial.network) if initial else None,
            "backbone_sha256": weights.sha256 if weights else None,
            "provenance": dict(job.provenance),
        }
        return cls(job, data, identity, weights)

    @property
    def network_spec(self) -> NetworkSpec:
        """Of the network."""
        return self.job.network_spec

    @property
    def recipe(self) -> Recipe:
        """How to train it."""
        return self.job.recipe

    @cached_property
    def length(self) -> TrainingLength:
        """How long it is."""
        return TrainingLength(self.recipe, len(self.data.train_rows))

    @property
    def batch_size(self) -> int:
        """Faces per step."""
        return self.length.batch_size

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in an epoch."""
        return self.length.steps_per_epoch

    @property
    def steps(self) -> int:
        """Length of the training in steps."""
        return self.length.steps

    @property
    def epochs(self) -> int:
        """Length in epochs, the last of which may be a part of one."""
        return self.length.epochs

    def steps_in(self, epoch: int) -> int:
        """Steps of an epoch counted from 0."""
        return min(self.steps_per_epoch, self.steps - epoch * self.steps_per_epoch)

    def rate(self, step: int) -> float:
        """The learning rate of a step counted from 0."""
        recipe = self.recipe
        return learning_rate(
            recipe.schedule, recipe.learning_rate, step, self.steps, self.steps_per_epoch
        )

    @cached_property
    def weights(self) -> Weights | None:
        """How often each face to learn from is drawn; None where each is, once."""
        rows, groups = self.data.train_rows, self.data.groups
        groups = None if groups is None else groups[rows]
        return face_weights(self.recipe.balance, self.data.targets[rows], groups)

    def faces_of(self, epoch: int) -> tuple[Tensor, Tensor]:
        """The epoch's positions among the faces to learn from, and their appearances."""
        n, device = len(self.data.train_rows), self.machine.torch_device
        windows = None if self.windows is None else (self.windows.block, self.windows.blocks)
        return epoch_faces(self.job.seed, epoch, n, self.weights, device, windows)

    @cached_property
    def loss(self) -> BinaryLoss:
        """The loss, on the device."""
        weights = None if self.weights is None else torch.from_numpy(self.weights)
        prevalence = prevalence_of(torch.from_numpy(self.data.learned), weights)
        return build_loss(self.recipe.loss, prevalence).to(self.machine.torch_device)

    def first_state(self) -> TrainingState:
        """The state before the first step, on the device."""
        recipe, device = self.recipe, self.machine.torch_device
        network = self._first_network().to(device)
        network.backbone.checkpointing = self._checkpointing(network)
        check_unfreezing(network, recipe.unfreeze)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        noise = NoiseModel(
            recipe, self.data, network.backbone.n_features, weights_seed(self.job.seed)
        ).to(device)
        optimizer = build_optimizer(
            recipe.optimizer,
            network,
            recipe.learning_rate,
            recipe.weight_decay,
            rate_factors(network, recipe.layer_decay),
        )
        if noise.rates is not None:
            rates = {"params": [noise.rates], "weight_decay": 0.0, "factor": RATE}
            optimizer.add_param_group(rates)
        if noise.head is not None:
            weight, bias = noise.head.linear.weight, noise.head.linear.bias
            decayed = recipe.weight_decay if recipe.optimizer == "adamw" else 0.0
            for parameter, decay in ((weight, decayed), (bias, 0.0)):
                optimizer.add_param_group(
                    {"params": [parameter], "weight_decay": decay, "factor": 1.0}
                )
        return TrainingState(
            network=network,
            noise=noise,
            optimizer=optimizer,
            averaged=ExponentialAverage(network, recipe.average) if recipe.average else None,
            losses=torch.zeros(self.steps_per_epoch, device=device),
        )

    def _checkpointing(self, network: AUNetwork) -> bool:
        wanted = self.job.machine.gradient_checkpointing
        if wanted and not network.backbone.can_checkpoint:
            raise ConfigurationError(
                "gradient_checkpointing is true, which architecture "
                f"{self.network_spec.architecture} does not have; set it to false, or "
                "micro_batch to a number, which needs less memory too."
            )
        return wanted

    def _first_network(self) -> AUNetwork:
        """A new network, or the pre-trained one with a new head, on the CPU."""
        aus, seed = self.data.aus, weights_seed(self.job.seed)
        prior = self.loss.prior() if self.recipe.prior_bias else None
        if self.job.initial is not None:
            shared = self.recipe.head == "shared"
            return rehead(self.job.initial, aus, seed, prior, keep_shared=shared).network
        network = build_network(self.network_spec, len(aus), seed, prior)
        if self.backbone_weights is not None:
            self.backbone_weights.fill(network.backbone)
        return network

    def result(self, state: TrainingState, machine: dict[str, Any]) -> TrainingResult:
        """The model of the best epoch, and the curve.

        Args:
            state: At the end.
            machine: What it was trained on, as of ``Machine.to_dict``.
        """
        network = build_network(self.network_spec, len(self.data.aus))
        network.load_state_dict(state.best)
        others = ("network", "aus", "provenance")
        training = {key: value for key, value in self.identity.items() if key not in others}
        training |= {
            "best_epoch": state.best_epoch,
            "best_score": state.best_score[0],
            "steps": state.step,
            "machine": dict(machine),
        }
        provenance = {**self.identity["provenance"], "training": training}
        if self.data.faces.ndim == 4:
            provenance["colour"] = True
        if self.backbone_weights is not None:
            weights = self.backbone_weights
            provenance["backbone_weights"] = {
                "file": weights.path.name,
                "sha256": weights.sha256,
            }
        model = TrainedModel(network.eval(), self.network_spec, self.data.aus, provenance)
        curve = pd.DataFrame(state.curve, columns=list(CURVE_COLUMNS))
        return TrainingResult(model, curve, state.best_epoch)


def _check_initial(initial: TrainedModel, job: TrainingJob) -> None:
    old, new = initial.spec.to_json(), job.network_spec.to_json()
    changes = [f"{key} {old[key]} and not {new[key]}" for key in old if old[key] != new[key]]
    if changes:
        raise ConfigurationError(
            f"The pre-trained model has {', '.join(changes)}; choose the same network or train "
            "a new model."
        )
    if job.recipe.backbone_weights is not None:
        raise ConfigurationError(
            f"Recipe option 'backbone_weights' is {job.recipe.backbone_weights}; fine-tuning "
            "starts from the pre-trained model here, so leave the option null."
        )


def _weights_sha256(network: AUNetwork) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(plain_state(network.state_dict()).items()):
        digest.update(name.encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()
