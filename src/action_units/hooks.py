"""Around a run: its lanes before it, what it misses, what it does, what it made."""

import logging
import os
import re
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines, settings
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from action_units import hints
from action_units.errors import ArtifactError
from action_units.files import share
from action_units.locks import RUN_LOCK, locked
from action_units.pipelines import lanes
from action_units.pipelines.parameters import read_parameters, refuse_impossible
from action_units.threads import limited
from action_units.training.distributed.launchers import refuse_launcher

logger = logging.getLogger(__name__)

_SHARED = "preprocess"  # the tag of stages whose products runs of all names share
_STAGES = ("preprocess", "pretrain", "finetune", "evaluate")


class BuildTheLanes:
    """Builds the pipelines for this run's parameters.

    Kedro's pipelines are fixed before the parameters are known; which folds are
    trained, and whether faces are detected at all, are parameters here. So the
    choice is read as soon as there is a context, and the pipelines are built anew
    where it differs from the last one.
    """

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check launcher and all parameters; read what shapes the pipelines."""
        hints.current = _run_of(context)
        refuse_launcher(os.environ)
        loader = context.config_loader
        given = loader.runtime_params or {}
        if lanes.choose(read_parameters(loader["parameters"], loader["globals"], given)):
            pipelines.configure("action_units.pipeline_registry")


class TellStages:
    """Says which stage runs, in a short line, and at the end which page to open."""

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Count the stages, anew for each run of a notebook's session."""
        self._done, self._total = 0, len(pipeline.nodes)

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Name the stage."""
        self._done += 1
        hints.stage.set(_stage_of(node))
        logger.info("[%d/%d] %s", self._done, self._total, node.name)

    @hook_impl
    def after_pipeline_run(
        self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Name the page."""
        if "report" in pipeline.outputs():
            logger.info("The report: open %s", catalog["report"].path.resolve())


class LimitThreads:
    """Has ``threads`` hold in every stage, whatever it computes with."""

    @hook_impl
    def before_pipeline_run(self, catalog: CatalogProtocol[Any, Any]) -> None:
        """Read the parameter."""
        self._threads = catalog.load("params:threads")
        self._limits = ExitStack()

    @hook_impl
    def before_node_run(self) -> None:
        """Set the limit in the thread that runs the node."""
        self._limits.enter_context(limited(self._threads))

    @hook_impl
    def after_node_run(self) -> None:
        """Restore what was set before."""
        self._limits.close()

    @hook_impl
    def on_node_error(self) -> None:
        """Restore what was set before."""
        self._limits.close()


class CheckParameters:
    """Refuses a run whose later stages could not be done, before the first begins."""

    @hook_impl
    def before_pipeline_run(
        self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Look at the parameters of every stage that the run goes through.

        Raises:
            ConfigurationError: One is impossible.
        """
        stages = {tag for node in pipeline.nodes for tag in node.tags}
        refuse_impossible(catalog.load("parameters"), stages)


class KeepFolders:
    """Keeps each folder that a run writes into to that run, and its files to their owner.

    Runs of different names share what preprocessing makes. A run that goes on to further
    stages therefore waits for a stage of preprocessing that another run is at, where a run
    of preprocessing alone is refused.
    """

    def __init__(self) -> None:
        self._run = ExitStack()
        self._stages: dict[str, ExitStack] = {}
        self._catalog: CatalogProtocol[Any, Any] | None = None

    @hook_impl(trylast=True)  # when all parameters have been found right
    def after_context_created(self, context: KedroContext) -> None:
        """Read who else may use new files."""
        share(context.config_loader["parameters"]["share_files"])

    @hook_impl(trylast=True)
    def before_pipeline_run(
        self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Lock the folders of this run alone, once nothing else refuses it.

        Raises:
            ArtifactError: Another run is at work in one.
        """
        self._release()  # what a notebook's interrupted run has kept
        own = [node for node in pipeline.nodes if _SHARED not in node.tags]
        if own and len(own) < len(pipeline.nodes):
            self._catalog = catalog
        for folder in _folders_of(own or pipeline.nodes, catalog):
            self._run.enter_context(locked(folder, name=RUN_LOCK))

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Lock the folders of a stage of preprocessing, when another run has left them."""
        if self._catalog is None or _SHARED not in node.tags or node.name in self._stages:
            return
        stage = self._stages[node.name] = ExitStack()
        for folder in _folders_of([node], self._catalog):
            stage.enter_context(locked(folder, name=RUN_LOCK, wait=True))

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Leave the folders of a stage of preprocessing."""
        if dataset_name == node.outputs[-1] and node.name in self._stages:
            self._stages.pop(node.name).close()

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Leave all folders."""
        self._release()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Leave all folders."""
        self._release()

    def _release(self) -> None:
        for stack in (*self._stages.values(), self._run):
            stack.close()
        self._stages, self._catalog = {}, None


def _folders_of(nodes: Iterable[Node], catalog: CatalogProtocol[Any, Any]) -> list[Path]:
    """The folders on this computer that nodes' outputs lie in, in order."""
    folders = set()
    for name in {name for node in nodes for name in node.outputs}:
        path = getattr(catalog.get(name), "path", None)
        if isinstance(path, Path):
            folders.add(path.parent if path.suffix else path)
    return sorted(folders)


class CheckRecordings:
    """Refuses raw data of DISFA that cannot be worked on, before hours of other work."""

    @hook_impl
    def before_pipeline_run(
        self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Match recordings, labels, exclusions and folds.

        Raises:
            ActionUnitsError: Something is missing, damaged or does not fit.
        """
        names = {node.name for node in pipeline.nodes}
        if "crop_recordings" not in names or not catalog.exists("disfa_recordings"):
            return
        from action_units.labels.folds import check_folds
        from action_units.pipelines.preprocessing.nodes import disfa_plan

        parameters = catalog.load("parameters")
        recordings, withdrawn = catalog.load("disfa_recordings"), catalog.load("withdrawn")
        plan = disfa_plan(recordings, parameters["preprocess"], withdrawn)
        if any("finetune" in node.tags for node in pipeline.nodes):
            check_folds(
                parameters["protocol"],
                lanes.current.folds,
                plan.labels["subject"],
                parameters["finetune"]["validation_subjects"],
            )
        plan.check(parameters["preprocess"]["max_megapixels"])


class NameMissingInputs:
    """Refuses a run whose inputs are not there yet, naming the command that makes them."""

    @hook_impl
    def before_pipeline_run(
        self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Look at every free input before the first node runs.

        Raises:
            ArtifactError: One is missing.
        """
        missing = [
            name
            for name in sorted(pipeline.inputs())
            if not name.startswith("params:")
            and name != "parameters"
            and not catalog.exists(name)
        ]
        if not missing:
            return
        commands: dict[str, list[str]] = {}
        for name in sorted(missing, key=_rank):
            place = str(getattr(catalog.get(name), "path", name))
            commands.setdefault(_command(name), []).append(place)
        sentences = [
            f"Not there yet: {_listed(sorted(set(places)))}; {command}."
            for command, places in commands.items()
        ]
        raise ArtifactError(" ".join(sentences))


def _listed(places: list[str]) -> str:
    """The first of some places, and how many more there are."""
    more = [f"{len(places) - 3} more"] if len(places) > 4 else []
    return " and ".join([*places[:3], *more] if more else places)


def _command(name: str) -> str:
    """What makes a dataset, and how."""
    stage = _maker(name)
    if stage is None:
        place = "put the data there (README, section “Your own data”)"
        if name in ("web_photographs", "web_crops"):
            place += f", or do without by {hints.command(pretraining=False)}, on DISFA alone"
        return place
    return f"{hints.command(stage)} makes that"


def _maker(name: str) -> str | None:
    """The stage that makes a dataset."""
    made = (s for s in _STAGES if s in pipelines and name in pipelines[s].all_outputs())
    return next(made, None)


def _rank(name: str) -> tuple[int, str]:
    """The order in which what is missing is made."""
    maker = _maker(name)
    return (_STAGES.index(maker) if maker else -1, name)


def _stage_of(node: Node) -> dict[str, Any]:
    """A node's pipeline and, where it has one, fold."""
    told: dict[str, Any] = {}
    for tag in node.tags:
        if tag in _STAGES:
            told["pipeline"] = tag
        elif fold := re.fullmatch(r"fold(\d)", tag):
            told["fold"] = int(fold[1])
    return told


def _run_of(context: KedroContext) -> hints.Run:
    """What the run was told."""
    loader, own = context.config_loader, context.project_path / settings.CONF_SOURCE
    elsewhere = str(loader.conf_source) != str(own)
    return hints.Run(
        context.project_path,
        context.env,
        str(loader.conf_source) if elsewhere else None,
        loader.runtime_params,
    )
