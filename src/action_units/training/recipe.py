"""How to train, as options: everything but the network and the data."""

from dataclasses import dataclass
from typing import Literal

from action_units.errors import ConfigurationError
from action_units.models.options import Options, option
from action_units.training.data.augmentation import Augmentation
from action_units.training.data.sampling import Balance
from action_units.training.data.soft_targets import SoftTargets
from action_units.training.losses import LossOptions
from action_units.training.optimizers import OptimizerName
from action_units.training.schedule import Schedule


@dataclass(frozen=True)
class Recipe(Options):
    """A way to train; every option is checked before anything is computed."""

    epochs: int = option(30, "Passes over the training faces.", low=1)
    steps: int | None = option(
        None,
        "Length in steps instead of epochs, for comparisons at equal compute; the last "
        "epoch may then be a part of one.",
        low=1,
    )
    batch_size: int = option(32, "Faces a step.", low=1)
    optimizer: OptimizerName = option("adamw", "Which optimiser.")
    learning_rate: float = option(3e-3, "Peak learning rate.", above=0, high=10)
    schedule: Schedule = option(Schedule(), "How the learning rate changes.")
    weight_decay: float = option(
        0.05, "adamw: decay of weights; biases and normalisation are spared.", low=0, high=10
    )
    layer_decay: float = option(
        1.0,
        "What the rate of a block is multiplied by for the block below it; the head learns at "
        "the full rate.",
        above=0,
        high=1,
    )
    unfreeze: tuple[int, ...] = option(
        (),
        "Gradual unfreezing: the epochs, counted from 0, at which the blocks start to train, "
        "from the head down; the last holds for all below; empty trains all from the start. "
        "A frozen block's batch normalisation uses its running statistics and keeps them.",
        low=0,
    )
    gradient_clip: float | None = option(
        1.0, "Largest norm of the whole gradient; null for none.", above=0
    )
    average: float = option(
        0.998,
        "Decay of the running average of weights that is evaluated and kept; 0 evaluates "
        "the trained weights themselves.",
        low=0,
        below=1,
    )
    loss: LossOptions = option(LossOptions(), "The loss.")
    soft_targets: SoftTargets = option(SoftTargets(), "Targets from intensities.")
    balance: Balance = option(
        "none",
        "What an epoch shows: none is each face once; aus, subjects or both draw as many "
        "faces, some repeatedly, so that each AU (or none), each subject, or each AU of each "
        "subject is as likely as another.",
    )
    backbone_weights: str | None = option(
        None,
        "File of weights, .safetensors or of torch.save, that a new backbone starts from; it "
        "must be there whenever the run goes on. Its SHA-256 is kept with the model.",
    )
    prior_bias: bool = option(True, "Start a new head's biases at the AUs' prevalence.")
    head: Literal["new", "shared"] = option(
        "new",
        "Fine-tuning: start the head anew, or from the pre-trained rows of the AUs in common.",
    )
    augmentation: Augmentation = option(Augmentation(), "How faces are varied.")
    validate_every: int = option(1, "Epochs between evaluations.", low=1)
    patience: int | None = option(
        None,
        "Evaluations without a better one after which training ends; null for never.",
        low=1,
    )
    select_by: Literal["average_precision", "macro_f1", "loss"] = option(
        "average_precision", "What the best epoch is best in, on the validation rows."
    )

    def __post_init__(self) -> None:
        """Check what the options say together."""
        super().__post_init__()
        starts = list(self.unfreeze)
        if starts and (starts[0] != 0 or starts != sorted(starts)):
            raise ConfigurationError(
                f"Recipe option 'unfreeze' is {starts}; the first epoch must be 0, as the head "
                "trains from the start, and the others must not fall."
            )
        if self.augmentation.mixup and self.batch_size < 2:
            raise ConfigurationError(
                f"Augmentation option 'mixup' is {self.augmentation.mixup:g}, which blends "
                "pairs of faces of a batch, and Recipe option 'batch_size' is 1; it must be "
                "at least 2."
            )
