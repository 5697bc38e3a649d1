"""Nodes that render the sample into the folders of raw data."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from action_units.config import DisfaSampleConfig, StudioSampleConfig, WebSampleConfig
from action_units.sample.disfa import (
    write_disfa_annotations,
    write_disfa_groups,
    write_disfa_sample,
)
from action_units.sample.layout import holds_other_data
from action_units.sample.studio import write_studio_groups, write_studio_sample
from action_units.sample.web import write_web_sample

logger = logging.getLogger(__name__)


def render_photographs(config: WebSampleConfig, folder: Path, colour: bool) -> Path:
    """Render web photographs with OpenFace's annotations; returns their folder."""
    return _render(write_web_sample, config, folder, colour)


def render_recordings(
    config: DisfaSampleConfig, folder: Path, colour: bool, web: WebSampleConfig
) -> Path:
    """Render videos and label files in DISFA's layout, and annotate the videos as `web` has it.

    Also writes which groups the subjects belong to.

    Returns:
        Their folder.
    """
    _render(write_disfa_sample, config, folder, colour)
    if not holds_other_data(folder):
        write_disfa_annotations(folder / "openface", config, web)
        write_disfa_groups(folder, config)
    return folder


def render_frames(config: StudioSampleConfig, folder: Path, colour: bool) -> Path:
    """Render folders of frames and a table of codes, and write who their people are.

    Returns:
        Their folder.
    """
    _render(write_studio_sample, config, folder, colour)
    if not holds_other_data(folder):
        write_studio_groups(folder, config)
    return folder


def _render(write: Callable[..., bool], config: Any, folder: Path, colour: bool) -> Path:
    """Render once; a folder with a person's own data is left as it is."""
    if holds_other_data(folder):
        logger.info("%s has data of your own, so nothing is rendered into it", folder)
    elif write(folder, config, colour=colour):
        logger.info("Rendered the sample into %s", folder)
    return folder
