"""networks and thresholds -> predictions, AU reports, and one page for the run."""

from kedro.pipeline import Node, Pipeline

from action_units import stages
from action_units.pipelines.evaluation import annotator, card, nodes, run_nodes
from action_units.pipelines.folds import fold_pipelines, fold_tag
from action_units.pipelines.selection import FROM_SCRATCH, PRETRAINING
from action_units.pipelines.shape import DEFAULT, Shape

_NETWORKS = {"finetuned": [], "scratch": [FROM_SCRATCH]}


def create_pipeline(shape: Shape = DEFAULT) -> Pipeline:
    """The scores of each fold, and the summary of every fold that lies on disk.

    A run of one fold writes that fold's files only; the summary and the page take
    the other folds as an earlier run left them; raises if there are none.
    """
    folds = fold_pipelines(
        lambda _: _fold(),
        shape.folds,
        {
            "coded_faces",
            "pretrained_model",
            "held_out_predictions",
            "pretrained_predictions",
            "fold_memory",
        },
        tag="evaluate",
    )
    evaluations = {
        f"{what}{fold}": f"{fold_tag(fold)}.{what}"
        for what in ("evaluation", "annotator_rates")
        for fold in range(1, shape.folds + 1)
    }
    report = [
        Node(
            run_nodes.collect_folds, list(evaluations), "evaluated_folds", name="collect_folds"
        ),
        Node(
            run_nodes.summarise,
            ["evaluated_folds", "subject_groups", "params:evaluation", "params:seed"],
            [
                "summary",
                "summary_measures",
                "summary_json",
                "latex_table",
                "markdown_table",
                "group_scores",
                "group_gaps",
            ],
            name="summarise",
        ),
        Node(
            annotator.tabulate_annotator_rates,
            "evaluated_folds",
            "annotator_rates",
            name="tabulate_annotator_rates",
            tags=PRETRAINING,
        ),
        Node(
            run_nodes.measure_postprocessing,
            ["evaluated_folds", "params:seed"],
            "postprocessing_gains",
            name="measure_postprocessing",
        ),
        Node(
            run_nodes.draw_figures,
            ["evaluated_folds", "summary_json", "coded_faces"],
            "figures",
            name="draw_figures",
        ),
        Node(
            run_nodes.write_report,
            [
                "evaluated_folds",
                "summary_json",
                "coded_faces",
                "quarantines",
                "lost_frames",
                "postprocessing_gains",
                "pretraining_curve",
                "params:run",
                "params:training",
                "params:chosen_coded",
                "params:chosen_web",
                "params:preprocess",
                "params:finetune",
                "params:evaluation",
            ],
            "report",
            name="write_report",
        ),
        Node(
            card.write_model_card,
            [
                "evaluated_folds",
                "summary_json",
                "run_models",
                "pretraining_curve",
                "params:chosen_web",
            ],
            "model_card",
            name="write_model_card",
        ),
    ]
    shared = [
        Node(
            annotator.predict_held_out,
            ["pretrained_model", "pretraining_faces", "params:device", "run_memory"],
            "held_out_predictions",
            name="predict_held_out",
        ),
        Node(
            annotator.predict_coded,
            [
                "pretrained_model",
                "held_out_predictions",
                "coded_faces",
                "params:device",
                "fold_memory",
            ],
            "pretrained_predictions",
            name="predict_coded",
        ),
    ]
    return (
        Pipeline(shared, tags=["evaluate", PRETRAINING])
        + folds
        + Pipeline(
            report,
            inputs=evaluations,
            namespace="report",
            prefix_datasets_with_namespace=False,
            tags="evaluate",
        )
    )


def _fold() -> list[Node]:
    nodes_ = []
    for network, tags in _NETWORKS.items():
        nodes_ += [
            Node(
                stages.predict_test_subjects,
                [f"{network}_model", "coded_faces", "split", "params:device", "fold_memory"],
                f"{network}_raw_predictions",
                name=f"predict_{network}",
                tags=tags,
            ),
            Node(
                nodes.postprocess,
                [
                    f"{network}_model",
                    f"{network}_raw_predictions",
                    f"{network}_validation_predictions",
                    f"{network}_thresholds",
                    "coded_faces",
                    "split",
                    "params:evaluation",
                    "params:seed",
                ],
                [f"{network}_predictions", f"{network}_postprocessing"],
                name=f"postprocess_{network}",
                tags=tags,
            ),
        ]
    nodes_.append(
        Node(
            annotator.find_annotator_rates,
            [
                "pretrained_model",
                "held_out_predictions",
                "pretrained_predictions",
                "coded_faces",
                "split",
                "params:chosen_coded",
                "params:chosen_web",
                "params:seed",
            ],
            "annotator_rates",
            name="find_annotator_rates",
            tags=PRETRAINING,
        )
    )
    parts = ("model", "predictions", "postprocessing", "curve")
    evaluated = [f"{network}_{part}" for network in _NETWORKS for part in parts]
    return [*nodes_, Node(nodes.evaluate, ["split", *evaluated], "evaluation", name="evaluate")]
