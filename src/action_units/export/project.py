"""Where the other files of a run lie, seen from its models, as the catalog has them."""

from pathlib import Path

from action_units.errors import ArtifactError
from action_units.faces.store import INDEX_NAME, FaceStore
from action_units.files import verify
from action_units.hints import command


def find_faces(run_folder: Path) -> FaceStore | None:
    """DISFA's faces of the project that a run's models lie in, where they are there."""
    place = _store(run_folder, "disfa_faces")
    return FaceStore.open(place) if place else None


def web_rendered(run_folder: Path) -> bool | None:
    """Whether the web set of a run's project is a rendered one; None where it is not there.

    Raises:
        ArtifactError: It is damaged.
    """
    place = _store(run_folder, "web_faces")
    if place is None:
        return None
    return bool((FaceStore.open(place).table["origin"] == "rendered").all())


def find_card(run_folder: Path) -> str:
    """The model card of a run.

    Raises:
        ArtifactError: There is none, or it is damaged.
    """
    layer = _layer(run_folder, "08_reporting")
    if layer is None:
        raise ArtifactError(
            f"{run_folder} is not below a project's data/06_models, so its model card "
            "cannot be found; name it: `--card model_card.md` of action-units export, or its "
            "text as `card` of export_run."
        )
    path = layer.joinpath(*run_folder.resolve().parts[-3:], "model_card.md")
    return verify(path, made_by=command("evaluate")).read_text()


def _store(run_folder: Path, name: str) -> Path | None:
    layer = _layer(run_folder, "04_feature")
    place = None if layer is None else layer / run_folder.resolve().parts[-3] / name
    return place if place and (place / INDEX_NAME).is_file() else None


def _layer(run_folder: Path, name: str) -> Path | None:
    """Another layer of the project's ``data``; None outside of a project."""
    parents = run_folder.resolve().parents  # run, data set, layer, data
    return parents[3] / name if len(parents) > 3 and parents[2].name == "06_models" else None
