"""The files of a run's folds."""

from action_units.evaluation.run_folder import fold_files


def test_folds_are_in_order_and_copies_of_them_are_none(tmp_path):
    for name in (
        "fold10",
        "fold2",
        "fold2 (copy)",
        "fold2.old",
        "fold03",
        "fold0",
        "old_fold1",
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "evaluation.json").write_text("{}")
    (tmp_path / "fold4").mkdir()
    found = fold_files(tmp_path, "evaluation.json")
    assert list(found) == [2, 10]
    assert found[10] == tmp_path / "fold10/evaluation.json"
