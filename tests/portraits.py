"""Rendered portraits, for what has to find a face."""

import numpy as np

from action_units.sample.identity import draw_identity
from action_units.sample.render import render_face
from action_units.sample.view import draw_view


def portrait(seed, shape=(192, 192)):
    """A face with a neutral expression, gray ``shape``."""
    view = draw_view(np.random.default_rng([seed, 2]), shape, occlusion=0.0)
    who = draw_identity(np.random.default_rng([seed, 1]))
    return render_face(who, np.zeros(18), view, shape)
