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

A recipe is a network and how each stage trains it. `conf/base/parameters_recipes.yml` has two:
`modern`, the default, and `fg2020`, the paper's. `--params recipe=fg2020` chooses one for a run;
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
goes into the model's provenance, and a run whose file has changed is not resumed.

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
faces or network are grey, `hue` and `saturation` are refused; `grey` changes nothing there.

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
