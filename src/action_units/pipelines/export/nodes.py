"""Node that exports a run's networks."""

from pathlib import Path

from action_units.config import ExportSettings
from action_units.faces.store import FaceStore


def export(
    models: Path,
    faces: FaceStore,
    card: str,
    exported: Path,
    fold: int | None,
    options: ExportSettings,
) -> None:
    """Write ONNX files, safetensors with JSON and the model card, into a folder of their own.

    Args:
        models: Folder of the run's models.
        faces: Of the coded sets, on which the files are checked and measured.
        card: The run's model card.
        exported: Where the folder is made: ``fold3``, or ``ensemble`` of all folds.
        fold: Whose network; None for all.
        options: The parameters of exporting.
    """
    from action_units.export.package import export_run

    export_run(
        models,
        exported / ("ensemble" if fold is None else f"fold{fold}"),
        fold=fold,
        onnx=options.onnx,
        int8=options.int8,
        calibration_faces=faces,
        card=card,
    )
