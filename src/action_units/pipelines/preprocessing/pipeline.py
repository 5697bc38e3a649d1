"""raw data -> crops and label CSVs -> face stores, set by set."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.namespaces import named, namespaced
from action_units.pipelines.preprocessing import nodes
from action_units.pipelines.sample.pipeline import render_set
from action_units.pipelines.selection import PRETRAINING, cropping_tag
from action_units.pipelines.shape import DEFAULT, Shape

_SHARED = {"withdrawn", "models_layer"}
_WEB_QUARANTINES = ("cropping", "openface", "labels", "packing")
_CODED_QUARANTINES = ("cropping", "packing")
_WORK = ["params:preprocess", "params:workers", "params:cluster"]


def create_pipeline(shape: Shape = DEFAULT) -> Pipeline:
    """Crop what there is of raw data, label the crops, and pack them; each set by itself."""
    web = [
        namespaced(_crop_web_set(name), name, _SHARED, [cropping_tag(name), PRETRAINING])
        + namespaced(_pack("web"), name, _SHARED, [PRETRAINING])
        for name in shape.web_sets
    ]
    coded = [_coded_set(name) for name in shape.coded_sets]
    return _of_stage([*web, *coded, _join(shape)])


def prepare_coded_set(name: str) -> Pipeline:
    """What the pipeline ``preprocess`` does of one coded set, rendering included."""
    return render_set(name) + _of_stage([_coded_set(name)])


def _of_stage(parts: list[Pipeline]) -> Pipeline:
    return Pipeline(
        parts,
        namespace="preprocess",
        prefix_datasets_with_namespace=False,
        tags="preprocess",
    )


def _coded_set(name: str) -> Pipeline:
    return namespaced(_crop_coded_set(name), name, _SHARED, [cropping_tag(name)]) + namespaced(
        _pack("coded"), name, _SHARED
    )


def _join(shape: Shape) -> Pipeline:
    """What is made of all sets."""
    works = [(name, work) for name in shape.web_sets for work in _WEB_QUARANTINES]
    works += [(name, work) for name in shape.coded_sets for work in _CODED_QUARANTINES]
    return Pipeline(
        [
            Node(
                nodes.merge_quarantines,
                {f"{name}_{work}": f"{name}.{work}_quarantine" for name, work in works},
                "quarantines",
                name="merge_quarantines",
            ),
            Node(
                nodes.merge_lost_frames,
                {name: f"{name}.frames" for name in shape.coded_sets},
                "lost_frames",
                name="merge_lost_frames",
            ),
            Node(
                named(nodes.gather_faces, shape.coded_sets),
                ["params:people", *(f"{name}.faces" for name in shape.coded_sets)],
                "coded_faces",
                name="gather_coded_faces",
            ),
            Node(
                named(nodes.gather_web_faces, shape.web_sets),
                [f"{name}.faces" for name in shape.web_sets],
                "web_faces",
                name="gather_web_faces",
                tags=PRETRAINING,
            ),
        ]
    )


def _crop_web_set(name: str) -> list[Node]:
    settings = f"params:web_sets.{name}"
    return [
        _making("crop_folder", "cropping", "openface", after="raw"),
        # By itself and without the folders, so that all labels are read before any cropping.
        Node(
            nodes.read_web_labels,
            [
                "raw",
                "openface_before",
                "models_layer",
                "withdrawn",
                settings,
                "params:preprocess",
            ],
            "labels",
            name="read_labels",
        ),
        Node(
            nodes.crop_photographs,
            ["raw", "labels", "crop_folder", "cropping", "withdrawn", settings, *_WORK],
            ["photograph_crops", "cropping_quarantine"],
            name="crop_photographs",
        ),
        Node(
            nodes.annotate_photographs,
            [
                "raw",
                "labels",
                "photograph_crops",
                "crop_folder",
                "openface",
                "withdrawn",
                settings,
                "params:preprocess",
                "params:workers",
                "params:device",
            ],
            ["annotations", "openface_quarantine"],
            name="annotate_photographs",
        ),
        Node(
            nodes.label_faces,
            [
                "photograph_crops",
                "annotations",
                "labels",
                "raw",
                "crop_folder",
                settings,
                "params:preprocess",
                "params:seed",
            ],
            ["web_crops", "labels_quarantine"],
            name="label_faces",
        ),
    ]


def _crop_coded_set(name: str) -> list[Node]:
    settings = f"params:coded_sets.{name}"
    return [
        _making("crop_folder", "cropping", after="raw"),
        Node(
            named(nodes.read_coded_labels, name),
            ["raw", "withdrawn", settings, "params:preprocess"],
            "labels",
            name="read_labels",
        ),
        Node(
            nodes.crop_frames,
            ["raw", "labels", "crop_folder", "cropping", settings, *_WORK],
            ["coded_crops", "cropping_quarantine", "frames"],
            name="crop_frames",
        ),
    ]


def _pack(kind: str) -> list[Node]:
    """The nodes that pack the crops of a coded or a web set."""
    return [
        _making("faces_before"),
        Node(
            nodes.pack,
            [
                f"{kind}_crops",
                "faces_before",
                "withdrawn",
                "params:face_size",
                "params:preprocess",
                "params:workers",
            ],
            ["faces", "packing_quarantine"],
            name="pack_faces",
        ),
        Node(nodes.draw_contact_sheet, "faces", "contact_sheet", name="show_faces"),
    ]


def _making(*folders: str, after: str | None = None) -> Node:
    """Makes folders that other nodes of the stage work in, so that they are its own."""
    make = named(_one_each, len(folders))
    return Node(make, after, list(folders), name=f"make_{folders[0]}")


def _one_each(n: int, *_: Any) -> list[bool]:
    return [True] * n
