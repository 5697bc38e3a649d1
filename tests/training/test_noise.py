"""Person effects and early-learning regularisation, against their formulas and on toys."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.metrics import average_precision_score
from torch.nn import functional

from action_units.config import NetworkSpec, Recipe
from action_units.errors import ConfigurationError
from action_units.training.data import check_data
from action_units.training.inference import predict
from action_units.training.noise import Batch, NoiseModel
from tests.training.blobs import AUS, blobs, train

GENERATOR = np.random.default_rng(5)
N = 60
TARGETS = (GENERATOR.random((N, 3)) < 0.4).astype(float)
TARGETS[:7, 1] = -1
PEOPLE = np.array([f"m.{k % 9}" for k in range(N)])
POSITIONS = torch.arange(N)


def plain(logits, targets):
    known = targets >= 0
    losses = functional.binary_cross_entropy_with_logits(
        logits, targets.clamp(min=0), reduction="none"
    )
    return (losses * known).sum() / known.sum()


def noise_model(**options):
    faces = np.zeros((N, 16, 16), np.uint8)
    data = check_data(faces, TARGETS, range(N), [], AUS)
    return NoiseModel(Recipe(**options), replace(data, people=PEOPLE))


def batch_of(model):
    targets = torch.from_numpy(TARGETS).float()
    return Batch(targets, POSITIONS, model.blank(POSITIONS))


def test_without_a_method_the_loss_is_the_plain_one():
    model = noise_model()
    logits = torch.randn(N, 3)
    batch = batch_of(model)
    assert torch.equal(model.loss(plain, logits, batch), plain(logits, batch.targets))
    assert list(model.parameters()) == []
    assert model.state_dict() == {}


def test_offsets_are_the_mode_of_a_mixed_logistic_model():
    deviation = 0.7
    model = noise_model(person_effects=deviation)
    logits = torch.from_numpy(GENERATOR.normal(size=(N, 3))).float()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=500, tolerance_grad=1e-9)

    def closure():
        optimizer.zero_grad()
        loss = model.loss(plain, logits, batch_of(model))
        loss.backward()
        return loss

    optimizer.step(closure)
    person = np.unique(PEOPLE, return_inverse=True)[1]
    for au in range(3):
        known = TARGETS[:, au] >= 0

        def posterior(u, au=au, known=known):
            z = logits.numpy()[known, au] + u[person[known]]
            likelihood = np.sum(np.log1p(np.exp(z)) - TARGETS[known, au] * z)
            return likelihood + np.sum(u**2) / (2 * deviation**2)

        mode = minimize(posterior, np.zeros(9)).x
        np.testing.assert_allclose(model.offsets.detach().numpy()[:, au], mode, atol=2e-3)


def test_early_learning_is_its_formula_and_has_its_gradient():
    model = noise_model(early_learning={"strength": 3.0, "memory": 0.8})
    start = model.memory.clone()
    np.testing.assert_allclose(start[0, 1], TARGETS[7:, 1].mean(), atol=1e-6)
    logits = torch.randn(N, 3, requires_grad=True)
    batch = batch_of(model)
    loss = model.loss(plain, logits, batch)
    loss.backward()
    p = expit(logits.detach().double().numpy())
    t = 0.8 * start.double().numpy() + 0.2 * p
    known = TARGETS >= 0
    extra = 3.0 * np.log(1 - (t * p + (1 - t) * (1 - p)))
    expected = float(plain(logits.detach(), batch.targets)) + extra[known].mean()
    assert float(loss) == pytest.approx(expected, abs=1e-5)
    # Liu et al.'s gradient: the plain one, less what holds p near t, which has no gradient.
    slope = (p - np.maximum(TARGETS, 0)) - 3.0 * (2 * t - 1) * p * (1 - p) / (
        1 - (t * p + (1 - t) * (1 - p))
    )
    np.testing.assert_allclose(logits.grad.numpy(), slope * known / known.sum(), atol=1e-6)


def test_each_face_has_a_memory_of_its_own():
    model = noise_model(early_learning={"strength": 1.0, "memory": 0.9})
    start = model.memory.clone()
    some = torch.tensor([4, 40])
    model.remember(some, torch.tensor([[1.0, 0.0, 0.5]] * 2))
    expected = start.clone()
    expected[some] = 0.9 * start[some] + 0.1 * torch.tensor([1.0, 0.0, 0.5])
    torch.testing.assert_close(model.memory, expected)


def test_faces_of_no_known_label_cost_nothing():
    model = noise_model(person_effects=1.0, early_learning={"strength": 1.0})
    targets = torch.full((4, 3), -1.0)
    some = POSITIONS[:4]
    batch = Batch(targets, some, model.blank(some))
    assert float(model.loss(lambda z, y: z.sum() * 0, torch.randn(4, 3), batch)) == 0.0


def biased_people(seed):
    """Faces whose annotator leans towards an AU or away from it by person."""
    random = np.random.default_rng(seed)
    faces, truth = blobs(n=600, seed=seed)
    people = np.arange(600) // 6
    lean = random.normal(0.0, 3.0, (100, 3))[people]
    noisy = (random.random((600, 3)) < expit(3.0 * truth - 1.5 + lean)).astype(float)
    # The lean shows in the face: a corner is as bright as the person is leaned on.
    for au in range(3):
        shade = np.clip(128 + 30 * lean[:, au], 0, 255).astype(np.uint8)
        faces[:, 2:6, 4 + 8 * au : 8 + 8 * au] = shade[:, None, None]
    return faces, truth, noisy, people


def test_person_effects_find_the_truth_behind_a_bias_by_person():
    spec = NetworkSpec(architecture="residual", width=0.25, image_size=32)
    gains = []
    for seed in range(2):
        faces, _, noisy, people = biased_people(seed)
        unseen, answers, _, _ = biased_people(seed + 50)
        scores = []
        for deviation in (0.0, 3.0):
            recipe = Recipe(
                epochs=8, batch_size=30, learning_rate=0.01, average=0.9,
                person_effects=deviation, augmentation={"rotation": 0, "flip": 0},
            )  # fmt: skip
            result = train(
                spec, recipe, faces, noisy, range(600), [], AUS, seed=seed, subjects=people
            )
            found = predict(result.model, unseen, "cpu")
            scores.append(average_precision_score(answers, found, average="macro"))
        gains.append(scores[1] - scores[0])
    assert min(gains) > 0.03


@pytest.mark.parametrize("how", [{"micro_batch": 7}, {"devices": 2}], ids=["micro", "devices"])
def test_parts_of_a_batch_give_the_result_of_the_whole(how):
    spec = NetworkSpec(architecture="convnext", width=0.5, image_size=32)
    faces, labels = blobs(n=100)
    labels = labels.astype(float)
    labels[:40, 1] = -1
    recipe = Recipe(
        epochs=2, batch_size=18, person_effects=1.0, early_learning={"strength": 1.0}
    )
    results = []
    for split in ({}, how):
        arguments = {"seed": 3, "subjects": np.arange(100) // 5, **split}
        rows = range(80), range(80, 100)
        results.append(train(spec, recipe, faces, labels, *rows, AUS, **arguments))
    losses = [result.curve.train_loss.tolist() for result in results]
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)


def test_person_effects_need_people():
    faces, labels = blobs(n=40)
    spec = NetworkSpec(image_size=32, width=0.25)
    with pytest.raises(ConfigurationError, match="person_effects.*have no subjects"):
        train(spec, Recipe(person_effects=1.0), faces, labels, range(40), [], AUS, seed=0)


@pytest.mark.parametrize(
    "option", [{"person_effects": 0.5}, {"early_learning": {"strength": 2.0}}], ids=str
)
def test_neither_goes_with_blended_faces(option):
    with pytest.raises(ConfigurationError, match=f"{next(iter(option))}.* must be 0"):
        Recipe(augmentation={"mixup": 0.2}, **option)
