"""Which part of the pipelines a run's parameters ask for.

The registered pipelines hold everything: the sample, all folds, cropping, pre-training, and the
comparison without pre-training. ``fold``, ``sample.render``, ``preprocess.start_from``,
``pretraining`` and ``finetune.also_from_scratch`` leave parts out, by the tags of nodes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from action_units.config import Parameters
from action_units.labels.folds import fold_protocol
from action_units.pipelines.folds import FOLDS, fold_tag

SAMPLE = "sample"
"""Tag of nodes that render the sample."""

CROPPING = "cropping"
"""Tag of nodes that make crops of raw data."""

PRETRAINING = "pretraining"
"""Tag of nodes that only pre-training needs: it, and all that is done with the web set."""

FROM_SCRATCH = "from_scratch"
"""Tag of nodes that train or evaluate the network that is compared with the pre-trained one."""

_GIVEN = {"web_photographs", "disfa_recordings", "web_crops", "disfa_crops"}
"""Datasets that a user may supply instead of the nodes that make them."""


@dataclass(frozen=True)
class Selection:
    """What a run does of the registered pipelines.

    Attributes:
        folds: The folds that are trained and evaluated.
        reasons: By the tag of nodes that are left out, the parameter that causes it.
    """

    folds: tuple[int, ...]
    reasons: Mapping[str, str]

    @classmethod
    def of(cls, parameters: Parameters) -> Self:
        """What a run with these parameters does."""
        fold, protocol = parameters.fold, fold_protocol(parameters.protocol)
        folds = protocol.folds if fold is None else (fold,)
        reason = f"protocol={protocol.name}" if fold is None else f"fold={fold}"
        reasons = {fold_tag(other): reason for other in FOLDS if other not in folds}
        if not parameters.sample.render:
            reasons[SAMPLE] = "sample.render=false"
        if parameters.preprocess.start_from == "crops":
            reasons[CROPPING] = "preprocess.start_from=crops"
        if not parameters.finetune.also_from_scratch:
            reasons[FROM_SCRATCH] = "finetune.also_from_scratch=false"
        if not parameters.pretraining:
            reasons[PRETRAINING] = reasons[FROM_SCRATCH] = "pretraining=false"
        return cls(folds, reasons)

    def reason(self, node: Node) -> str | None:
        """The parameter that leaves a node out, None where it is done."""
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
        return (made - _GIVEN) & set(inputs)
