"""Pre-training under three kinds of label noise: how much of the gap to the truth it closes.

The rendered web photographs are labelled anew by the rendered OpenFace with each kind of noise
(docs/noisy_labels.md), so only the labels differ. Ways to pre-train, all with the same steps:
`plain` is cross-entropy on presence; `truth` is that on the true labels, the ceiling; `default`
is the recipe as it is configured; the others are one method each. Every run fine-tunes the
three folds in the same way and is tested on subjects that it has not seen.

Differences are paired over subjects, and are of means over seeds; "above half" is by how much
a way lies above the middle between plain and the truth. Runs are kept in --folder; one that is
finished is not trained again, so several processes may each do some of them.

    python -m benchmarks.noisy_labels data/04_feature/sample --seeds 20 21 22 --threads 1
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from action_units.config import MachineConfig, RecipeConfig, TrainingConfig, WebSampleConfig
from action_units.evaluation.scores import BootstrapScores, score_folds
from action_units.faces.store import FaceStore
from action_units.labels.action_units import EIGHT_AUS, au_columns
from action_units.sample.openface import PRESENT_FROM, annotate
from action_units.sample.web import list_photographs, scene_of
from benchmarks.recipes import RECIPES, mean_of, train_and_test

NOISES = ("mild", "class_conditional", "picture_dependent")
PLAIN: dict[str, Any] = {
    "loss": {"name": "bce"},
    "error_rates": 0.0,
    "intensity_weight": 0.0,
    "early_learning": {"strength": 0.0},
}
WAYS: dict[str, dict[str, Any]] = {
    "plain": PLAIN,
    "truth": PLAIN,
    "default": {},
    "generalised": PLAIN | {"loss": {"name": "generalized_ce"}},
    "error rates": PLAIN | {"error_rates": 0.001},
    "intensities": PLAIN | {"intensity_weight": 1.0},
    "generalised, intensities": PLAIN
    | {"loss": {"name": "generalized_ce"}, "intensity_weight": 1.0},
    "rates, intensities": PLAIN | {"error_rates": 0.001, "intensity_weight": 1.0},
    "early learning": PLAIN | {"early_learning": {"strength": 1.0}},
    "soft targets": PLAIN | {"soft_targets": {"curve": "logistic"}},
    "student": {},  # of the default's network of each fold
}
METRICS = ("f1", "average_precision")


def labelled(web: FaceStore, noise: str, truth: bool, seed: int) -> FaceStore:
    """The web set with another annotation.

    Args:
        web: Faces of the rendered web set.
        noise: The kind of noise.
        truth: Give the true presence instead, and the labels as intensities.
        seed: Of the sample.
    """
    config = WebSampleConfig.read({"noise": noise, "seed": seed})
    photographs = list_photographs(config)
    scene = scene_of(config, photographs)
    said = annotate(scene, config)
    row_of = {photograph.image: row for row, photograph in enumerate(photographs)}
    rows = np.array([row_of[image] for image in web.table["image"]])
    table = web.table.copy()
    present = scene.truth >= PRESENT_FROM if truth else said.present
    table[au_columns(web.aus)] = present[rows].astype(np.int8)
    for column, name in enumerate(au_columns(web.aus)):
        if f"{name}_r" in table:
            table[f"{name}_r"] = np.round(said.intensity[rows, column], 2)
    return FaceStore(web.faces, table, web.aus, web.notes)


def training_of(way: str, seed: int, epochs: int | None, threads: int | None) -> TrainingConfig:
    """The configured recipe with a way's options in pre-training."""
    recipe = yaml.safe_load(RECIPES.read_text())["recipes"]["modern"]
    recipe["pretrain"] |= WAYS[way] | ({} if epochs is None else {"epochs": epochs})
    recipe["student"] = 0.5 if way == "student" else 0.0
    return TrainingConfig(
        name="modern",
        recipe=RecipeConfig.read(recipe),
        seed=seed,
        restart=False,
        machine=MachineConfig(threads=threads),
    )


def show(noise: str, scores: dict[str, list[BootstrapScores]]) -> None:
    """Print a kind of noise: each way's figures, and what of the gap it closes."""
    aus = scores["plain"][0].aus
    means = {way: mean_of(seeds) for way, seeds in scores.items()}
    plain, truth = means["plain"], means["truth"]
    eight = [column for column, au in enumerate(aus) if au in EIGHT_AUS]
    for name, columns in (("12 AUs", list(range(len(aus)))), ("8 AUs", eight)):
        for metric in METRICS:
            print(f"\n{noise}, {metric}, {name}")
            print("| way | by seed | mean | against plain | of the gap | above half |")
            print("|---|---|---|---|---|---|")
            gap = (truth - plain).mean_of_folds(metric, columns).value
            for way, mean in means.items():
                seeds = [one.mean_of_folds(metric, columns).value for one in scores[way]]
                gain = (mean - plain).mean_of_folds(metric, columns)
                half = (mean - mean_of([plain, truth])).mean_of_folds(metric, columns)
                print(
                    f"| {way} | {', '.join(f'{value:.3f}' for value in seeds)} "
                    f"| {mean.mean_of_folds(metric, columns).value:.3f} "
                    f"| {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] "
                    f"| {gain.value / gap:.0%} "
                    f"| {half.value:+.3f} [{half.low:+.3f}, {half.high:+.3f}] |"
                )


def main() -> None:
    """Read the command line, train what is not there, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("stores", type=Path, help="folder of the stores web and disfa")
    parser.add_argument("--noises", nargs="+", choices=NOISES, default=list(NOISES))
    parser.add_argument(
        "--ways", nargs="+", choices=WAYS, default=["plain", "truth", "default"]
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[20, 21, 22])
    parser.add_argument("--epochs", type=int, help="of all pre-trainings; else the recipe's")
    parser.add_argument("--sample-seed", type=int, default=1911)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--folder", type=Path, default=Path("data/noisy_labels"))
    arguments = parser.parse_args()
    web, disfa = (FaceStore.open(arguments.stores / name) for name in ("web", "disfa"))
    for noise in arguments.noises:
        scores: dict[str, list[BootstrapScores]] = {way: [] for way in arguments.ways}
        for seed in arguments.seeds:
            for way in arguments.ways:
                started, truth = time.perf_counter(), way == "truth"
                kind = NOISES[0] if truth else noise  # the truth is the same in all
                faces = labelled(web, kind, truth, arguments.sample_seed)
                training = training_of(way, seed, arguments.epochs, arguments.threads)
                length = training.recipe.pretrain.epochs
                name = f"{way.replace(', ', '-').replace(' ', '-')}-{length}-{seed}"
                folder = arguments.folder / ("truth" if truth else noise) / name
                answers = train_and_test(training, faces, disfa, folder)
                scored = score_folds(answers, 0)
                scores[way].append(scored)
                columns = list(range(len(scored.aus)))
                print(
                    f"{noise}, {way}, seed {seed}: F1 "
                    f"{scored.mean_of_folds('f1', columns).value:.3f}, "
                    f"{time.perf_counter() - started:.0f} s",
                    flush=True,
                )
        if {"plain", "truth"} <= scores.keys():
            show(noise, scores)


if __name__ == "__main__":
    main()
