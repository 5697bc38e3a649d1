"""Everything after prediction, over made-up probabilities of all coded frames.

What ``kedro run --pipeline evaluate`` does with the networks' answers, by the library's own
functions and without a network: thresholds and scores of three folds, the summary, person
centring, groups, the gains of treatments, figures and page. Each part says its name.
"""

from pathlib import Path

import numpy as np

from action_units.evaluation.comparison import gain_table
from action_units.evaluation.fold import FoldEvaluation, evaluate_predictions
from action_units.evaluation.groups import score_groups
from action_units.evaluation.person_centred import score_person_centred
from action_units.evaluation.postprocessing.thresholds import choose_thresholds
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.report.examples import gather_examples
from action_units.evaluation.report.plots import draw_run
from action_units.evaluation.report.report import PageExtras, render_report
from action_units.evaluation.summary import summarise
from action_units.labels.action_units import DISFA_AUS, au_columns
from action_units.labels.folds import FG2020, split_subjects
from action_units.labels.groups import read_groups
from action_units.labels.tables import read_fold_tables

SEED = 20
_COLUMNS = au_columns(DISFA_AUS)
_PARTS = ("labels", "folds", "summary", "person_centred", "groups", "gains", "figures", "page")


def score(labels: Path, groups: Path) -> str:
    """The page of a run whose networks lean towards the labels."""
    names = iter(_PARTS)

    def begin() -> None:
        name = next(names)
        print(f"[{_PARTS.index(name) + 1}/{len(_PARTS)}] {name}", flush=True)

    begin()
    table = read_fold_tables(labels).table
    noise = np.random.default_rng(SEED).random((len(table), len(_COLUMNS)))
    answers = (0.4 * table[_COLUMNS] + 0.6 * noise).to_numpy(np.float32)
    table[[f"{column}_p" for column in _COLUMNS]] = answers
    begin()
    folds, tests, validations, limits = [], {}, {}, {}
    for fold in FG2020.folds:
        split = split_subjects(FG2020, fold, table["subject"], 5, SEED)
        tests[fold], known = (
            table[table["subject"].isin(part)].reset_index(drop=True)
            for part in (split.test, split.validation)
        )
        probabilities = known[[f"{column}_p" for column in _COLUMNS]]
        fitted = choose_thresholds(
            known[_COLUMNS], probabilities, subjects=known["subject"], seed=SEED
        )
        limits[fold], validations[fold] = fitted.values, Predictions.read(known, fitted.values)
        folds.append(
            FoldEvaluation(
                fold,
                "fg2020",
                True,
                split.train,
                split.validation,
                split.test,
                evaluate_predictions(tests[fold], fitted, (fold,)),
            )
        )
    predictions = {fold: Predictions.read(part, limits[fold]) for fold, part in tests.items()}
    begin()
    summary = summarise(folds, SEED, {"finetuned": tests})
    begin()
    both = {fold: (validations[fold], predictions[fold]) for fold in tests}
    score_person_centred({fold: (*pair, pair[1]) for fold, pair in both.items()}, "raw", SEED)
    begin()
    score_groups(predictions, read_groups(groups), validations, SEED)
    begin()
    gains = gain_table(both, SEED)
    begin()
    faces = np.broadcast_to(np.uint8(128), (len(table), 64, 64))
    examples = gather_examples(tests, limits, faces, table["image"])
    draw_run(summary, predictions, examples)
    begin()
    return render_report(
        summary, PageExtras(examples=examples, predictions=predictions, gains=gains)
    )


def main() -> None:
    """Score the labels of a project that ``full_size_data`` made, in its folder."""
    page = score(Path("data/01_raw/fine_tune_images"), Path("groups.csv"))
    print(f"a page of {len(page) / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
