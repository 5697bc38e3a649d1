from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import numpy as np
import pytest
import torch

from action_units.config import NetworkSpec
from action_units.errors import ConfigurationError
from action_units.models.registry import build_network
from action_units.models.trained import TrainedModel
from action_units.training import inference
from action_units.training.device import Machine
from action_units.training.inference import Predictor, folded, logits, predict
from tests.training.blobs import AUS, blobs

SPEC = NetworkSpec(width=0.5, image_size=32)
FACES, _ = blobs(n=30)


@pytest.fixture
def model():
    return TrainedModel(build_network(SPEC, 3, seed=1).eval(), SPEC, AUS)


def test_probabilities_are_the_networks(model):
    x = torch.from_numpy((FACES[:, None] / 127.5 - 1).astype(np.float32))
    with torch.no_grad():
        expected = torch.sigmoid(model.network(x)).numpy()
    got = predict(model, FACES, "cpu")
    assert got.dtype == np.float32
    assert np.abs(got - expected).max() < 1e-5


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        NetworkSpec(architecture="vgg13", width=0.25, image_size=32),
        NetworkSpec(architecture="convnext", width=0.25, image_size=32),
    ],
    ids=lambda spec: spec.architecture,
)
def test_a_face_is_answered_the_same_bit_for_bit_in_any_company(spec, flip):
    model = TrainedModel(build_network(spec, 3, seed=1).eval(), spec, AUS)
    whole = predict(model, FACES, "cpu", flip=flip)
    predictor = Predictor(model, "cpu", flip=flip)
    for some in (slice(0, 1), slice(3, 10), slice(5, 30), slice(29, None)):
        assert predictor.probabilities(FACES[some]).tobytes() == whole[some].tobytes()
    backwards = predictor.probabilities(FACES[::-1].copy())[::-1]
    assert backwards.tobytes() == whole.tobytes()


def test_threads_change_no_bit(model, monkeypatch):
    monkeypatch.setattr(inference, "BLOCKS_IN_A_PART", 1)  # so that there are several parts
    before = torch.get_num_threads()
    try:
        found = set()
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.add(predict(model, FACES, "cpu").tobytes())
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert len(found) == 1


def test_a_predictor_is_asked_from_several_threads(model):
    predictor = Predictor(model, "cpu")
    whole = predictor.probabilities(FACES)
    with ThreadPoolExecutor(4) as pool:
        for n, found in enumerate(
            pool.map(predictor.probabilities, [FACES[n:] for n in range(12)])
        ):
            assert found.tobytes() == whole[n:].tobytes()


def test_parts_are_worked_on_side_by_side_on_a_cpu_with_one_thread_of_torch_each(model):
    predictor, together = Predictor(model, "cpu"), Barrier(2)
    predictor.machine = replace(predictor.machine, threads=2)

    def work(part):
        together.wait(timeout=20)
        return part.stop - part.start, torch.get_num_threads()

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = list(predictor.in_parts(work, 200, "Testing"))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert [part.indices(200) for part, _ in found] == [
        (start, min(start + 64, 200), 1) for start in range(0, 200, 64)
    ]
    assert [result for _, result in found] == [(64, 1), (64, 1), (64, 1), (8, 1)]


def test_a_part_that_fails_ends_the_work(model):
    def work(part):
        raise MemoryError(f"at {part.start}")

    with pytest.raises(MemoryError, match="at 0"):
        list(Predictor(model, "cpu").in_parts(work, 200, "Testing"))


@pytest.mark.parametrize("architecture", ["residual", "vgg13"])
def test_normalisation_is_folded_into_the_convolution_before_it(architecture):
    spec = NetworkSpec(
        architecture=architecture, width=0.25, image_size=32, normalisation="batch"
    )
    network = build_network(spec, 3, seed=1).eval()
    drawn = torch.Generator().manual_seed(1)
    layers = [layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    for layer in layers:
        for values in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
            values.data.uniform_(0.5, 1.5, generator=drawn)
    x = torch.rand(8, 1, 32, 32, generator=drawn)
    with torch.no_grad():
        expected, found = network(x), folded(network)(x)
        assert network(x).equal(expected)
    left = [type(layer) for layer in folded(network).modules()]
    assert layers
    assert torch.nn.BatchNorm2d not in left
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


class Gpu(Machine):
    """The CPU under a GPU's name."""

    @property
    def torch_device(self):
        return torch.device("cpu")


@pytest.mark.parametrize("precision", ["fp32", "tf32"])
def test_a_gpu_rounds_only_where_that_is_asked_for(monkeypatch, model, precision):
    def flags():
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    def watched(*arguments, **options):
        seen.append(flags())
        return logits(*arguments, **options)

    monkeypatch.setattr(inference, "logits", watched)
    predictor, seen, before = Predictor(model, "cpu"), [], flags()
    predictor.machine = Gpu("cuda", precision, 1)
    predictor.probabilities(FACES)
    assert seen == 2 * [2 * (precision == "tf32",)]
    assert flags() == before


def test_flipping_makes_mirror_images_equal(model):
    flipped = np.ascontiguousarray(FACES[:, :, ::-1])
    one = predict(model, FACES, "cpu", flip=True)
    two = predict(model, flipped, "cpu", flip=True)
    assert np.abs(one - two).max() < 1e-6
    assert np.abs(one - predict(model, FACES, "cpu")).max() > 1e-6


def test_no_faces_have_no_probabilities(model):
    assert predict(model, FACES[:0], "cpu").shape == (0, 3)


def test_what_is_not_faces_is_refused(model):
    with pytest.raises(ConfigurationError, match="uint8"):
        predict(model, FACES / 255)
    with pytest.raises(ConfigurationError, match=r"\(30, 32, 20\)"):
        predict(model, FACES[:, :, :20])


def test_the_model_is_left_as_it_was(model):
    before = [(p.device, p.stride()) for p in model.network.parameters()]
    predict(model, FACES, "cpu")
    assert before == [(p.device, p.stride()) for p in model.network.parameters()]
