"""A rehearsal of the very small sample: before anything was made, afterwards, and of crops."""

import pandas as pd
import pytest

from action_units.models.model_files import load_model

TINY = ("--env", "tiny", "--pipeline", "rehearse", "--params")
TABLE = "data/08_reporting/tiny/main/rehearsal.csv"
MODELS = "data/06_models/tiny/main"


def real_steps(project):
    """Steps of the trainings that were done, by the rehearsal's names of them."""
    paths = [project.path / MODELS / "pretrained.safetensors"]
    folds = project.path / MODELS / "disfa" / "fg2020"
    kinds = {"pre-training": paths}
    kinds["fine-tuning, 3 folds"] = sorted(folds.glob("fold?/finetuned.safetensors"))
    kinds["training from scratch"] = sorted(folds.glob("fold?/scratch.safetensors"))
    assert [len(some) for some in kinds.values()] == [1, 3, 3]
    return {
        name: sum(load_model(path).provenance["training"]["steps"] for path in some)
        for name, some in kinds.items()
    }


@pytest.mark.slow
def test_a_rehearsal_counts_the_steps_that_are_trained_and_changes_nothing(copied):
    def state():  # Kedro-Viz keeps times of its own
        return {path: of for path, of in copied.state().items() if ".viz" not in path.parts}

    before = state()
    # So long that all is cropped: the numbers of faces are then exact.
    printed = copied.run(*TINY, "rehearsal.seconds=30")
    assert "What the whole run needs:" in printed
    rows = pd.read_csv(copied.path / TABLE).set_index("stage")
    steps = real_steps(copied)
    assert rows.loc[list(steps), "amount"].to_dict() == steps
    assert (rows["hours"] > 0).all()
    assert rows.loc["all", "hours"] == pytest.approx(rows["hours"][:-1].sum())
    after = state()
    made = {str(path.relative_to(copied.path)) for path in after.keys() - before.keys()}
    assert {name for name in made if ".lock" not in name} == {TABLE, f"{TABLE}.sha256"}
    assert {path: after[path] for path in before} == before

    # Of crops, the same trainings; and without pre-training, one of them.
    crops = "coded_sets.disfa.start_from=crops,web_sets.web.start_from=crops"
    (copied.path / "data/01_raw").rename(copied.path / "data/raw_elsewhere")
    copied.run(*TINY, f"rehearsal.seconds=0.1,pretraining=false,fold=2,{crops}")
    rows = pd.read_csv(copied.path / TABLE).set_index("stage")
    assert list(rows.index) == [
        *("disfa: packing", "training, 1 fold", "prediction", "evaluation and report", "all")
    ]
    assert rows.loc["training, 1 fold", "amount"] == steps["training from scratch"] / 3
