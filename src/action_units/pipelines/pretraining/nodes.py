"""Node that audits the labels of pre-training."""

from pathlib import Path

import numpy as np
import pandas as pd

from action_units.config import AuditSettings
from action_units.faces.store import FaceStore
from action_units.labels.coded_frames import MISSING
from action_units.models.trained import TrainedModel

HELD_OUT = "held_out.npz"
"""What a run remembers of its web faces."""


def audit_labels(
    model: TrainedModel,
    faces: FaceStore,
    audit: AuditSettings,
    device: str,
    run: str,
    memory: Path | None = None,
) -> tuple[str, pd.DataFrame]:
    """List the labels that the network disbelieves, of people whom it was not trained with.

    Args:
        model: The pre-trained network.
        faces: Of the web sets, with a column ``split``.
        audit: How many to list.
        device: Where to compute.
        run: The run's name.
        memory: Folder of predictions, where they are kept for a repeated run.

    Returns:
        One HTML document, and what it lists: a row a label with ``au, label, probability,
        doubted, image, identity``, and where the data have them ``set`` (of several),
        ``annotator``, and the annotator's ``intensity`` and ``annotator_probability``.

    Raises:
        ConfigurationError: The network was trained on faces that were made otherwise.
    """
    from action_units.evaluation.audit import audit as audited
    from action_units.evaluation.report.audit import render_audit
    from action_units.training.data import intensities_of, probabilities_of
    from action_units.training.inference import predict
    from action_units.training.same_faces import check_same_faces

    check_same_faces(model, faces)
    # By person: tables of a user's own may divide one person's photographs.
    trained = (faces.table["split"] != "test").to_numpy()
    new = ~np.isin(faces.subjects, faces.subjects[trained])
    held_out = faces.select(np.flatnonzero(new))
    probabilities = predict(model, held_out.faces, device, memory=memory and memory / HELD_OUT)
    labels = held_out.labels.copy()
    labels[:, (faces.labels[trained] == MISSING).all(axis=0)] = MISSING  # never learned
    listed, counts = audited(labels, probabilities, model.aus, audit.photographs)
    row, column = listed["row"].to_numpy(int), listed["au"].map(model.aus.index).to_numpy(int)
    about = held_out.table.reindex(columns=["image", "subject", "set", "annotator"])
    listed[["image", "identity", "set", "annotator"]] = about.iloc[row].to_numpy()
    for name, values in (
        ("intensity", intensities_of(held_out.table, model.aus)),
        ("annotator_probability", probabilities_of(held_out.table, model.aus)),
    ):
        listed[name] = np.nan if values is None else values[row, column]
    optional = {"set": 2, "annotator": 1, "intensity": 1, "annotator_probability": 1}
    few = [name for name, least in optional.items() if listed[name].nunique() < least]
    listed = listed.drop(columns=few)
    page = render_audit(
        listed,
        counts,
        held_out.faces,
        len(np.unique(held_out.subjects)),
        title=f"Audit of the web labels: {run}",
        rendered=bool((faces.table["origin"] == "rendered").all()),
    )
    return page, listed.drop(columns="row")
