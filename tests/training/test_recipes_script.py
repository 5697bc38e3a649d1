"""What the comparison of recipes trains is equally dear."""

import numpy as np
import pytest
from benchmarks.recipes import STAGES, WAYS, cost, mean_of, recipe_of, training_of

from action_units.evaluation.predictions import Predictions
from action_units.evaluation.scores import score_folds

FACES = {"pretrain": 5000, "finetune": 1300}


@pytest.mark.parametrize("way", [way for way in WAYS if way != "modern"])
def test_a_way_costs_what_modern_does_to_half_a_step(way):
    modern, other = recipe_of("modern", FACES), recipe_of(way, FACES)
    for stage, n_aus in STAGES.items():
        step = other[stage]["batch_size"] * cost(other["network"], n_aus)
        options = modern[stage]
        known = options["steps"] * options["batch_size"] * cost(modern["network"], n_aus)
        assert abs(other[stage]["steps"] * step - known) <= step / 2


@pytest.mark.parametrize("way", WAYS)
def test_the_pipelines_nodes_take_a_ways_parameters(way):
    training = training_of(way, 20, FACES, None)
    assert training.recipe.pretrain.steps == recipe_of(way, FACES)["pretrain"]["steps"]


def test_modern_is_as_long_as_in_the_configuration():
    assert recipe_of("modern", FACES)["pretrain"]["steps"] == 24 * (5000 // 32)


def test_milestones_keep_their_part_of_the_length():
    schedule = recipe_of("fg2020 on residual", FACES)["pretrain"]["schedule"]
    assert schedule["milestones"] == [round(24 * 20 / 300), round(24 * 40 / 300)]


def test_the_mean_of_seeds_is_that_of_every_figure_and_resample():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, (60, 2))

    def network(seed):
        p = np.clip(labels + np.random.default_rng(seed).normal(0, 0.6, labels.shape), 0, 1)
        subjects = np.repeat([f"SN{n:03}" for n in range(6)], 10)
        answers = Predictions(
            aus=(1, 12), labels=labels, probabilities=p, predicted=p >= 0.5, subjects=subjects
        )
        return score_folds({1: answers, 2: answers})

    one, two = network(1), network(2)
    both = mean_of([one, two])
    for name in ("f1", "auc"):
        value = both.mean_of_folds(name, [0, 1])
        apart = [judged.mean_of_folds(name, [0, 1]).value for judged in (one, two)]
        assert value.value == pytest.approx(np.mean(apart))
        drawn = np.mean([j.by_fold_resampled[name] for j in (one, two)], axis=0).mean((1, 2))
        low, high = np.quantile(drawn, [0.025, 0.975])
        assert (value.low, value.high) == pytest.approx((low, high), abs=0.01)
