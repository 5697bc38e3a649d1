"""Predicting with a finished run, as a user types it."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import action_units
from action_units.config import PredictSettings
from action_units.errors import ArtifactError, ConfigurationError
from action_units.pipelines.prediction.nodes import predict_source

OUTPUT = "data/07_model_output/tiny/main/disfa/fg2020"
MODELS = "data/06_models/tiny/main/disfa/fg2020"
VIDEOS = "data/01_raw/tiny/disfa/Videos_RightCamera"
SETTINGS = PredictSettings(
    person_centred="none",
    neutral=None,
    faces="all",
    batch_size=None,
    detector=None,
    min_confidence=None,
    annotate=False,
    timeline=False,
)


def predict(project, *params, **options):
    return project.run(
        "--env",
        "tiny",
        "--pipelines",
        "predict",
        "--params",
        ",".join(params),
        **options,
    )


def by_node(project, folder, source, models=MODELS, fold=None):
    return predict_source(
        project.path / models, folder, source, None, fold, SETTINGS, "cpu", None
    )


@pytest.mark.parametrize("fold", [1, 3])
def test_a_frame_of_disfa_gets_the_probabilities_of_the_evaluation_bit_for_bit(copied, fold):
    project = copied
    output = project.path / OUTPUT
    evaluated = pd.read_parquet(output / f"fold{fold}/finetuned_raw_predictions.parquet")
    treated = pd.read_parquet(output / f"fold{fold}/finetuned_predictions.parquet")
    subject = sorted(set(evaluated["subject"]))[0]
    (video,) = (project.path / VIDEOS).glob(f"RightVideo{subject}*")
    if fold == 3:
        predict(project, f"source={video}", f"fold={fold}", "predict.faces=one")
        found = pd.read_parquet(output / f"predicted/{video.stem}.parquet")
    else:
        found = action_units.predict(video, project.path / MODELS, fold=fold)
    found = found[found["face_id"] == 0].set_index("frame")
    columns = [name for name in evaluated if name.endswith("_p")]
    for table in (evaluated, treated):  # the treatment of this run is `raw`
        wanted = table[table["subject"] == subject].set_index("frame")
        p = found.loc[wanted.index, columns].to_numpy()
        assert len(p) > 20
        assert p.tobytes() == wanted[columns].to_numpy(np.float32).tobytes()
    path = project.path / MODELS / f"fold{fold}/finetuned_treatment.json"
    thresholds = json.loads(path.read_text())["thresholds"]
    for column in columns:
        limit = thresholds[str(int(column[2:4]))]["threshold"]
        called = found.loc[wanted.index, column.replace("_p", "_c")].to_numpy(int)
        assert (called == (wanted[column] >= limit)).all()


def test_a_folder_is_predicted_by_all_folds_once(finished, tmp_path, caplog):
    project, _ = finished
    caplog.set_level("INFO")
    video = sorted((project.path / VIDEOS).iterdir())[0]
    (tmp_path / "in").mkdir()
    shutil.copy(video, tmp_path / "in/one.avi")
    (tmp_path / "in/cut.avi").write_bytes(video.read_bytes()[:9000])
    table = by_node(project, tmp_path / "out", str(tmp_path / "in"))
    assert "1 damaged video" in caplog.text
    assert table["set_aside"].tolist() == [1, 0]
    assert table["faces"].tolist()[1] > 20
    record = json.loads((tmp_path / "out/one.json").read_text())
    assert record["classifier"] == "tiny/main/disfa/fg2020 (fold1, fold2, fold3)"
    again = by_node(project, tmp_path / "out", str(tmp_path / "in"))
    assert again["done_before"].tolist() == [False, True]


def test_what_is_missing_is_one_sentence(finished, tmp_path):
    project, _ = finished
    printed = predict(project, "fold=3", fails=True)
    assert "predict needs a source: `kedro run --pipeline predict" in printed
    assert "Traceback" not in printed
    with pytest.raises(ConfigurationError, match="predict needs a source"):
        by_node(project, tmp_path, None)
    videos = str(project.path / VIDEOS)
    with pytest.raises(ArtifactError, match="no model was found.*--pipeline finetune"):
        by_node(project, tmp_path, videos, "data/06_models/tiny/other/disfa/fg2020")
