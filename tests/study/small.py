"""A web set and a coded set of faces with bright spots, and a study of them that takes seconds."""

from hashlib import sha256

import numpy as np
import pandas as pd

from action_units.config import (
    MachineConfig,
    NetworkSpec,
    Recipe,
    RecipeConfig,
    StudySettings,
    TrainingConfig,
)
from action_units.faces.store import FaceStore
from action_units.labels.action_units import au_columns
from action_units.study.plan import WebPeople, make_plan
from action_units.study.run import StudyData, plan_trainings
from tests.training.blobs import AUS, blobs

RECIPE = Recipe(epochs=2, batch_size=8)
TRAINING = TrainingConfig(
    name="small",
    recipe=RecipeConfig(
        network=NetworkSpec(width=0.125, image_size=32),
        pretrain=RECIPE,
        finetune=RECIPE,
        from_scratch=RECIPE,
        flip_average=False,
    ),
    seed=7,
    restart=False,
    machine=MachineConfig(device="cpu", precision="fp32", threads=1),
)


def store(subjects, seed, **columns):
    """A face store with so many faces of each subject."""
    names = np.array([name for name, n in subjects.items() for _ in range(n)])
    faces, labels = blobs(n=len(names), seed=seed)
    table = pd.DataFrame(labels, columns=au_columns(AUS)).assign(
        image=[f"{name}_{row}.jpg" for row, name in enumerate(names)],
        subject=names,
        sha256=[sha256(face.tobytes()).hexdigest() for face in faces],
        **{name: [of(subject) for subject in names] for name, of in columns.items()},
    )
    return FaceStore(faces, table, AUS)


def study_data():
    """24 web people, 4 of them held out, and 8 coded subjects in two folds."""
    web = store(
        {f"p{k}": 1 + k % 3 for k in range(24)},
        1,
        split=lambda name: "test" if name in ("p0", "p1", "p2", "p3") else "train",
        gender=lambda name: int(name[1:]) % 2,
    )
    coded = store({f"S{k}": 16 for k in range(8)}, 2, origin=lambda _: "rendered")
    names = [f"S{k}" for k in range(8)]
    splits = {
        fold: {
            "protocol": "halves",
            "fold": fold,
            "n_folds": 2,
            "train": [name for name in names if name not in test][:3],
            "validation": [name for name in names if name not in test][3:],
            "test": test,
            "data_sha256": "0",
        }
        for fold, test in ((1, names[:4]), (2, names[4:]))
    }
    return StudyData(web, coded, WebPeople.of(web.table, None, True), splits)


def small_settings(**changed):
    """Two sizes an axis and two seeds."""
    plain = {
        "axes": ["photographs", "people", "per_person", "subjects"],
        "factor": 3,
        "smallest_photographs": 8,
        "smallest_subjects": 1,
        "per_person": None,
        "seeds": 2,
        "folds": None,
        "pretrain_steps": None,
        "finetune_steps": None,
        "workers": None,
    }
    return StudySettings.read(plain | changed, "study")


def small_study(data=None, training=TRAINING, **changed):
    """Data, pre-trainings and cells of the study."""
    data = data or study_data()
    chosen = small_settings(**changed)
    plan = make_plan(chosen, data.people, [3, 3])
    return (data, *plan_trainings(plan, data, chosen, training))
