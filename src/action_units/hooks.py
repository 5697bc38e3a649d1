"""Around a run: what is checked before it, its locks and threads, and its log."""

import logging
import os
from collections.abc import Collection, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines, settings
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from action_units import hints
from action_units.config import ChosenProtocols, Parameters
from action_units.datasets.folds import AbsentDataset
from action_units.errors import ArtifactError, ConfigurationError
from action_units.faces.join_sets import name_people
from action_units.files import share
from action_units.locks import RUN_LOCK, locked
from action_units.pipelines.folds import count_subjects, fold_of
from action_units.pipelines.parameters import check_stages
from action_units.pipelines.selection import SAMPLE, Selection
from action_units.pipelines.shape import Shape
from action_units.threads import BUSY, cores, limited, waiting
from action_units.training.launchers import check_launcher

if TYPE_CHECKING:
    import pandas as pd

    from action_units.datasets.raw import RawFolder

logger = logging.getLogger(__name__)

_SHARED = "preprocess"  # the tag of stages whose products runs of all names share
_PAGES = {
    "audit_report": "Web labels to look at",
    "report": "The report",
    "cross_report": "The report",
    "study_report": "The study",
}  # the run's own last
_STAGES = ("preprocess", "pretrain", "finetune", "evaluate")


class LogProgress:
    """Logs each stage and, at the end, the path of the report."""

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Count the stages, and warn where Kedro leaves some out without a look at them."""
        self._done, self._total = 0, len(pipeline.nodes)
        if run_params.get("only_missing_outputs"):
            logger.warning(
                "--only-missing-outputs takes what earlier runs have left as it is, whatever "
                "data and parameters it was made with; without this option only what is new or "
                "changed is cropped, packed and trained."
            )

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Log the stage."""
        self._done += 1
        hints.stage.set(_stage_of(node))
        logger.info("[%d/%d] %s", self._done, self._total, node.name)

    @hook_impl
    def after_pipeline_run(
        self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Log the path of the report."""
        for name, title in _PAGES.items():
            if name in pipeline.outputs():
                logger.info("%s: open %s", title, catalog[name].path.resolve())


class LimitThreads:
    """Applies ``threads`` to every stage, whatever library it computes with."""

    @hook_impl
    def before_pipeline_run(self, catalog: CatalogProtocol[Any, Any]) -> None:
        """Read the parameter, and warn where threads will wait for other programs."""
        self._threads = catalog.load("params:threads")
        if self._threads is None and cores() > 1 and (busy := waiting()) > BUSY:
            logger.warning(
                "Other programs keep the cores busy: in %.0f %% of the last ten seconds "
                "something waited for one. A training's threads wait for each other then; on "
                "a CPU, --params threads=1 may be many times as fast.",
                busy,
            )
        self._limits = ExitStack()

    @hook_impl
    def before_node_run(self) -> None:
        """Set the limit in the thread that runs the node."""
        self._limits.enter_context(limited(self._threads))

    @hook_impl
    def after_node_run(self) -> None:
        """Restore the previous settings."""
        self._limits.close()

    on_node_error = after_node_run


class LockFolders:
    """Locks each folder that a run writes into, and keeps its files private to their owner.

    Runs of different names share what preprocessing makes. While another run is at a stage of
    preprocessing, a run with further stages waits, and a run of preprocessing alone is refused.
    """

    def __init__(self) -> None:
        self._run = ExitStack()
        self._stages: dict[str, ExitStack] = {}
        self._catalog: CatalogProtocol[Any, Any] | None = None

    @hook_impl(trylast=True)  # after the checks
    def after_context_created(self, context: KedroContext) -> None:
        """Read who else may use new files."""
        share(context.params["share_files"])

    @hook_impl(trylast=True)
    def before_pipeline_run(
        self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Lock the folders that only this run writes into, after all checks.

        Raises:
            ArtifactError: Another run uses one.
        """
        self.after_pipeline_run()  # an interrupted run of this process may hold folders
        own = [node for node in pipeline.nodes if _SHARED not in node.tags]
        if own and len(own) < len(pipeline.nodes):
            self._catalog = catalog
        for folder in _folders_of(own or pipeline.nodes, catalog):
            self._run.enter_context(locked(folder, name=RUN_LOCK))

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Lock the folders of a stage of preprocessing; wait until no other run has them."""
        if self._catalog is None or _SHARED not in node.tags or node.name in self._stages:
            return
        stage = self._stages[node.name] = ExitStack()
        for folder in _folders_of([node], self._catalog):
            stage.enter_context(locked(folder, name=RUN_LOCK, wait=True))

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Unlock the folders of a stage of preprocessing."""
        if dataset_name == node.outputs[-1] and node.name in self._stages:
            self._stages.pop(node.name).close()

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Unlock all folders."""
        for stack in (*self._stages.values(), self._run):
            stack.close()
        self._stages, self._catalog = {}, None

    on_pipeline_error = after_pipeline_run


def _folders_of(nodes: Iterable[Node], catalog: CatalogProtocol[Any, Any]) -> list[Path]:
    """The local folders of nodes' outputs, in order."""
    folders = set()
    rendered = {name for node in nodes if SAMPLE in node.tags for name in node.outputs}
    for name in {name for node in nodes for name in node.outputs} - rendered:
        path = getattr(catalog.get(name), "path", None)
        if isinstance(path, Path):
            folders.add(path.parent if path.suffix else path)
    return sorted(folders)


class CheckRun:
    """Checks a run before its first stage begins."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check the launcher; raises ConfigurationError."""
        hints.current = _run_of(context)
        check_launcher(os.environ)

    @hook_impl
    def before_pipeline_run(
        self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Check what the stages need; optional inputs that this run does not use become None.

        Raises:
            ActionUnitsError: An input is missing; a parameter is impossible; raw data of a
                coded set are incomplete, damaged or do not fit the folds; or the session does
                not choose nodes by parameters.
        """
        parameters = Parameters.from_params(catalog.load("parameters"))
        selection = Selection.of(parameters)
        for node in pipeline.nodes:
            if reason := selection.reason(node):
                raise ConfigurationError(
                    f"{reason} leaves out the node {node.name}, but this session runs all "
                    "nodes; use action_units.session.ProjectSession in place of KedroSession."
                )
        folds = {fold for node in pipeline.nodes if (fold := fold_of(node.tags))}

        def n_subjects(name: str) -> int:
            return count_subjects(catalog, name) if folds else parameters.fold or 1

        shape = Shape.of(parameters, n_subjects)
        of_shape = {node for name in pipelines for node in pipelines[shape.name(name)].nodes}
        for node in pipeline.nodes:
            if node not in of_shape:
                raise ConfigurationError(
                    f"the node {node.name} is not of the sets and folds of this run; use "
                    "action_units.session.ProjectSession in place of KedroSession."
                )
        everything = pipelines[shape.name("__default__")] + pipelines[shape.name("rehearse")]
        absent = selection.absent(pipeline.inputs(), everything)
        catalog_log = logging.getLogger("kedro.io.data_catalog")
        catalog_log.disabled = True  # it warns that a dataset is replaced
        for name in absent:
            catalog[name] = AbsentDataset()
        catalog_log.disabled = False
        tags = {tag for node in pipeline.nodes for tag in node.tags}
        if "cross" in tags:
            _check_cross(parameters, catalog)
        if "subject_groups" in pipeline.inputs():
            catalog.load("subject_groups")  # a fault in a file is found now, not hours later
        _check_inputs(pipeline, catalog, parameters, shape)
        check_stages(parameters, tags)
        subjects: dict[str, list[str]] = {}
        for name, coded in parameters.coded_sets.items():
            own = f"{name}.read_labels"
            if any(node.name.endswith(f".{own}") for node in pipeline.nodes) and (
                coded.media is not None or catalog.exists(f"{name}.raw")
            ):
                subjects[name] = check_recordings(
                    parameters,
                    name,
                    catalog.load(f"{name}.raw"),
                    catalog.load("withdrawn"),
                    folds if "finetune" in tags else (),
                )
        chosen = [name for name in parameters.chosen_coded if name in subjects]
        name_people({name: subjects[name] for name in chosen}, catalog.load("params:people"))


def _check_cross(parameters: Parameters, catalog: CatalogProtocol[Any, Any]) -> None:
    from action_units.pipelines.cross.nodes import check_cross

    if parameters.fold is not None:
        raise ConfigurationError(
            f"fold={parameters.fold} was given, but cross tests the networks of all folds; "
            "leave fold out."
        )
    models = catalog["run_models"].path
    check_cross(parameters.on, parameters.coded, parameters.coded_sets, models)


def check_recordings(
    parameters: Parameters,
    name: str,
    raw: "RawFolder",
    withdrawn: "pd.DataFrame",
    folds: Collection[int],
) -> list[str]:
    """Check a set's recordings, labels, exclusions and the folds.

    Returns:
        Its subjects, each once.

    Raises:
        ActionUnitsError: Something is missing or wrong.
    """
    import numpy as np

    from action_units.labels.action_units import au_columns
    from action_units.labels.folds import check_folds, check_known
    from action_units.pipelines.preprocessing.nodes import read_coded_labels

    preprocess = parameters.preprocess
    settings = parameters.coded_sets[name]
    plan = read_coded_labels(name, raw, withdrawn, settings, preprocess)
    if folds and name in parameters.chosen_coded:
        subjects = plan.frames["subject"].to_numpy(np.str_)
        labels = plan.frames[au_columns(plan.aus)].to_numpy(np.int8)
        protocols = parameters.fold_protocols
        own = ChosenProtocols(sets={name: protocols.sets[name]}).resolve(subjects, labels)
        if len(protocols.sets) == 1:
            n_validation = parameters.finetune.validation_subjects
            check_folds(own, folds, subjects, n_validation)
        else:  # other sets have people to train and validate with
            check_known(own, sorted(set(subjects.tolist())))
    plan.check(preprocess.max_megapixels)
    return sorted(set(plan.frames["subject"].tolist()))


def _check_inputs(
    pipeline: Pipeline,
    catalog: CatalogProtocol[Any, Any],
    parameters: Parameters,
    shape: Shape,
) -> None:
    """Refuse missing inputs, with the commands that make them, in their order."""
    elsewhere = {
        *(f"{name}.raw" for name, one in parameters.coded_sets.items() if one.media),
        *(f"{name}.raw" for name, one in parameters.chosen_web.items() if one.photographs),
    }
    missing = [
        name
        for name in sorted(pipeline.inputs() - elsewhere)
        if not name.startswith("params:") and name != "parameters" and not catalog.exists(name)
    ]
    if not missing:
        return
    selection = Selection.of(parameters)
    makers = {
        name: stage
        for stage in reversed(_STAGES)
        for node in selection.nodes(pipelines[shape.name(stage)])
        for name in node.outputs
    }
    order = [None, *_STAGES]
    paths: dict[str, set[str]] = {}
    for name in sorted(missing, key=lambda name: (order.index(makers.get(name)), name)):
        place = catalog.get(name)
        some = getattr(place, "missing", None) or [getattr(place, "path", name)]
        advice = _advice(name, makers.get(name), parameters)
        paths.setdefault(advice, set()).update(map(str, some))
    raise ArtifactError(
        " ".join(
            f"Not there yet: {_listed(sorted(of_one))}; {advice}."
            for advice, of_one in paths.items()
        )
    )


def _listed(paths: list[str]) -> str:
    """Up to four paths; of more, three and how many are left."""
    return " and ".join(paths if len(paths) <= 4 else [*paths[:3], f"{len(paths) - 3} more"])


def _advice(name: str, stage: str | None, parameters: Parameters) -> str:
    """How to get a dataset, which a stage makes or a person provides."""
    if stage is not None:
        return f"{hints.command(stage)} makes that"
    advice = "put the data there (README, section “Your own data”)"
    if name.partition(".")[0] in parameters.chosen_web:
        alone = hints.command(pretraining=False)
        advice += f", or do without by {alone}, on {parameters.coded} alone"
    return advice


def _stage_of(node: Node) -> dict[str, Any]:
    """A node's pipeline and, where it has one, fold."""
    stage: dict[str, Any] = {}
    for tag in node.tags & set(_STAGES):
        stage["pipeline"] = tag
    if fold := fold_of(node.tags):
        stage["fold"] = fold
    return stage


def _run_of(context: KedroContext) -> hints.Run:
    """The options of the run, for the commands in messages."""
    loader, own = context.config_loader, context.project_path / settings.CONF_SOURCE
    elsewhere = str(loader.conf_source) != str(own)
    return hints.Run(
        context.project_path,
        context.env,
        str(loader.conf_source) if elsewhere else None,
        loader.runtime_params,
    )
