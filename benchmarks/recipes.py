"""Recipes at equal compute: the paper's against modern, and each with the other's network.

Ways to train, each with as many multiply-adds in all as `modern` spends, counted by
torch over forward and backward of a batch: both recipes, on the residual network and on a
VGG13 so narrow that a face costs about the same. Lengths in steps make up what is left, and
the paper's milestones move with the length, at the same parts of it. `fg2020, full width` is
the paper's own network, which has to stop after a fraction of the steps.

Every run pre-trains on the web set, fine-tunes the three folds and is tested on subjects that
it has not seen, by the pipelines' own nodes. Scores are means of folds over 12 AUs. Each way
is compared with the first on the same resamples of the same subjects; "mean" is that of the
seeds, which share the resamples too. Runs are kept in --folder, and one that is finished or
cut short is not begun anew.

    python benchmarks/recipes.py data/04_feature/sample --seeds 20 21 22
"""

import argparse
import time
from collections.abc import Mapping
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from action_units.config import (
    ChosenProtocols,
    FinetuneSettings,
    MachineConfig,
    NetworkSpec,
    ProtocolSettings,
    RecipeConfig,
    SetProtocol,
    TrainingConfig,
)
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.scores import BootstrapScores, score_folds
from action_units.faces.store import FaceStore
from action_units.labels.folds import FG2020
from action_units.models.registry import build_network
from action_units.pipelines.finetuning.nodes import split_subjects
from action_units.stages import Split, finetune, predict_test_subjects, pretrain
from action_units.study.result import mean_of_seeds as mean_of

RECIPES = Path(__file__).parents[1] / "conf" / "base" / "parameters_recipes.yml"
NARROW = {"architecture": "vgg13", "width": 0.125}
WAYS = {
    "modern": ("modern", None),
    "fg2020, narrow": ("fg2020", NARROW),
    "modern on narrow VGG13": ("modern", NARROW),
    "fg2020 on residual": ("fg2020", {"architecture": "residual", "width": 1.0}),
    "fg2020, full width": ("fg2020", None),
}
STAGES = {"pretrain": 18, "finetune": 12}
FOLDS = (1, 2, 3)
_PROTOCOLS = ChosenProtocols(
    sets={
        "disfa": SetProtocol(
            name="fg2020",
            settings=ProtocolSettings(folds=[list(group) for group in FG2020.groups]),
        )
    }
)
SHOWN = ("f1", "f1_at_half", "average_precision", "auc")


def cost(network: Mapping[str, Any], n_aus: int) -> float:
    """Multiply-adds of a face in a step: forward and backward."""
    spec = NetworkSpec.read(network)
    built = build_network(spec, n_aus)
    face = torch.zeros(1, spec.channels, spec.image_size, spec.image_size)
    with FlopCounterMode(display=False) as counter:
        built(face).sum().backward()
    return counter.get_total_flops() / 2


def recipe_of(way: str, faces: Mapping[str, int]) -> dict[str, Any]:
    """A way's recipe, as long as costs what `modern` spends in each stage.

    Args:
        way: One of `WAYS`.
        faces: How many faces each stage learns from.
    """
    recipes = yaml.safe_load(RECIPES.read_text())["recipes"]
    name, network = WAYS[way]
    recipe = {**recipes[name], "network": recipes[name]["network"] | (network or {})}
    for stage, n_aus in STAGES.items():
        modern = recipes["modern"][stage]
        shown = modern["epochs"] * (faces[stage] // modern["batch_size"] * modern["batch_size"])
        spent = shown * cost(recipes["modern"]["network"], n_aus)
        options = recipe[stage] = deepcopy(recipe[stage])
        batch = options["batch_size"]
        options["steps"] = round(spent / (batch * cost(recipe["network"], n_aus)))
        schedule = options["schedule"]
        if "milestones" in schedule:
            epochs = options["steps"] / (faces[stage] // batch)
            moved = [round(m * epochs / options["epochs"]) for m in schedule["milestones"]]
            schedule["milestones"] = [max(least, m) for least, m in enumerate(moved, 1)]
    return recipe


def training_of(
    way: str, seed: int, faces: Mapping[str, int], threads: int | None
) -> TrainingConfig:
    """What the training nodes take, as Kedro would hand it to them."""
    recipe = RecipeConfig.read(recipe_of(way, faces))
    machine = MachineConfig(threads=threads)
    return TrainingConfig(
        name="chosen", recipe=recipe, seed=seed, restart=False, machine=machine
    )


def run(
    way: str, seed: int, web: FaceStore, disfa: FaceStore, folder: Path, threads: int | None
) -> dict[int, Predictions]:
    """Train and test one way with one seed; its answers by fold."""
    place = folder / way.replace(",", "").replace(" ", "-") / f"seed{seed}"
    started = time.perf_counter()
    splits = splits_of(disfa, seed)
    counts = {
        "pretrain": int((web.table["split"] != "test").sum()),
        "finetune": int(np.isin(disfa.subjects, splits[1]["train"]).sum()),
    }
    answers = train_and_test(training_of(way, seed, counts, threads), web, disfa, place)
    print(f"{way}, seed {seed}: {time.perf_counter() - started:.0f} s", flush=True)
    return answers


def splits_of(disfa: FaceStore, seed: int) -> dict[int, Split]:
    """The subjects of each fold."""
    finetuning = FinetuneSettings(validation_subjects=5, also_from_scratch=False)
    split = partial(split_subjects, disfa, _PROTOCOLS, finetuning, seed)
    return {fold: split(fold=fold) for fold in FOLDS}


def train_and_test(
    training: TrainingConfig, web: FaceStore, disfa: FaceStore, folder: Path
) -> dict[int, Predictions]:
    """Pre-train, fine-tune each fold and predict its test subjects, by fold."""
    pretrained = pretrain(web, folder / "pretrain", training)[0]
    answers = {}
    for fold, who in splits_of(disfa, training.seed).items():
        tuned = finetune(disfa, who, pretrained, folder / f"fold{fold}", training, web)
        asked = predict_test_subjects(tuned[0], disfa, who, "auto")
        limits = FittedThresholds.from_json(tuned[1], disfa.aus)
        answers[fold] = Predictions.read(asked, limits.values)
    return answers


def show(runs: Mapping[str, Mapping[int, BootstrapScores]]) -> None:
    """Print each way's figures, and its difference from the first way."""
    print("| way | seed | " + " | ".join(SHOWN) + " |")
    print("|---|---|" + "---|" * len(SHOWN))
    first = next(iter(runs))
    for way, judged in runs.items():
        for seed in (*judged, "mean"):
            one, reference = (
                mean_of(list(runs[w].values())) if seed == "mean" else runs[w][int(seed)]
                for w in (way, first)
            )
            difference, cells = one - reference, []
            columns = list(range(len(one.aus)))
            for name in SHOWN:
                value = f"{one.mean_of_folds(name, columns).value:.3f}"
                gap = difference.mean_of_folds(name, columns)
                if way != first:
                    value += f" ({gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}])"
                cells.append(value)
            print(f"| {way} | {seed} | {' | '.join(cells)} |")


def main() -> None:
    """Read the command line, train what is not there, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("stores", type=Path, help="folder of the stores web and disfa")
    parser.add_argument("--seeds", type=int, nargs="+", default=[20, 21, 22])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--folder", type=Path, default=Path("data/recipes"))
    parser.add_argument("--threads", type=int, default=None)
    arguments = parser.parse_args()
    web, disfa = (FaceStore.open(arguments.stores / name) for name in ("web", "disfa"))
    for way in arguments.ways:
        name, network = WAYS[way]
        base = yaml.safe_load(RECIPES.read_text())["recipes"][name]["network"]
        print(f"{way}: {cost(base | (network or {}), 18) / 1e6:,.0f} M multiply-adds a face")
    runs: dict[str, dict[int, BootstrapScores]] = {way: {} for way in arguments.ways}
    for seed in arguments.seeds:
        for way in arguments.ways:
            answers = run(way, seed, web, disfa, arguments.folder, arguments.threads)
            runs[way][seed] = score_folds(answers)
    show(runs)


if __name__ == "__main__":
    main()
