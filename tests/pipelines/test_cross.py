"""``--pipeline cross`` as typed, on the finished project: the rendered studio is another set."""

import json

import pandas as pd

CROSS = ("--env", "tiny", "--pipeline", "cross", "--params")


def test_a_finished_run_is_tested_on_another_set(copied):
    for params, reason in (
        ("on=disfa", "on=disfa: the networks of coded=disfa were trained on disfa"),
        ("on=studio,run=other", "main/../other/disfa/fg2020 has no trained network"),
        ("on=studio,fold=1", "cross tests the networks of all folds; leave fold out"),
        ("seed=1", "cross needs the coded set to test on: add `--params on=NAME`"),
    ):
        refused = copied.run(*CROSS, params, fails=True)
        assert reason.replace("main/../", "") in refused
    own = copied.bytes_of("data/06_models/tiny/main/disfa/**/*")

    printed = copied.run(*CROSS, "on=studio,cross.refit_subjects=4")

    assert copied.bytes_of("data/06_models/tiny/main/disfa/**/*") == own
    assert "Trained on disfa, tested on studio, 7 AUs: F1" in printed
    folder = copied.path / "data/08_reporting/tiny/main/disfa/fg2020/on_studio"
    assert f"The report: open {folder.resolve() / 'report.html'}" in printed
    page = (folder / "report.html").read_text()
    assert "Cross-data-set test: disfa to studio" in page
    assert "Rendered sample." in page
    again = "--pipelines preprocess,finetune,evaluate --env tiny --params coded=studio"
    assert f"<code>kedro run {again}</code>" in page
    test = json.loads((folder / "test.json").read_text())
    assert {len(subjects) for subjects in test["subjects"].values()} == {12}
    assert (len(test["subjects"]), len(test["refitted"]["fitted_on"])) == (3, 4)
    table = pd.read_csv(folder / "scores.csv")
    assert {"AU01", "AU17", "7 AUs"} <= set(table["name"])
    predictions = pd.read_parquet(
        copied.path
        / "data/07_model_output/tiny/main/disfa/fg2020/on_studio/predictions.parquet"
    )
    assert predictions["network"].value_counts().nunique() == 1
