"""What a network is made of and how it is trained."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from action_units.config.base import Count, PathText, Settings

Float01: TypeAlias = Annotated[float, Field(ge=0, le=1)]
LossName = Literal["bce", "weighted_bce", "focal", "asymmetric", "generalized_ce"]
OptimizerName = Literal["adam", "adamw"]
Balance = Literal["none", "aus", "subjects", "both", "sets"]


class NetworkSpec(Settings):
    """A network: its architecture, one of ``models.registry``, and its size."""

    architecture: Annotated[str, Field(min_length=1)] = "residual"
    """Which backbone to build; timm takes any of that library's."""
    width: Annotated[float, Field(gt=0, le=8)] = 1.0
    """Multiplies the channels of every layer."""
    normalisation: Literal["default", "batch", "layer", "none"] = "default"
    """Normalisation of maps, by batch or by layer (over the channels of each pixel); the
    default is the architecture's own (batch for residual, layer for convnext, none for
    vgg13)."""
    dropout: Annotated[float, Field(ge=0, le=1.9)] = 1.0
    """Multiplies the architecture's dropout rates (vgg13: 0.25 after a block, 0.5 after a fully
    connected layer; the others: 0.2 before the head); 0 turns dropout off."""
    image_size: Annotated[int, Field(ge=16, le=512)] = 64
    """Side of the square input, in pixels. Pipelines set it to the parameter face_size."""
    channels: Literal[1, 3] = 1
    """Channels of the input. 3 takes the colours of faces in colour, and repeats the grey of
    grey ones, as networks made for colour need it; 1 takes the luma of faces in colour."""
    timm_model: str | None = None
    """timm: the model's name there, such as resnet18 or vit_tiny_patch16_224."""

    def scaled(self, channels: int) -> int:
        """A layer's channels at this width: a multiple of 8, at least 8."""
        return max(8, round(channels * self.width / 8) * 8)

    def norm(self, default: str) -> str:
        """How maps are normalised: as chosen, or by the architecture's default."""
        return default if self.normalisation == "default" else self.normalisation


class Schedule(Settings):
    """How the learning rate changes over a training."""

    name: Literal["constant", "steps", "cosine", "one_cycle"] = "cosine"
    """Shape of the curve."""
    warmup: Annotated[float, Field(ge=0, le=0.9)] = 0.05
    """Part of all steps over which the rate rises: linearly from zero, or with one_cycle by
    half a cosine from `start`."""
    start: Float01 = 0.04
    """one_cycle: the first rate, as a part of the peak rate."""
    final: Float01 = 0.01
    """cosine and one_cycle: the last rate, as a part of the peak rate."""
    milestones: Annotated[tuple[Count, ...], Field(strict=False)] = (20, 40)
    """steps: the epochs, counted from 0, at which the rate changes."""
    factors: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(strict=False)] = (
        0.5,
        0.1,
    )
    """steps: the rate from each milestone on, as a part of the peak rate."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(self.milestones) != len(self.factors):
            raise ValueError(
                f"there are {len(self.milestones)} milestones and {len(self.factors)} "
                "factors; each milestone needs one factor"
            )
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones is {list(self.milestones)}; the epochs must rise")
        return self


class LossOptions(Settings):
    """Which loss, and its constants; those of other losses are ignored."""

    name: LossName = "bce"
    """Binary cross-entropy, plain or one of its variants."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Moves the targets 0 and 1 towards a half by half of this."""
    weight_power: Float01 = 0.5
    """weighted_bce: a positive weighs (negatives / positives) to this power; 1 balances the
    classes, 0 is plain."""
    max_weight: Annotated[float, Field(ge=1)] = 20.0
    """weighted_bce: largest weight of a positive."""
    gamma: Annotated[float, Field(ge=0, le=10)] = 2.0
    """focal: exponent that down-weights easy labels."""
    gamma_positive: Annotated[float, Field(ge=0, le=10)] = 0.0
    """asymmetric: exponent of positives."""
    gamma_negative: Annotated[float, Field(ge=0, le=10)] = 4.0
    """asymmetric: exponent of negatives."""
    margin: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """asymmetric: negatives below this probability cost nothing."""
    q: Annotated[float, Field(gt=0, le=1)] = 0.7
    """generalized_ce: towards 0 it is plain cross-entropy, at 1 the absolute error, which is
    most robust to label noise and learns slowest."""


class SoftTargets(Settings):
    """How an annotating program's values become targets from 0 to 1."""

    curve: Literal["none", "linear", "logistic"] = "none"
    """Learn from the 0/1 labels, or from intensities of 0 to 5: linear is intensity / full up
    to 1, logistic is 1 / (1 + exp(-steepness (intensity - centre))). With either, an AU with a
    probability is learned from that as it is, and one with neither keeps its label; validation
    always uses labels."""
    full: Annotated[float, Field(gt=0, le=5)] = 5.0
    """linear: the intensity from which the target is 1."""
    centre: Annotated[float, Field(ge=0, le=5)] = 1.0
    """logistic: the intensity that gets the target one half."""
    steepness: Annotated[float, Field(gt=0, le=50)] = 3.0
    """logistic: how fast the target rises there."""


class EarlyLearning(Settings):
    """Early-learning regularisation (Liu et al. 2020, 2007.00151), for two classes an AU.

    A network learns what most labels agree on first and single wrong labels later. Each face's
    probabilities are remembered as a running average, and the loss gets
    strength * log(1 - [t p + (1 - t)(1 - p)]), which holds the probability p near its memory t.
    """

    strength: Annotated[float, Field(ge=0, le=10)] = 0.0
    """How strongly; 0 turns it off."""
    memory: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """The part of the old average that an epoch keeps."""


class Augmentation(Settings):
    """How far a face may be changed; the geometry's defaults are the paper's."""

    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.08
    """Largest shift, as a part of the side."""
    scale: Annotated[float, Field(ge=1, le=2)] = 1.05
    """Largest scale of each axis; the smallest is its inverse."""
    rotation: Annotated[float, Field(ge=0, le=180)] = 20.0
    """Largest rotation, in degrees."""
    skew: Float01 = 0.05
    """Largest skew of columns against rows."""
    flip: Float01 = 0.5
    """Probability of a left-right flip."""
    brightness: Float01 = 0.0
    """Largest change of brightness, 1 being half the range of grey."""
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Largest relative change of contrast around mid-grey."""
    gamma: Annotated[float, Field(ge=1, le=4)] = 1.0
    """Largest exponent of the grey value, from 0 for black to 1 for white; the smallest is its
    inverse."""
    blur: Annotated[float, Field(ge=0, le=0.2)] = 0.0
    """Largest standard deviation of a Gaussian blur, as a part of the side."""
    noise: Float01 = 0.0
    """Largest standard deviation of additive noise, 1 being 127.5 grey levels."""
    erase: Float01 = 0.0
    """Probability that a rectangle is painted mid-grey (random erasing)."""
    erase_size: Annotated[float, Field(gt=0, le=1)] = 0.4
    """Largest side of that rectangle, as a part of the side."""
    mixup: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Largest share of a second face that is blended into a face and its labels; 0.5 is mixup
    with alpha 1."""
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Largest turn of the hue, as a part of the circle of colours; brightness stays."""
    saturation: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Largest relative change of the colours' distance from grey."""
    grey: Float01 = 0.0
    """Probability that a face in colour becomes grey."""

    @property
    def recolours(self) -> bool:
        """Whether anything changes colours."""
        return bool(self.hue or self.saturation or self.grey)

    @property
    def warps(self) -> bool:
        """Whether anything moves pixels."""
        return bool(self.shift or self.scale != 1 or self.rotation or self.skew or self.flip)


class Recipe(Settings):
    """How one stage trains: everything but the network and the data."""

    epochs: Count = 30
    """Passes over the training faces."""
    steps: Count | None = None
    """Length in steps instead of epochs, for comparisons at equal compute; the last epoch may
    then be incomplete."""
    batch_size: Count = 32
    """Faces per step."""
    optimizer: OptimizerName = "adamw"
    """Which optimiser."""
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 3e-3
    """Peak learning rate."""
    schedule: Schedule = Schedule()
    """How the learning rate changes."""
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.05
    """adamw: decay of weights; biases and normalisation layers are not decayed."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Layer-wise learning rates: the rate of a block is multiplied by this for the block below
    it; the head learns at the full rate."""
    unfreeze: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False)] = ()
    """Gradual unfreezing: the epochs, counted from 0, at which the blocks start to train, from
    the head down; the last holds for all below; empty trains all from the start. A frozen
    block's batch normalisation uses its running statistics and keeps them."""
    gradient_clip: Annotated[float, Field(gt=0)] | None = 1.0
    """Largest norm of the whole gradient; null for none."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.998
    """Decay of the exponential moving average (EMA) of weights that is evaluated and kept; 0
    evaluates the trained weights themselves."""
    loss: LossOptions = LossOptions()
    """The loss."""
    soft_targets: SoftTargets = SoftTargets()
    """Targets from intensities."""
    intensity_weight: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Weight of a second head, dropped after training, that learns an annotating program's
    intensities or probabilities as ranks among the training faces. A program's presence and
    intensity come from different models, so they err apart. AUs with neither are left out; 0
    turns it off."""
    error_rates: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Learn with the network how often the annotator calls each AU present that is absent (a)
    and absent that is present (b), and compare the labels with a + (1 - a - b) p instead of the
    probability p: forward correction (Patrini et al. 2017, 1609.03683). This number weighs
    log(1 - a - b), which makes the rates as high as the labels allow (Li et al. 2021,
    2102.02400), such as 0.001; 0 turns all of it off."""
    early_learning: EarlyLearning = EarlyLearning()
    """Hold predictions near what they were before single wrong labels were learned."""
    balance: Balance = "none"
    """Which faces an epoch has: none is each face once; the others draw as many faces, some
    repeatedly, so that each AU (or none), each subject, each AU of each subject (both), or
    each of several sets that are trained on together (sets) is equally likely."""
    backbone_weights: PathText | None = None
    """File of weights, .safetensors or of torch.save, that a new backbone starts from; it must
    exist whenever the run is resumed. Its SHA-256 is kept with the model."""
    prior_bias: bool = True
    """Start a new head's biases at the AUs' prevalence."""
    head: Literal["new", "shared"] = "new"
    """Fine-tuning: a new head, or one that starts from the pre-trained rows of the AUs in
    common."""
    augmentation: Augmentation = Augmentation()
    """How faces are varied."""
    validate_every: Count = 1
    """Epochs between evaluations."""
    patience: Count | None = None
    """Evaluations without a better one after which training ends; null for never."""
    select_by: Literal["average_precision", "macro_f1", "loss"] = "average_precision"
    """The score on the validation rows by which the best epoch is chosen."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        starts = list(self.unfreeze)
        if starts and (starts[0] != 0 or starts != sorted(starts)):
            raise ValueError(
                f"unfreeze is {starts}; the first epoch must be 0, as the head trains from "
                "the start, and the others must not fall"
            )
        if self.augmentation.mixup and (self.early_learning.strength or self.intensity_weight):
            name = "intensity_weight" if self.intensity_weight else "early_learning.strength"
            raise ValueError(
                f"{name} is not 0, and augmentation.mixup is {self.augmentation.mixup:g}, "
                "which blends pairs of faces; one of the two must be 0"
            )
        if self.augmentation.mixup and self.batch_size < 2:
            raise ValueError(
                f"augmentation.mixup is {self.augmentation.mixup:g}, which blends pairs of "
                f"faces of a batch, and batch_size is 1; it must be at least 2"
            )
        return self


def _without_weights(recipe: Recipe) -> Recipe:
    if recipe.backbone_weights is not None:
        raise ValueError(
            f"backbone_weights is {recipe.backbone_weights}; fine-tuning starts from the "
            "pre-trained model, so leave it null there"
        )
    return recipe


class RecipeConfig(Settings):
    """A recipe: the network and how each stage trains it."""

    network: NetworkSpec
    """The network, the same in all stages."""
    pretrain: Recipe
    """How it learns the AUs of the web set."""
    finetune: Annotated[Recipe, AfterValidator(_without_weights)]
    """How it learns 12 AUs from DISFA, starting from the pre-trained weights."""
    from_scratch: Recipe
    """How the comparison without pre-training learns them."""
    student: Float01 = 0.0
    """Noisy student (Xie et al. 2020, 1911.04252): each fold's network relabels the web set, so
    that this part of a label is the network's probability and the rest the annotator's; a new
    network is pre-trained on that and fine-tuned in its place. It takes a pre-training for each
    fold; 0 turns it off."""
    flip_average: bool
    """Whether predictions are averaged over each face and its horizontal flip (test-time
    augmentation)."""
