"""The time of evaluation and report, by their own nodes on made-up probabilities."""

import io
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd

from action_units.config import EvaluationSettings
from action_units.datasets.folds import EvaluatedFold
from action_units.evaluation.postprocessing.thresholds import choose_thresholds
from action_units.faces.store import FaceStore
from action_units.labels.action_units import au_columns
from action_units.models.trained import TrainedModel
from action_units.pipelines.evaluation import nodes, run_nodes
from action_units.rehearsal.estimate import Need
from action_units.rehearsal.memory import peak_memory
from action_units.rehearsal.slices import evenly
from action_units.stages import Split, predictions_of

_FOLDS = 3
_FRAMES = 20_000  # of each fold, at most


def rehearse_evaluation(
    model: TrainedModel,
    faces: FaceStore,
    splits: Sequence[Split],
    n_test: int,
    networks: int,
    evaluation: EvaluationSettings,
    seed: int,
) -> Need:
    """Evaluate some of the folds, which test `n_test` frames in all, and draw their figures."""
    some, drawn = splits[:_FOLDS], np.random.default_rng(seed)

    def predictions(split: Split, part: str) -> pd.DataFrame:
        rows = np.flatnonzero(np.isin(faces.subjects, split[part]))
        kept = faces.select(rows[evenly(_FRAMES, len(rows))])
        return predictions_of(kept, model.aus, drawn.random((len(kept), len(model.aus))))

    def evaluate(split: Split) -> EvaluatedFold:
        test, validation = predictions(split, "test"), predictions(split, "validation")
        columns, subjects = au_columns(model.aus), validation["subject"].to_numpy()
        made_up = validation[[f"{column}_p" for column in columns]].to_numpy()
        fitted = choose_thresholds(validation[columns], made_up, subjects=subjects, seed=seed)
        for _ in range(networks):
            processed, postprocessing = nodes.postprocess(
                model,
                test,
                validation,
                fitted.to_json(model.aus),
                faces,
                split,
                evaluation,
                seed,
            )
            scored = nodes.evaluate(split, model, processed, postprocessing, pd.DataFrame())
        raw, known = {"finetuned": test}, {"finetuned": validation}
        return EvaluatedFold(scored, {"finetuned": processed}, raw, known)

    with peak_memory() as peak, _silent():
        started = time.perf_counter()
        folds = {split["fold"]: evaluate(split) for split in some}
        summary = run_nodes.summarise(folds, pd.DataFrame(), evaluation, seed)[2]
        run_nodes.measure_postprocessing(folds, seed)
        evaluating = time.perf_counter() - started
        started = time.perf_counter()
        for figure in run_nodes.draw_figures(folds, summary, faces).values():
            figure.savefig(io.BytesIO(), dpi=144)
        drawing = time.perf_counter() - started
    times = n_test / sum(len(fold.predictions["finetuned"]) for fold in folds.values())
    seconds = times * evaluating + 2 * drawing  # once more for the page
    return Need("evaluation and report", n_test, "frames", seconds, peak.process)


@contextmanager
def _silent() -> Iterator[None]:
    """No log lines about probabilities that mean nothing."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
