"""Networks of faces in colour: prediction is evaluation bit for bit, and grey is taken too."""

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest

import action_units
from action_units.config import CropSettings, NetworkSpec
from action_units.errors import ArtifactError, ConfigurationError
from action_units.export.fold_models import FoldModel, check_compatible
from action_units.faces.crop import FaceSettings
from action_units.faces.packing import pack_crops
from action_units.faces.preprocess import Recording, crop_videos
from action_units.faces.workers import Workers
from action_units.models.model_files import load_model, save_model
from action_units.models.registry import build_network
from action_units.models.trained import TrainedModel
from action_units.prediction.annotate import annotate_crops
from action_units.prediction.loading import load_classifier
from action_units.training.inference import predict
from tests.prediction.conftest import AUS, fold_postprocessing, scene, write_json, write_video

COLUMNS = ["AU01_p", "AU04_p", "AU12_p"]
TINT = np.array([0.55, 0.75, 1.0])  # blue, green, red, as of skin


def settings(colour, suffix=".jpg"):
    return FaceSettings(
        crop=CropSettings(margin=0.05, max_size=100, colour=colour, suffix=suffix)
    )


def write_run(folder, *, cut=True, trained=True, channels=3, recorded=True):
    """One fold's model; `cut`: crops in colour; `trained`: faces in colour."""
    faces = {**settings(cut).provenance(), "size": 48} if recorded else None
    spec = NetworkSpec(width=0.5, image_size=32, channels=channels)
    about = {"flip_average": True, "faces": faces, **({"colour": True} if trained else {})}
    place = folder / "fold1"
    model = TrainedModel(build_network(spec, len(AUS), seed=1).eval(), spec, AUS, about)
    save_model(model, place / "finetuned.safetensors")
    write_json(place / "finetuned_treatment.json", fold_postprocessing(1).to_json(AUS))
    return folder


def coloured(picture):
    return (picture[..., None] * TINT).round().astype(np.uint8)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    frames = [coloured(scene({0: 20 + 4 * n})) for n in range(6)]
    return write_video(tmp_path_factory.mktemp("videos") / "red.avi", frames)


def evaluated(video, folder, cut, packed, model):
    """The probabilities of the video's faces as evaluation has them, by frame."""
    recording = Recording(
        "one", "SN001", video, {n: f"{n}.jpg" for n in range(1, 7)}, tolerance=0
    )
    out = crop_videos(
        [recording], str(folder / "crops"), folder / "journal", settings(cut), Workers(0)
    )
    table = out.table.assign(AU01=0)
    store, _ = pack_crops(folder / "crops", table, 48, 1, colour=packed)
    assert store.colour is packed
    return store, predict(model, store.faces, "cpu", flip=True)


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("channels", [3, 1])
def test_a_video_gets_the_probabilities_of_the_evaluation_bit_for_bit(
    video, tmp_path, cut, trained, channels
):
    """However the crops were cut, the faces packed, and whatever the network takes."""
    run = write_run(tmp_path / "run", cut=cut, trained=trained, channels=channels)
    model = load_model(run / "fold1/finetuned.safetensors")
    assert model.colour is trained
    store, wanted = evaluated(video, tmp_path, cut, trained, model)
    found = action_units.predict(video, run, fold=1, device="cpu")
    assert found["frame"].tolist() == store.table["frame"].tolist() == [*range(1, 7)]
    assert found[COLUMNS].to_numpy().tobytes() == wanted.tobytes()
    if trained and cut:
        blue, red = store.faces[..., 2].mean(), store.faces[..., 0].mean()
        assert red > 1.5 * blue


def test_colours_change_the_answer_of_a_network_of_colours(tmp_path):
    run = write_run(tmp_path)
    grey, red = scene({0: 20}), coloured(scene({0: 20}))
    same = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    p = [
        action_units.predict(picture, run, fold=1, device="cpu")[COLUMNS].to_numpy()
        for picture in (grey, same, red)
    ]
    assert p[0].shape == (1, 3)
    assert np.array_equal(p[0], p[1])  # a grey photograph has equal channels
    assert not np.allclose(p[0], p[2], atol=1e-4)


def test_a_network_that_never_saw_colours_gets_none(tmp_path):
    """Also one of three channels, for which grey was repeated."""
    run = write_run(tmp_path, trained=False, cut=False)
    model = load_model(run / "fold1/finetuned.safetensors")
    colours = np.random.default_rng(0).integers(0, 256, (5, 48, 48, 3)).astype(np.uint8)
    grey = (colours @ np.array([299, 587, 114]) + 500) // 1000
    assert np.array_equal(
        predict(model, colours, "cpu"), predict(model, grey.astype(np.uint8), "cpu")
    )


def test_crops_made_elsewhere_are_cut_in_the_colours_they_were_trained_in(tmp_path):
    for trained in (True, False):
        run = write_run(tmp_path / str(trained), recorded=False, trained=trained)
        faces = load_classifier(run, fold=1, device="cpu").faces
        assert (faces.colour, faces.settings.crop.colour) == (trained, trained)


def test_crops_in_colour_are_annotated_by_a_run_in_colour_or_grey_but_grey_ones_by_grey(
    tmp_path,
):
    (tmp_path / "crops").mkdir()
    cv2.imwrite(str(tmp_path / "crops/a.jpg"), coloured(scene({0: 20})[40:200, 20:180]))
    crops = pd.DataFrame({"image": ["a.jpg"], "rectsize": ["(0,0,160,160)"]})
    runs = {c: write_run(tmp_path / f"run{c}", cut=c, trained=c) for c in (True, False)}
    for made, trained in ((True, True), (True, False), (False, False)):
        made_with = settings(made).provenance()
        annotate_crops(tmp_path / "crops", crops, runs[trained], made_with, device="cpu")
    with pytest.raises(ConfigurationError, match="crop.colour is False here and True there"):
        annotate_crops(tmp_path / "crops", crops, runs[True], settings(False).provenance())


def test_networks_of_colour_and_of_grey_are_not_combined(tmp_path):
    runs = [write_run(tmp_path / str(c), trained=c) for c in (True, False)]
    models = [load_model(run / "fold1/finetuned.safetensors") for run in runs]
    both = [FoldModel(f"fold{n}", m, fold_postprocessing(1)) for n, m in enumerate(models)]
    with pytest.raises(ArtifactError, match="were trained on faces in colour and in grey"):
        check_compatible(both, "here")
    check_compatible([both[0], replace(both[0], name="fold9")], "here")
