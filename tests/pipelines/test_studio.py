"""The sample's other coded set, alone and together with the rendered DISFA, as typed."""

import json

import pandas as pd

from action_units.labels.action_units import DISFA_AUS, au_columns
from action_units.labels.folds import FG2020
from action_units.sample.studio_plan import NEVER_SCORED, STUDIO_AUS, SUBJECTS

TINY = ("--env", "tiny", "--params")
JOINT = "disfa+studio/fg2020+studio_folds"
FOLD_ONE = ",fold=1,finetune.also_from_scratch=false"


def subjects_of_fold_one(project, place):
    path = project.path / f"data/06_models/tiny/main/{place}/fold1/subjects.json"
    return json.loads(path.read_text())


def test_the_studio_is_a_coded_set_alone_and_beside_disfa(copied):
    rendered = copied.path / "data/01_raw/tiny/studio"
    assert not any(rendered.glob("*")), "it is rendered only where it is chosen"
    pretrained = copied.bytes_of("data/06_models/tiny/main/pretrained*")

    copied.run("--pipelines", "preprocess,finetune", *TINY, "coded=studio" + FOLD_ONE)
    printed = copied.run(*TINY, "coded=disfa+studio" + FOLD_ONE)

    assert copied.bytes_of("data/06_models/tiny/main/pretrained*") == pretrained
    alone = subjects_of_fold_one(copied, "studio/studio_folds")
    people = [*alone["train"], *alone["validation"], *alone["test"]]
    assert sorted(people) == list(SUBJECTS)
    assert len(alone["test"]) == 4
    joint = subjects_of_fold_one(copied, JOINT)
    tested = {f"disfa/{name}" for name in FG2020.test_subjects(1)}
    tested |= {f"studio/{name}" for name in alone["test"]}
    assert set(joint["test"]) == tested
    path = f"data/07_model_output/tiny/main/{JOINT}/fold1/finetuned_predictions.parquet"
    predictions = pd.read_parquet(copied.path / path)
    assert set(predictions["subject"]) == tested
    for subject, rows in predictions.groupby("subject"):
        name, person = subject.split("/")
        own = {*(DISFA_AUS if name == "disfa" else STUDIO_AUS)}
        expected = au_columns(own - {*NEVER_SCORED.get(person, ())})
        scored = (rows[au_columns(sorted({*DISFA_AUS, *STUDIO_AUS}))] != -1).any()
        assert set(scored.index[scored]) == set(expected), subject
    page = (copied.path / f"data/08_reporting/tiny/main/{JOINT}/report.html").read_text()
    assert "17 AUs" in printed
    assert "Rendered sample." in page
    for name in ("disfa", "studio"):
        assert f"F1 of each action unit of {name}" in page
