"""What the page gets of each frame."""

import numpy as np

from action_units.live.streaming import frames_to_json
from action_units.prediction.outputs import Key, Rows

KEYS = [Key("", 1, 0.0, face, 0.9, 1, 1.0, 2.0, 3.0, 4.0) for face in (0, 1)]
P = np.array([[0.25, 0.5], [np.nan, np.nan]], np.float32)


def test_intensities_come_with_the_faces_where_the_model_has_them():
    values = np.array([[1.23456, np.nan], [np.nan, np.nan]], np.float32)
    rows = Rows(KEYS, P, P > 0.3, 1, values)
    one, unusable = frames_to_json(rows)[0]["faces"]
    assert one["intensity"] == [1.235, None]
    assert unusable["intensity"] is None
    assert frames_to_json(Rows(KEYS, P, P > 0.3, 1))[0]["faces"][0]["intensity"] is None
