"""Nodes that test a finished run's networks on a coded set that they were not trained on."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from action_units.config import CodedSetSettings, CrossSettings
from action_units.datasets.folds import EvaluatedFold
from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.cross.leaks import (
    check_no_shared_faces,
    check_target,
    face_hashes,
    unseen_subjects,
)
from action_units.evaluation.cross.result import CrossTest, Within
from action_units.evaluation.cross.scores import (
    NetworkPredictions,
    common_aus,
    ensemble,
    refit,
    score_networks,
    score_within,
    support,
)
from action_units.evaluation.run_folder import MODEL, fold_files
from action_units.faces.store import FaceStore
from action_units.hints import command
from action_units.labels.action_units import au_column
from action_units.stages import predictions_of

if TYPE_CHECKING:
    from action_units.export.fold_models import FoldModel

logger = logging.getLogger(__name__)

Sets = Mapping[str, CodedSetSettings]


def check_cross(on: str | None, coded: str, coded_sets: Sets, models: Path) -> None:
    """Check that there is another set to test on, and a run to test, before anything is done.

    Raises:
        ConfigurationError: As ``check_target``.
        ArtifactError: The run has no trained network.
    """
    check_target(on, coded, coded_sets, command("evaluate"))
    if not fold_files(models, MODEL):
        raise ArtifactError(
            f"{models} has no trained network to test on {on}; {command()} trains and "
            "evaluates them."
        )


def predict_new_set(
    models: Path,
    faces: FaceStore,
    learned: FaceStore,
    web: FaceStore | None,
    on: str,
    coded: str,
    coded_sets: Sets,
    device: str,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Predict with each network the people of another set who are new to it.

    Args:
        models: The folder of the run's models.
        faces: Of the set to test on.
        learned: Of the sets that the networks were trained on.
        web: Of the photographs of pre-training; None where they are not here.
        on: The set to test on.
        coded: The sets that the networks were trained on.
        coded_sets: The settings of all coded sets.
        device: Where to compute.

    Returns:
        One row for each network (``fold1`` …) and face, as ``predictions_of`` gives it, with
        postprocessed probabilities of the AUs in common; and what belongs to the networks:
        thresholds, and what they were made from.

    Raises:
        ConfigurationError: No AU in common, faces of another size, or a person or a face that
            a network has learned from.
        ArtifactError: The run is not finished, or a model does not record its subjects.
    """
    from action_units.export.fold_models import read_run
    from action_units.training.inference import predict

    check_target(on, coded, coded_sets, command("evaluate"))
    networks = {int(one.name.removeprefix("fold")): one for one in read_run(models)}
    first = next(iter(networks.values())).model
    not_learned = {
        au
        for network in networks.values()
        for au in network.model.provenance.get("not_scored", {}).get("training", ())
    }
    learned_aus = [au for au in first.aus if au not in not_learned]
    common, of_networks, of_set = common_aus(learned_aus, faces.aus, on)
    _check_kind(faces, first.spec.image_size, first.colour, on)
    known = {fold: _known(network, models) for fold, network in networks.items()}
    everybody = {who for one in networks.values() for who in _subjects(one, "test")}
    unseen = unseen_subjects(
        on,
        faces.subjects.tolist(),
        known,
        everybody.union(*known.values()),
        coded,
        {name: settings.people for name, settings in coded_sets.items()},
    )
    _check_faces(faces, learned, {f: (known[f], unseen[f]) for f in unseen}, on, coded)
    if any(one.model.provenance.get("stage") != "scratch" for one in networks.values()):
        _check_web_faces(faces, web, on)
    columns = [first.aus.index(au) for au in common]
    tables = []
    for fold, subjects in unseen.items():
        network, tested = networks[fold], faces.select(np.isin(faces.subjects, subjects))
        raw = predict(network.model, tested.faces, device, flip=network.flip)
        p = network.postprocessing.probabilities(raw, *_videos(tested.table))
        table = predictions_of(tested, common, p[:, columns].astype(np.float32))
        if (intensity := network.postprocessing.intensity) is not None:
            estimated = intensity.columns(first.aus, p.astype(np.float32))
            table = table.assign(**{n: v for n, v in estimated.items() if n[:4] in table})
        tables.append(table.assign(network=network.name))
        logger.info("%s: %d subjects of %s", network.name, len(subjects), on)
    return pd.concat(tables, ignore_index=True), {
        "aus": list(common),
        "aus_of_networks": list(of_networks),
        "aus_of_set": list(of_set),
        "not_learned": sorted(not_learned),
        "people_of_set": sorted(set(faces.subjects.tolist())),
        "rendered": _rendered(faces),
        "rendered_training": _rendered(learned),
        "same_crops": first.provenance.get("faces") == faces.notes.get("faces"),
        "networks": {
            networks[fold].name: {
                "thresholds": _thresholds(networks[fold], common),
                "weights": networks[fold].sha256,
                "recipe": networks[fold].model.provenance.get("recipe"),
                "stage": networks[fold].model.provenance.get("stage"),
                "protocol": networks[fold].model.provenance.get("protocol"),
            }
            for fold in unseen
        },
    }


def score_new_set(
    predictions: pd.DataFrame,
    about: Mapping[str, Any],
    within: Mapping[int, EvaluatedFold],
    on: str,
    coded: str,
    coded_sets: Sets,
    cross: CrossSettings,
    run: str,
    seed: int,
) -> tuple[CrossTest, pd.DataFrame]:
    """Score the networks on the new set, and against a run that was trained on it.

    Args:
        predictions: From ``predict_new_set``.
        about: From the same.
        within: The evaluated folds of the run that was trained on this set, if there are any.
        on: The set to test on.
        coded: The sets that the networks were trained on.
        coded_sets: The settings of all coded sets.
        cross: The parameters of this test.
        run: The run's name.
        seed: Of the draw of subjects to fit thresholds to.

    Returns:
        The test, and every score as a table.

    Raises:
        ConfigurationError: Too few subjects to fit thresholds to; or the other run was
            evaluated on other labels.
    """
    networks, aus = read_networks(predictions, about), tuple(about["aus"])
    together = ensemble(networks).predictions
    subjects = {
        fold: tuple(np.unique(one.predictions.subjects).tolist())
        for fold, one in networks.items()
    }
    tested = {who for own in subjects.values() for who in own}
    test = CrossTest(
        run=run,
        trained_on=coded,
        protocol=str(next(iter(about["networks"].values()))["protocol"]),
        tested_on=on,
        rendered=about["rendered"],
        rendered_training=about["rendered_training"],
        aus=aus,
        aus_of_networks=tuple(about["aus_of_networks"]),
        aus_of_set=tuple(about["aus_of_set"]),
        subjects=subjects,
        left_out=tuple(who for who in about["people_of_set"] if who not in tested),
        frames=len(together.subjects),
        support=support(together),
        scores=score_networks(networks),
        within=_score_within(networks, within, aus, on),
        refitted=None
        if cross.refit_subjects is None
        else refit(networks, cross.refit_subjects, on, seed),
        warnings=tuple(_warnings(about, within, on, coded, coded_sets)),
    )
    for name, line in test.scores["f1"].averages.items():
        logger.info(
            "Trained on %s, tested on %s, %s: F1 %.3f (ensemble %.3f, every frame positive "
            "%.3f)%s",
            coded,
            on,
            name,
            line.mean.value,
            line.ensemble.value,
            test.scores["floor_f1"].averages[name].mean.value,
            " (rendered faces)" if test.rendered or test.rendered_training else "",
        )
    return test, test.table()


def draw_figures(
    test: CrossTest, predictions: pd.DataFrame, about: Mapping[str, Any]
) -> dict[str, Any]:
    """Draw the test, for Kedro-Viz and for papers.

    Args:
        test: The scores.
        predictions: From ``predict_new_set``.
        about: From the same.

    Returns:
        Matplotlib figures by name.
    """
    from action_units.evaluation.report.cross import draw_cross

    together = ensemble(read_networks(predictions, about)).predictions
    return dict(draw_cross(test, together))


def write_report(test: CrossTest, predictions: pd.DataFrame, about: Mapping[str, Any]) -> str:
    """Render the page of the test; arguments as of ``draw_figures``."""
    from action_units.evaluation.report.cross import render_cross

    together = ensemble(read_networks(predictions, about)).predictions
    own_run = command("preprocess,finetune,evaluate", coded=test.tested_on)
    facts = {
        "run": test.run,
        "fold_protocol": test.protocol,
        **{
            f"{name}, {key}": value
            for name, network in about["networks"].items()
            for key, value in {
                "recipe": network["recipe"],
                "weights, SHA-256": network["weights"],
                "thresholds": ", ".join(
                    f"{au_column(int(au))} {value:.3f}"
                    for au, value in network["thresholds"].items()
                ),
            }.items()
        },
    }
    return render_cross(test, own_run, together, facts)


def read_networks(
    predictions: pd.DataFrame, about: Mapping[str, Any]
) -> dict[int, NetworkPredictions]:
    """The networks' predictions by fold; arguments as ``predict_new_set`` returns them."""
    return {
        int(name.removeprefix("fold")): NetworkPredictions.read(
            predictions[predictions["network"] == name].reset_index(drop=True),
            {int(au): value for au, value in network["thresholds"].items()},
            about["aus"],
        )
        for name, network in about["networks"].items()
    }


def _known(network: "FoldModel", models: Path) -> set[str]:
    """Everyone a network, its thresholds or other steps were fitted to or chosen on."""
    steps = network.postprocessing
    chosen = {*steps.thresholds.fitted_on, *steps.smoothing.fitted_on}
    for step in (steps.calibration, steps.intensity):
        chosen |= set(step.fitted_on) if step is not None else set()
    learned = {*_subjects(network, "train"), *_subjects(network, "validation")}
    if not learned:
        raise ArtifactError(
            f"{models / network.name}: its network does not record whom it was trained with, "
            f"so nobody can be known to be new to it; {command('finetune,evaluate')} trains it "
            "again."
        )
    return learned | chosen


def _subjects(network: "FoldModel", part: str) -> Sequence[str]:
    subjects: Sequence[str] = network.model.provenance.get("subjects", {}).get(part, ())
    return subjects


def _check_kind(faces: FaceStore, size: int, colour: bool, on: str) -> None:
    packed = faces.faces.shape[1]
    if packed != size:
        again = command("preprocess", coded=on, face_size=size)
        raise ConfigurationError(
            f"the networks take faces of {size} × {size} pixels, and those of {on} were packed "
            f"with {packed}; {again} packs them for these networks."
        )
    if colour and not faces.colour:
        raise ConfigurationError(
            f"the networks were trained on faces in colour, and those of {on} are grey; "
            "preprocess them with preprocess.crop.colour=true."
        )


def _check_faces(
    faces: FaceStore,
    learned: FaceStore,
    folds: Mapping[int, tuple[set[str], tuple[str, ...]]],
    on: str,
    coded: str,
) -> None:
    """Check that no network is tested on a face that it has learned from."""
    tested, known = face_hashes(faces), face_hashes(learned)
    for fold, (seen, unseen) in folds.items():
        check_no_shared_faces(
            known[known["subject"].isin(seen)],
            tested[tested["subject"].isin(unseen)],
            coded,
            on,
            f"fold {fold} is trained or validated on",
        )


def _check_web_faces(faces: FaceStore, web: FaceStore | None, on: str) -> None:
    """Check that no face is among those of pre-training, where these are here."""
    if web is None:
        logger.warning(
            "The photographs of pre-training are not here, so %s is not searched for them.", on
        )
    else:
        check_no_shared_faces(
            face_hashes(web), face_hashes(faces), "the web set", on, "is in pre-training"
        )


def _videos(table: pd.DataFrame) -> tuple[Any, Any]:
    """Each face's video and frame number, along which probabilities are smoothed."""
    if "frame" not in table or table["frame"].isna().any():
        return None, None
    subjects = table["subject"].astype(str)
    if "recording" in table:
        subjects = subjects + "/" + table["recording"].astype(str)
    return subjects.to_numpy(), table["frame"].to_numpy(np.int64)


def _thresholds(network: "FoldModel", aus: Sequence[int]) -> dict[str, float]:
    values = dict(zip(network.model.aus, network.postprocessing.thresholds.values, strict=True))
    return {str(au): values[au] for au in aus}


def _rendered(faces: FaceStore) -> bool:
    return "origin" in faces.table and bool((faces.table["origin"] == "rendered").all())


def _score_within(
    networks: Mapping[int, NetworkPredictions],
    within: Mapping[int, EvaluatedFold],
    aus: tuple[int, ...],
    on: str,
) -> Within | None:
    if not within:
        return None
    parts = []
    for fold in within.values():
        own = fold.evaluation.aus
        if missing := [au for au in aus if au not in own]:
            raise ConfigurationError(
                f"the run that was trained on {on} was evaluated without "
                f"{au_column(missing[0])}, which {on} codes now; "
                f"{command('preprocess,finetune,evaluate', coded=on)} trains it again."
            )
        limits = dict(zip(own, fold.evaluation.finetuned.au_table["threshold"], strict=True))
        parts.append(NetworkPredictions.read(fold.predictions["finetuned"], limits, aus))
    paired = score_within(networks, parts)
    return Within(next(iter(within.values())).evaluation.protocol, tuple(within), paired)


def _warnings(
    about: Mapping[str, Any],
    within: Mapping[int, EvaluatedFold],
    on: str,
    coded: str,
    coded_sets: Sets,
) -> list[str]:
    """What a reader must know besides the scores."""
    warnings = []
    if left := [au_column(au) for au in about.get("not_learned", ())]:
        warnings.append(
            f"{', '.join(left)}: not scored in any training frame of one of the networks, so "
            "not tested here."
        )
    if not about["same_crops"]:
        warnings.append(
            f"The faces of {on} were found and cut out in another way, or in another size of "
            f"crop, than those of {coded}; a part of the difference may come from that."
        )
    for name in coded.split("+"):
        ours, theirs = coded_sets[on].present_from, coded_sets[name].present_from
        if None not in (ours, theirs) and ours != theirs:
            warnings.append(
                f"An AU counts as present from intensity {theirs} in {name} and from {ours} in "
                f"{on}."
            )
    recipes = {network["recipe"] for network in about["networks"].values()}
    recipes |= {fold.evaluation.provenance.get("recipe") for fold in within.values()}
    if len(recipes) > 1:
        warnings.append(
            f"The networks that were trained on {on} follow another recipe: "
            f"{', '.join(sorted(map(str, recipes)))}."
        )
    return warnings
