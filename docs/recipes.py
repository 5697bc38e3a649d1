"""Writes docs/recipes.md from the options themselves: `python docs/recipes.py`."""

from pathlib import Path

from action_units.models.options import Options, describe
from action_units.models.spec import NetworkSpec
from action_units.training.augmentation import Augmentation
from action_units.training.losses import LossOptions
from action_units.training.recipe import Recipe
from action_units.training.schedule import Schedule

PAGE = Path(__file__).with_name("recipes.md")

HEAD = """# Recipes

A recipe is a network and how each stage trains it. `conf/base/parameters_recipes.yml` has two:
`modern`, the default, and `fg2020`, the paper's. `--params recipe=fg2020` chooses one for a run;
`--params recipes.modern.finetune.epochs=20` changes one option of it; a recipe of your own goes into
`conf/local/parameters_recipes.yml` under a name of its own, with the same five parts:

| part | what it is |
|---|---|
| `network` | the network, the same in all stages |
| `pretrain` | how it learns 18 AUs from the web set |
| `finetune` | how it learns 12 AUs from DISFA, starting from the pre-trained weights |
| `from_scratch` | how the comparison without pre-training learns them |
| `flip_average` | `true`: a face is asked about together with its mirror image, logits averaged |

Every option is checked before anything is computed: a misspelt name or an impossible value is
refused with what there is. This page is written from the code by `python docs/recipes.py`.
"""

TABLES: tuple[tuple[str, type[Options]], ...] = (
    ("`network`", NetworkSpec),
    ("`pretrain`, `finetune` and `from_scratch`", Recipe),
    ("`schedule` within them", Schedule),
    ("`loss` within them", LossOptions),
    ("`augmentation` within them", Augmentation),
)


def page() -> str:
    """The page as Markdown."""
    parts = [HEAD]
    for title, options in TABLES:
        rows = [
            f"| `{name}` | {f'`{default}`' if len(default) < 40 else 'below'} | {sentence} |"
            for name, default, sentence in describe(options)
            if "." not in name
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
