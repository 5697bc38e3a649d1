"""Kedro's settings of the project; what they mean is in Kedro's documentation."""

import logging
import sys

from kedro.config import OmegaConfigLoader

from action_units.hooks import BuildTheLanes, CheckParameters, NameMissingInputs, TellStages
from action_units.tracking import TrackWithMlflow

HOOKS = (
    BuildTheLanes(),
    CheckParameters(),
    NameMissingInputs(),
    TellStages(),
    TrackWithMlflow(),
)
CONFIG_LOADER_CLASS = OmegaConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # The catalog renders the sample, and a catalog reads globals only: so the sample's
    # parameters are read as both.
    "merge_strategy": {"parameters": "soft", "catalog": "soft", "globals": "soft"},
    "config_patterns": {"globals": ["globals*", "parameters_sample*"]},
}

# The colours and columns of a terminal are noise in a file: there, plain lines.
if not sys.stdout.isatty():
    _plain = logging.StreamHandler(sys.stdout)
    _plain.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
    )
    logging.root.handlers = [_plain]
