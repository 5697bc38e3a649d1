"""``action_units.predict`` as a user calls it."""

import doctest
import subprocess
import sys

import cv2
import numpy as np
import pandas as pd
import pytest

import action_units
from action_units.errors import ConfigurationError, LabelError, UnusableFace
from action_units.prediction.loading import load_classifier
from action_units.prediction.predict import predict
from tests.prediction.conftest import scene, write_video

FRAME = ["frame", "timestamp", "face_id", "confidence", "success", "x", "y", "width", "height"]
AUS = ["AU01_p", "AU04_p", "AU12_p", "AU01_c", "AU04_c", "AU12_c"]


def test_the_example_of_the_docstring_runs(run_folder, pictures, tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "models/fg2020").symlink_to(run_folder)
    (tmp_path / "photograph.png").write_bytes((pictures / "a.png").read_bytes())
    monkeypatch.chdir(tmp_path)
    tests = doctest.DocTestFinder().find(predict, "predict", globs={})
    outcome = doctest.DocTestRunner().run(tests[0])
    assert outcome.attempted == 3
    assert outcome.failed == 0


def test_importing_the_package_is_light():
    script = "import action_units, sys; print(sorted({'torch','pandas','numpy','cv2','scipy'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="predicts"):
        action_units.predicts  # noqa: B018


def test_columns_of_pictures_videos_and_several(run_folder, pictures, two_people):
    classifier = load_classifier(run_folder, 1, device="cpu")
    one = action_units.predict(pictures / "both.png", classifier)
    assert list(one) == ["image", *FRAME, *AUS]
    assert one["image"].tolist() == ["both.png"] * 2
    video = action_units.predict(two_people, classifier, faces="one")
    assert list(video) == [*FRAME, *AUS]
    several = action_units.predict([pictures / "a.png", two_people], classifier, faces="one")
    assert next(iter(several)) == "source"
    assert several["source"].unique().tolist() == ["photographs", "two"]
    rest = several[several["source"] == "two"].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest[list(video)], video)


def test_pixels_in_memory_are_a_picture(run_folder, pictures):
    picture = cv2.imread(str(pictures / "both.png"))
    classifier = load_classifier(run_folder, 1, device="cpu")
    of_file = action_units.predict(pictures / "both.png", classifier)
    found = action_units.predict(picture, classifier)
    pd.testing.assert_frame_equal(found, of_file.drop(columns="image"))
    gray = action_units.predict(picture[..., 0].copy(), classifier)
    assert len(gray) == 2
    for wrong in (picture / 255, picture[None], np.zeros((0, 5), np.uint8)):
        with pytest.raises(ConfigurationError, match="expected uint8"):
            action_units.predict(wrong, classifier)
    with pytest.raises(ConfigurationError, match="no name"):
        action_units.predict(picture, classifier, out="x")


def test_the_detectors_options_replace_those_of_the_training(run_folder, pictures):
    none = action_units.predict(pictures / "a.png", run_folder, min_confidence=0.999)
    assert none["success"].tolist() == [0]
    classifier = load_classifier(run_folder, device="cpu")
    other = classifier.with_detector("ssd", 0.3)
    assert other.faces.settings.detector.name == "ssd"
    assert other.faces.settings.detector.lowest_score == 0.3
    assert other.faces.settings.crop == classifier.faces.settings.crop
    assert classifier.with_detector() is classifier
    with pytest.raises(ConfigurationError, match="score is 2; it must be"):
        classifier.with_detector(None, 2)


def test_in_memory_nothing_is_left_out_without_a_word(run_folder, pictures, tmp_path):
    classifier = load_classifier(run_folder, 1, device="cpu")
    (tmp_path / "cut.png").write_bytes((pictures / "a.png").read_bytes()[:700])
    with pytest.raises(UnusableFace, match=r"cut\.png: .*with a folder `out`"):
        action_units.predict(tmp_path, classifier)
    path = write_video(tmp_path / "v.avi", [scene({0: 3})] * 3)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(LabelError, match="cut short"):
        action_units.predict(path, classifier)
    table = action_units.predict(tmp_path, classifier, out=tmp_path / "out")
    assert table["set_aside"].tolist() == [1, 1]
    with pytest.raises(ConfigurationError, match="fold is for a model on disk"):
        action_units.predict(path, classifier, fold=2)
