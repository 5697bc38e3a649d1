"""Which part of the pipelines a run's parameters ask for.

The pipelines hold everything for their sets: the sample, all folds, cropping, pre-training, and
the comparison without pre-training. ``fold``, ``sample.render``, ``start_from`` of a set,
``pretraining`` and ``finetune.also_from_scratch`` leave parts out, by the tags of nodes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from action_units.config import Parameters
from action_units.pipelines.folds import fold_of

SAMPLE = "sample"
"""Tag of nodes that render the sample."""

PRETRAINING = "pretraining"
"""Tag of nodes that only pre-training needs: it, and all that is done with the web set."""

FROM_SCRATCH = "from_scratch"
"""Tag of nodes that train or evaluate the network that is compared with the pre-trained one."""

_GIVEN = (".raw", ".web_crops", ".coded_crops")
"""Ends of the names of datasets that a user may supply instead of the nodes that make them."""


def cropping_tag(name: str) -> str:
    """Tag of nodes that make a set's crops of raw data."""
    return f"crop-{name}"


def given_tag(name: str) -> str:
    """Tag of nodes that read a set's crops as a person has given them."""
    return f"given-{name}"


def rendering_tag(name: str) -> str:
    """Tag of the node that renders a set."""
    return f"render-{name}"


@dataclass(frozen=True)
class Selection:
    """What a run does of the registered pipelines.

    Attributes:
        fold: The only fold that is trained and evaluated; None for all.
        reasons: By the tag of nodes that are left out, the parameter that causes it.
    """

    fold: int | None
    reasons: Mapping[str, str]

    @classmethod
    def of(cls, parameters: Parameters) -> Self:
        """What a run with these parameters does."""
        reasons = {}
        if not parameters.sample.render:
            reasons[SAMPLE] = "sample.render=false"
        for name, coded in parameters.coded_sets.items():
            if coded.media is not None:
                reasons[rendering_tag(name)] = f"coded_sets.{name}.media"
            tag = cropping_tag(name) if coded.start_from == "crops" else given_tag(name)
            reasons[tag] = f"coded_sets.{name}.start_from={coded.start_from}"
        for name, web in parameters.chosen_web.items():
            if web.photographs is not None:
                reasons[rendering_tag(name)] = f"web_sets.{name}.photographs"
            tag = cropping_tag(name) if web.start_from == "crops" else given_tag(name)
            reasons[tag] = f"web_sets.{name}.start_from={web.start_from}"
        if not parameters.finetune.also_from_scratch:
            reasons[FROM_SCRATCH] = "finetune.also_from_scratch=false"
        if not parameters.pretraining:
            reasons[PRETRAINING] = reasons[FROM_SCRATCH] = "pretraining=false"
        return cls(parameters.fold, reasons)

    def reason(self, node: Node) -> str | None:
        """The parameter that leaves a node out, None where it is done."""
        if self.fold is not None and fold_of(node.tags) not in (None, self.fold):
            return f"fold={self.fold}"
        return next((self.reasons[tag] for tag in node.tags if tag in self.reasons), None)

    def nodes(self, pipeline: Pipeline) -> list[Node]:
        """The nodes that are done, in order."""
        return [node for node in pipeline.nodes if self.reason(node) is None]

    def absent(self, inputs: Iterable[str], everything: Pipeline) -> set[str]:
        """Those of a pipeline's free inputs that this run does without.

        They are made by nodes that are left out, so nothing that an earlier run has left
        under their names counts. Raw data and crops count, whoever made them.

        Args:
            inputs: Names of datasets.
            everything: The pipeline of all stages.
        """
        made = {name for node in everything.nodes if self.reason(node) for name in node.outputs}
        return {name for name in made & set(inputs) if not name.endswith(_GIVEN)}
