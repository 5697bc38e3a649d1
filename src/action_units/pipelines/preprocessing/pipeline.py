"""raw data -> crops and label CSVs -> face stores."""

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.preprocessing import nodes
from action_units.pipelines.selection import CROPPING, PRETRAINING


def create_pipeline() -> Pipeline:
    """Crop what there is of raw data, label the crops, and pack them."""
    work = ["params:preprocess", "params:workers", "params:cluster"]
    of_web = [
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
        Node(
            nodes.crop_recordings,
            ["disfa_recordings", "disfa_crop_folder", "disfa_cropping", "withdrawn", *work],
            ["disfa_crops", "disfa_quarantine", "disfa_frames", "disfa_lost_frames"],
            name="crop_recordings",
        ),
    ]
    packing = {
        data: [
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
    cropping = Pipeline(of_web, tags=PRETRAINING) + Pipeline(of_disfa)
    return Pipeline(
        [
            Pipeline(cropping, tags=CROPPING),
            Pipeline(packing["web"], tags=PRETRAINING),
            Pipeline(packing["disfa"]),
        ],
        namespace="preprocess",
        prefix_datasets_with_namespace=False,
        tags="preprocess",
    )
