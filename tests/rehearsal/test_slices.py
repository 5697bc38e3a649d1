"""What stands for a whole set has its people and its number of faces."""

import numpy as np
import pandas as pd

from action_units.faces.store import FaceStore
from action_units.rehearsal.slices import evenly, tiled, training_slice


def faces(n):
    table = pd.DataFrame({"image": [f"{i}.jpg" for i in range(n)], "subject": "SN001"})
    table = table.assign(AU01=np.arange(n) % 2)
    pixels = np.arange(n, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 8), np.uint8)
    return FaceStore(pixels, table, (1,))


def test_places_are_evenly_spaced():
    assert evenly(3, 9) == [0, 4, 8]
    assert evenly(20, 4) == [0, 1, 2, 3]


def test_a_table_is_repeated_with_other_people():
    table = tiled(faces(4).table, 10)
    assert len(table) == 10
    assert table["image"].is_unique
    assert sorted(set(table["subject"])) == ["SN001", "SN001~1", "SN001~2"]


def test_a_short_training_has_as_many_faces_as_its_batches_need():
    store, split = training_slice(faces(5), 64, 10)
    assert len(store) == 74
    assert np.isin(store.subjects, split["train"]).sum() == 64
    assert np.isin(store.subjects, split["validation"]).sum() == 10
    assert (store.table["split"] == "test").sum() == 10
    assert not set(split["train"]) & set(split["validation"])
    pixels = store.faces[:, 0, 0].tolist()
    assert sorted(pixels[:5]) == [0, 1, 2, 3, 4]
    assert pixels[:5] != [0, 1, 2, 3, 4]  # shuffled, as sets follow each other
    assert pixels[5:] == (14 * pixels[:5])[:69]  # and repeated
