"""Pipelines of any sets and number of folds, by name."""

import pytest

from action_units.config import Parameters
from action_units.pipeline_registry import register_pipelines
from action_units.pipelines.shape import DEFAULT, Shape
from tests.test_config import configured

JOINT = Shape(coded="disfa+studio", web="a+web", folds=5)


@pytest.mark.parametrize("shape", [DEFAULT, JOINT, Shape(coded="my.study_2"), Shape(folds=27)])
def test_a_name_has_the_shape(shape):
    assert Shape.parse(shape.name("finetune")) == ("finetune", shape)


def test_the_default_shape_has_plain_names():
    assert DEFAULT.name("finetune") == "finetune"
    assert Shape.of(Parameters.read(configured()), lambda name: 1) == DEFAULT


def test_pipelines_of_a_shape_are_built_when_they_are_asked_for():
    registered = register_pipelines()
    plain = list(registered)
    joint = registered[JOINT.name("__default__")]
    assert list(registered) == plain
    namespaces = {node.namespace for node in joint.nodes}
    assert namespaces >= {f"preprocess.{name}" for name in ("disfa", "studio", "a", "web")}
    assert namespaces >= {f"fold{fold}" for fold in range(1, 6)}
    assert {"disfa.raw", "studio.raw", "a.raw"} <= joint.inputs() | joint.all_outputs()
    evaluate = registered[Shape(folds=1).name("evaluate")]
    assert {node.namespace for node in evaluate.nodes} == {None, "fold1", "report"}


@pytest.mark.parametrize(
    "name", ["fine", "fine[folds=5]", "finetune[]", "finetune[sets=a]", "finetune[folds=x]"]
)
def test_there_is_no_pipeline_of_another_name(name):
    assert name not in register_pipelines()
    with pytest.raises(KeyError):
        register_pipelines()[name]


def test_all_labels_are_read_before_anything_is_cropped():
    """Whatever the sets are called, as nodes of one level go by their names."""
    nodes = register_pipelines()["preprocess[coded=a+z,web=b+y]"].nodes
    names = [node.short_name for node in nodes]
    last = max(place for place, name in enumerate(names) if name == "read_labels")
    assert last < min(place for place, name in enumerate(names) if name.startswith("crop_"))
