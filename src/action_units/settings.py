"""Kedro's settings of the project; what they mean is in Kedro's documentation."""

import logging
import sys

from action_units.config_loader import ProjectConfigLoader, ProjectContext
from action_units.hooks import CheckRun, LimitThreads, LockFolders, LogProgress
from action_units.session import ProjectSession
from action_units.tracking import TrackWithMlflow

HOOKS = (
    LockFolders(),
    LimitThreads(),
    LogProgress(),
    CheckRun(),
    TrackWithMlflow(),
)
CONTEXT_CLASS = ProjectContext
SESSION_CLASS = ProjectSession
CONFIG_LOADER_CLASS = ProjectConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "base",  # the loader adds conf/local to every environment
    "merge_strategy": dict.fromkeys(("parameters", "catalog", "globals", "mlflow"), "soft"),
}

# The colours and columns of a terminal are noise in a file: there, plain lines.
if not sys.stdout.isatty():
    _plain = logging.StreamHandler(sys.stdout)
    _plain.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
    )
    logging.root.handlers = [_plain]
