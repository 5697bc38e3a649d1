"""raw data -> crops and label CSVs -> face stores."""

from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.preprocessing import nodes
from action_units.pipelines.selection import CROPPING, PRETRAINING

_WORK = ("web", "web_openface", "web_labels", "web_packing", "disfa", "disfa_packing")


def create_pipeline() -> Pipeline:
    """Crop what there is of raw data, label the crops, and pack them."""
    work = ["params:preprocess", "params:workers", "params:cluster"]
    of_web = [
        _making("web", "web_crop_folder", "web_cropping", "web_openface"),
        Node(
            nodes.read_web_labels,
            ["web_photographs", "web_openface", "withdrawn", "params:preprocess"],
            "web_labels",
            name="check_web_labels",  # sorts before all that crops, so it is done first
        ),
        Node(
            nodes.crop_photographs,
            [
                "web_photographs",
                "web_labels",
                "web_crop_folder",
                "web_cropping",
                "withdrawn",
                *work,
            ],
            ["web_photograph_crops", "web_quarantine"],
            name="crop_photographs",
        ),
        Node(
            nodes.annotate_photographs,
            [
                "web_photographs",
                "web_labels",
                "web_photograph_crops",
                "web_crop_folder",
                "web_openface",
                "withdrawn",
                "params:preprocess",
                "params:workers",
            ],
            ["web_annotations", "web_openface_quarantine"],
            name="annotate_photographs",
        ),
        Node(
            nodes.label_faces,
            [
                "web_photograph_crops",
                "web_annotations",
                "web_labels",
                "web_photographs",
                "web_crop_folder",
                "params:preprocess",
                "params:seed",
            ],
            ["web_crops", "web_labels_quarantine"],
            name="label_faces",
        ),
    ]
    of_disfa = [
        _making("disfa", "disfa_crop_folder", "disfa_cropping"),
        Node(
            nodes.crop_recordings,
            ["disfa_recordings", "disfa_crop_folder", "disfa_cropping", "withdrawn", *work],
            ["disfa_crops", "disfa_quarantine", "disfa_frames", "disfa_lost_frames"],
            name="crop_recordings",
        ),
    ]
    packing = {
        data: [
            _making(f"{data}_store", f"{data}_faces_before"),
            Node(
                nodes.pack,
                [
                    f"{data}_crops",
                    f"{data}_faces_before",
                    "withdrawn",
                    "params:face_size",
                    "params:workers",
                ],
                [f"{data}_faces", f"{data}_packing_quarantine"],
                name=f"pack_{data}_faces",
            ),
            Node(
                nodes.draw_contact_sheet,
                f"{data}_faces",
                f"{data}_contact_sheet",
                name=f"show_{data}_faces",
            ),
        ]
        for data in ("web", "disfa")
    }
    merging = Node(
        nodes.merge_quarantines,
        {name: f"{name}_quarantine" for name in _WORK},
        "quarantines",
        name="merge_quarantines",
    )
    cropping = Pipeline(of_web, tags=PRETRAINING) + Pipeline(of_disfa)
    return Pipeline(
        [
            Pipeline(cropping, tags=CROPPING),
            Pipeline(packing["web"], tags=PRETRAINING),
            Pipeline(packing["disfa"]),
            merging,
        ],
        namespace="preprocess",
        prefix_datasets_with_namespace=False,
        tags="preprocess",
    )


def _making(name: str, *folders: str) -> Node:
    """Makes folders that other nodes of the stage work in, so that they are its own."""
    make = update_wrapper(partial(_one_each, len(folders)), _one_each)
    return Node(make, None, list(folders), name=f"make_{name}_folders")


def _one_each(n: int) -> list[bool]:
    return [True] * n
