"""The stages of training on face stores: what a fine-tuned network keeps of its pre-training."""

from action_units.models.registry import build_network
from action_units.models.trained import TrainedModel
from action_units.stages import finetune
from tests.study.small import TRAINING, study_data

DATA = study_data()


def test_whose_weights_and_labels_a_network_started_from_stays_with_it(tmp_path):
    origin = {
        "annotators": ["Py-Feat"],
        "backbone_weights": {"file": "tiny.safetensors", "sha256": "ab" * 32},
    }
    network = build_network(TRAINING.recipe.network, 3, seed=3).eval()
    start = TrainedModel(network, TRAINING.recipe.network, (1, 4, 12), origin)
    tuned = finetune(DATA.coded, DATA.splits[1], start, tmp_path, TRAINING)[0]
    assert {name: tuned.provenance.get(name) for name in origin} == origin
