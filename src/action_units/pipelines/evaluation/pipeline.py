"""networks and thresholds -> predictions, AU reports, and one page for the run."""

from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.evaluation import card, nodes, run_nodes
from action_units.pipelines.lanes import Lanes, lane

_FIGURES = (
    "au",
    "curves",
    "prevalence",
    "precision_recall",
    "subjects",
    "timeline",
    "examples",
    "confusion",
    "co_occurrence",
    "reliability",
    "intensity",
)


def create_pipeline(lanes: Lanes) -> Pipeline:
    """A lane for each fold, and the summary of every fold that lies on disk.

    A run of one fold writes that fold's files only; the summary and the page take
    the other folds as an earlier run left them, and say so where there are none.
    """
    curve = ["pretraining_curve"] if lanes.pretraining else []
    folds = sum((_lane(fold, lanes.from_scratch) for fold in lanes.folds), Pipeline([]))
    return folds + Pipeline(
        [
            Node(
                run_nodes.summarise,
                ["evaluated_folds", *(f"fold{fold}.evaluation" for fold in lanes.folds)],
                [
                    "summary",
                    "summary_measures",
                    "summary_json",
                    "latex_table",
                    "markdown_table",
                ],
                name="summarise",
            ),
            Node(
                run_nodes.measure_treatments,
                ["evaluated_folds", "summary_json", "params:seed"],
                "treatment_gains",
                name="measure_treatments",
            ),
            Node(
                run_nodes.draw_figures,
                ["evaluated_folds", "summary_json", "disfa_faces"],
                {name: f"{name}_figure" for name in _FIGURES},
                name="draw_figures",
            ),
            Node(
                run_nodes.write_report,
                [
                    "evaluated_folds",
                    "summary_json",
                    "disfa_faces",
                    "quarantines",
                    "lost_frames",
                    "treatment_gains",
                    "parameters",
                    *curve,
                ],
                "report",
                name="write_report",
            ),
            Node(
                card.write_model_card,
                ["evaluated_folds", "summary_json", "run_models", *curve],
                "model_card",
                name="write_model_card",
            ),
        ],
        tags="evaluate",
    )


def _lane(fold: int, from_scratch: bool) -> Pipeline:
    variants = ("finetuned", "scratch") if from_scratch else ("finetuned",)
    predicting = [
        Node(
            nodes.predict_test_subjects,
            [f"{variant}_model", "disfa_faces", "split", "params:device"],
            f"{variant}_raw_predictions",
            name=f"predict_{variant}",
        )
        for variant in variants
    ]
    treating = [
        Node(
            nodes.treat,
            [
                f"{variant}_model",
                f"{variant}_raw_predictions",
                f"{variant}_validation_predictions",
                f"{variant}_thresholds",
                "params:evaluation",
                "params:seed",
            ],
            [f"{variant}_predictions", f"{variant}_treatment"],
            name=f"treat_{variant}",
        )
        for variant in variants
    ]
    evaluate = nodes.evaluate_both if from_scratch else nodes.evaluate
    judging = Node(
        update_wrapper(partial(evaluate, fold=fold), evaluate),
        {
            "split": "split",
            "protocol": "params:protocol",
            **{
                f"{variant}_{what}": f"{variant}_{what}"
                for variant in variants
                for what in ("model", "predictions", "treatment", "curve")
            },
        },
        [
            "evaluation",
            *(f"{v}_{table}" for v in variants for table in ("au_report", "averages")),
        ],
        name="evaluate",
    )
    return lane([*predicting, *treating, judging], fold, shared={"disfa_faces"}, tag="evaluate")
