"""Writes docs/recipes.md from the options themselves: `python docs/recipes.py`."""

from pathlib import Path

from action_units.config import (
    Augmentation,
    EarlyLearning,
    LossOptions,
    NetworkSpec,
    Recipe,
    Schedule,
    Settings,
    SoftTargets,
)

PAGE = Path(__file__).with_name("recipes.md")

HEAD = """# Recipes

A recipe is a network and how each stage trains it. `conf/base/parameters_recipes.yml` has three:
`modern`, the default, `fg2020`, the paper's, and `large`, for real faces and a GPU. `--params recipe=fg2020` chooses one for a run;
`--params recipes.modern.finetune.epochs=20` changes one option of it; a recipe of your own goes into
`conf/local/parameters_recipes.yml` under a name of its own, with the same parts:

| part | what it is |
|---|---|
| `network` | the network, the same in all stages |
| `pretrain` | how it learns 18 AUs from the web set |
| `finetune` | how it learns 12 AUs from DISFA, starting from the pre-trained weights |
| `from_scratch` | how the comparison without pre-training learns them |
| `flip_average` | `true`: a face is asked about together with its mirror image, logits averaged |
| `student` | 0, or the part of a web label that comes from the fold's own network, of which a second one then learns |

Every option is checked before anything is computed: a misspelt name or an impossible value is
refused with what there is. This page is written from the code by `python docs/recipes.py`.

## Networks

| `architecture` | what it is | parameters at width 1, 64 px, 12 AUs | blocks |
|---|---|---|---|
| `residual` | a small residual network, the default | 0.33 M | stem, 4 stages, head |
| `convnext` | a small network in the style of ConvNeXt | 0.44 M | 3 stages, head |
| `convnextv2_atto`, `…_nano`, `…_tiny` | ConvNeXt V2, whose published weights it takes | 3.39, 14.99, 27.88 M | stem, 4 stages, head |
| `vgg13` | the paper's | 8.76 M | 4 of convolutions, 2 fully connected layers, head |
| `timm` | any model of the [timm](https://huggingface.co/docs/timm) library | its own | its layers, head |

`layer_decay` and `unfreeze` go by the blocks. Every network takes one channel or three and any
`face_size` (a parameter of its own) that its layers divide: a multiple of 16, or what the timm
model allows.

timm is an optional extra, `pip install 'action-units[timm]'`. It needs a torchvision of the same build
as torch: beside a CPU build of torch, the torchvision of the usual registry fails on import, and the
one of PyTorch's own CPU index is needed. Nothing is downloaded at run time; weights come from a file:

    my_recipe:
      network: {architecture: timm, timm_model: resnet18, channels: 3}
      pretrain:
        backbone_weights: /path/to/resnet18.safetensors
        layer_decay: 0.7
        unfreeze: [0, 1, 2]

A file of weights is `.safetensors`, or of `torch.save` and then read with `weights_only`. Its SHA-256
goes into the provenance of the models that start from it and into the card of an exported run, as their licence binds the
new weights too; a run whose file has changed is not resumed.

## Recipe `large`

For 10^5 to 10^6 web photographs, expert codes of the size of DISFA, faces of 128 to 224 pixels in colour, and a GPU:

    kedro run --env raw --pipeline rehearse --params recipe=large,face_size=128,preprocess.crop.colour=true
    kedro run --env raw --params recipe=large,face_size=128,preprocess.crop.colour=true

Take a multiple of 32: of 112 pixels the last halving leaves out the lowest and the rightmost seventh, so untrained features
look at the outer 16 pixels there a third as much as at the opposite sides (in sums of squared gradients).

Nothing chooses it by itself, so that results do not depend on the machine. The first line tells hours and
memory on yours ([the rehearsal](rehearsal.md)). `gradient_checkpointing: true` and `micro_batch` need less memory for the same
weights up to rounding, the first bit for bit.

**It was written from publications and never tuned on people, because none were at hand.** On the rendered sample it was
only seen to train, resume, export and predict. Each choice, and where it comes from:

| choice | why |
|---|---|
| `convnextv2_tiny`, published weights | Woo et al. 2023 (arXiv 2301.00808): a convolutional network pre-trained by masked autoencoding, which its response normalisation made work; public weights from atto to huge. ConvNeXt is a usual image encoder for AUs, such as Yu et al. 2025 (arXiv 2503.11115) |
| start from general features, then diverse web faces, then experts' codes | Ning et al. 2024 (arXiv 2407.11243): large and diverse face data is one of the two factors of AU detection that they find; Fung & McDuff 2020 (arXiv 1911.05946): noisy labels pre-train |
| strong photometric augmentation, low rates below (`layer_decay`), few epochs, average of weights, stochastic depth | Yuan et al. 2024 (arXiv 2403.04697): networks of many parameters overfit scarce AU data. 2407.11243: a network takes the subject's identity as a shortcut. The rates themselves are conventions, not measurements |
| `weighted_bce`, `balance: subjects` | classes are imbalanced in AU data (2403.04697 weighs AUs); subjects differ in number of frames kept |
| `generalized_ce`, `error_rates`, `intensity_weight` | as in `modern`, measured on the sample's three kinds of label noise ([Learning from noisy labels](noisy_labels.md)) |
| half of the paper's geometry | as in `modern`; faces are found by a detector, not aligned by landmarks |
| hue ± 0.03, saturation, a tenth of the faces grey | light and cameras differ; OpenFace's labels and old recordings may be grey |

Weights: put a file of ConvNeXt V2's into a place of your own and name it. timm's files and the authors' fine-tuned ones fit, by
the same tensor names and shapes; timm itself is not needed, and nothing is downloaded. Mind their licence, CC BY-NC 4.0.
The files that the authors call FCMAE hold sparse layers of another shape, and are refused with the name of the tensor.

    recipes:
      large:
        pretrain: {backbone_weights: /path/to/convnextv2_tiny.safetensors}

From random weights it needs more steps and a higher rate than these. Without the web set
(`pretraining=false`), `from_scratch` is what trains: name the file there.

## Noisy labels

Another program wrote the web set's labels. `modern` learns from them with
`loss: {name: generalized_ce}`, `error_rates`, `intensity_weight` and a longer training, which were chosen by
measurement. `early_learning` helps too, without these. `label_smoothing` and `soft_targets` are there
too; on the rendered sample they were worse than nothing. [Learning from noisy labels](noisy_labels.md) has
the figures. Validation and selection always go by the labels.

## Colour

`hue`, `saturation` and `grey` change the colours of faces that were preprocessed with
`preprocess.crop.colour=true`, for a network of 3 channels; brightness, contrast and gamma change all
channels alike, noise each by itself. `hue` and `saturation` are linear maps that keep a pixel's luma (the
chroma of YIQ is turned and stretched), so `hue` is close to that of HSV, and not the same. Where
faces or network are grey, none of the three changes anything, and a warning says so.

## Chance

Whatever an option draws is a function of the seed, the epoch and the face, so a run that was killed
goes on to the same weights with every one of them. Where `balance` shows a face twice in an epoch, each
appearance is augmented on its own.
"""

TABLES: tuple[tuple[str, type[Settings]], ...] = (
    ("`network`", NetworkSpec),
    ("`pretrain`, `finetune` and `from_scratch`", Recipe),
    ("`schedule` within them", Schedule),
    ("`loss` within them", LossOptions),
    ("`soft_targets` within them", SoftTargets),
    ("`early_learning` within them", EarlyLearning),
    ("`augmentation` within them", Augmentation),
)


def page() -> str:
    """The page as Markdown."""
    parts = [HEAD]
    for title, options in TABLES:
        rows = [
            f"| `{name}` | `{field.default}` | {' '.join(str(field.description).split())} |"
            for name, field in options.model_fields.items()
            if not isinstance(field.default, Settings)
        ]
        parts.append(
            "\n".join(
                [f"## {title}\n", "| option | default | meaning |", "|---|---|---|", *rows]
            )
            + "\n"
        )
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
