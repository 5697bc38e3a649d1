"""The command ``action-units``: use a trained classifier, or run the pipelines.

Exit codes: 0, all is done; 1, all is done but something was quarantined; 2, it failed, and
a sentence says why; 130, stopped by Ctrl-C; 143, by SIGTERM or SIGHUP.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from action_units import __version__
from action_units.error_messages import error_message
from action_units.extras import import_extra
from action_units.media.paths import given_path
from action_units.signals import orderly_end

QUARANTINED, FAILED = 1, 2

F = TypeVar("F", bound=Callable[..., Any])


class _Path(click.Path):
    """A path on this machine; a ``~`` that the shell has left is the home folder."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        if value == "":  # such as an unset variable; as a path it would be the current folder
            self.fail("the path is empty.", param, ctx)
        return super().convert(given_path(value), param, ctx)


_PATH = _Path(path_type=Path)


class _Command(click.Command):
    """A command whose expected errors are one sentence on stderr."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with orderly_end():
                return super().invoke(ctx)
        except Exception as error:
            if (sentence := error_message(error)) is None:
                raise
            click.echo(f"Error: {sentence}", err=True)
            ctx.exit(FAILED)


class _Group(click.Group):
    command_class = _Command


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="action-units")
def main() -> None:
    """Predict facial action units in pictures and videos with a trained classifier.

    \b
    Examples:
      action-units predict holiday.mp4 --model data/06_models/sample/main/disfa/fg2020
      action-units predict photographs/ --model MODELS --fold 3 --out tables --annotate
      action-units live --model data/06_models/sample/main/disfa/fg2020
      action-units export data/06_models/sample/main/disfa/fg2020 --out exported
      action-units run --pipeline evaluate --params fold=3

    A model is the folder of a run (MODELS, such as data/06_models/sample/main/disfa/fg2020),
    one .safetensors file in it, or an exported folder. `action-units COMMAND --help` says more.
    """  # noqa: D301 - \b is click's


def _model_options(function: F) -> F:
    """The options --model, --fold and --device."""
    model = click.option(
        "--model",
        required=True,
        metavar="PLACE",
        type=_PATH,
        help="A run's folder of models, one .safetensors file, or an exported folder.",
    )
    fold = click.option(
        "--fold",
        type=int,
        help="The network of one fold. Without it, all that exist are combined.",
    )
    device = click.option(
        "--device",
        default="auto",
        show_default=True,
        help="auto, cpu, cuda, cuda:1 or mps.",
    )
    return model(fold(device(function)))


def _person_centred_option(modes: list[str]) -> Callable[[F], F]:
    """The option --person-centred."""
    return click.option(
        "--person-centred",
        type=click.Choice(modes),
        default="none",
        show_default=True,
        help="Relative to the person's own face: from the frames of the face until now"
        + (", or from all frames of the video." if "video" in modes else "."),
    )


@main.command(short_help="Write tables of the action units in pictures or videos.")
@click.argument("source", nargs=-1, required=True)
@_model_options
@click.option(
    "--out",
    type=_PATH,
    default=Path("predicted"),
    show_default=True,
    help="The folder for the tables.",
)
@click.option(
    "--faces",
    type=click.Choice(["all", "one"]),
    default="all",
    show_default=True,
    help="Follow every face, or take the one that preprocessing takes.",
)
@_person_centred_option(["none", "running", "video"])
@click.option(
    "--neutral",
    type=_PATH,
    help="Pictures or a video of the person's neutral face, for the same; with --faces one.",
)
@click.option("--workers", type=int, help="Threads; one for each core by default.")
@click.option("--batch-size", type=int, help="Faces in a batch; changes speed and memory only.")
@click.option(
    "--detector",
    type=click.Choice(["yunet", "ssd"]),
    help="In place of the detector that the model was trained with.",
)
@click.option(
    "--min-confidence", type=float, help="The lowest score that counts as a face, 0 to 1."
)
@click.option("--annotate", is_flag=True, help="Also pictures and videos with boxes and bars.")
@click.option("--timeline", is_flag=True, help="Also a plot of every AU along each video.")
def predict(source: tuple[str, ...], **options: Any) -> None:
    """Write a table of the action units in SOURCE.

    SOURCE is a picture, a video, a folder of either, a tar or TSV of photographs, a text with
    one path a line, or several of them; photographs may also be named by a URL. Of each video
    there are a CSV and a Parquet file with a row for each face of each frame; the photographs
    of a folder share one table. What was done before with the same model and settings is not
    done again. What cannot be used is listed in quarantine.csv, and the exit code is 1; a
    SOURCE that is one damaged file ends with 2.

    \b
    Examples:
      action-units predict interview.mp4 --model MODELS
      action-units predict monday.mp4 tuesday.mp4 --model MODELS
      action-units predict videos.txt --model MODELS --fold 2 --faces one
      action-units predict photographs/ --model MODELS --out tables --annotate
    """  # noqa: D301
    _log()
    from action_units.prediction.predict import predict_files

    files = predict_files(source[0] if len(source) == 1 else source, **options)
    for outcome in files.outcomes:
        if outcome.record:
            n_faces, frames = outcome.record["faces"], outcome.record["frames"]
            click.echo(f"{outcome.table}: {n_faces:,} faces, {frames:,} {outcome.unit}")
    for path in files.drawings:
        click.echo(str(path))
    if not files.complete:
        click.get_current_context().exit(QUARANTINED)


@main.command(short_help="Show action units in the browser.")
@_model_options
@click.option("--host", default="127.0.0.1", show_default=True, help="To listen on.")
@click.option("--port", type=int, default=8000, show_default=True, help="0 takes a free one.")
@click.option(
    "--max-upload-mb",
    type=float,
    default=500.0,
    show_default=True,
    help="The largest file that the page takes.",
)
@_person_centred_option(["none", "running"])
@click.option("--open", "open_browser", is_flag=True, help="Open the page in the browser.")
def live(model: Path, fold: int | None, device: str, **options: Any) -> None:
    """Show action units in the browser: of a webcam, a picture or a video.

    The page is for this computer alone unless --host says otherwise.

    \b
    Example:
      action-units live --model data/06_models/sample/main/disfa/fg2020 --open
    """  # noqa: D301
    _log()
    server = import_extra("action_units.live.server", "live", "The live view")
    from action_units.prediction.loading import load_classifier

    server.serve(load_classifier(model, fold, device=device), **options)


@main.command(short_help="Write a run's networks as files for others.")
@click.argument("model", type=_PATH)
@click.option("--out", type=_PATH, required=True, help="The folder.")
@click.option("--fold", type=int, help="The network of one fold; all that are there without.")
@click.option(
    "--card",
    type=_Path(path_type=Path, exists=True, dir_okay=False),
    help="The run's model card, where the run is in no project that has it.",
)
@click.option("--onnx/--no-onnx", default=True, show_default=True, help="Also as ONNX.")
@click.option("--int8/--no-int8", default=True, show_default=True, help="Also in integers.")
def export(
    model: Path, out: Path, fold: int | None, card: Path | None, onnx: bool, int8: bool
) -> None:
    """Write a run's networks as files for others: weights, JSON, ONNX and a model card.

    MODEL is the folder of a run.

    \b
    Example:
      action-units export data/06_models/sample/main/disfa/fg2020 --out exported
    """  # noqa: D301
    _log()
    from action_units.export.package import export_run

    text = None if card is None else card.read_text()
    click.echo(str(export_run(model, out, fold=fold, card=text, onnx=onnx, int8=int8)))


@main.command(
    short_help="Run the pipelines that train a classifier.",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(arguments: tuple[str, ...]) -> None:
    """Run pipelines; ARGUMENTS are those of `kedro run`, such as --pipeline evaluate."""
    from kedro.framework.cli.utils import find_run_command
    from kedro.framework.project import configure_project

    from action_units import hints

    hints.program = "action-units run"
    configure_project("action_units")
    find_run_command("action_units")(list(arguments), prog_name="action-units run")


def _log() -> None:
    """Log progress to stderr."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("action_units").setLevel(logging.INFO)
