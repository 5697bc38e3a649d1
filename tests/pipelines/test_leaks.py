"""A leak between the sides of a fold stops the run before anything is trained."""

import numpy as np
import pandas as pd
import pytest

from action_units.config import FinetuneSettings, Parameters
from action_units.errors import ConfigurationError
from action_units.faces.store import FaceStore
from action_units.labels.folds import DISFA_SUBJECTS
from action_units.pipelines.finetuning.nodes import split_subjects
from tests.test_config import configured


def store(copy_from=None, copy_to=None):
    """A face of each subject of DISFA; one may be the same file as another's."""
    subjects = list(DISFA_SUBJECTS)
    faces = np.random.default_rng(0).integers(0, 255, (len(subjects), 16, 16)).astype(np.uint8)
    hashes = [f"{k:064x}" for k in range(len(subjects))]
    if copy_from:
        source, target = subjects.index(copy_from), subjects.index(copy_to)
        hashes[target], faces[target] = hashes[source], faces[source]
    images = [f"RightVideo{s}_00000000.jpg" for s in subjects]
    table = pd.DataFrame({"image": images, "subject": subjects, "sha256": hashes, "AU12": 0})
    return FaceStore(faces, table, (12,))


def split(faces):
    return split_subjects(
        faces,
        Parameters.read(configured()).fold_protocols,
        FinetuneSettings(validation_subjects=3, also_from_scratch=True),
        20,
        fold=1,
    )


def test_a_picture_under_two_names_across_the_fold_is_refused():
    with pytest.raises(ConfigurationError, match=r"SN002.* is the same picture as .*SN001"):
        split(store("SN001", "SN002"))


def test_the_same_picture_on_one_side_and_a_clean_store_are_taken():
    assert set(split(store())["test"]) == set(split(store("SN001", "SN003"))["test"])
