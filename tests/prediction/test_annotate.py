"""A finished run labels the crops of a web set."""

import cv2
import numpy as np
import pandas as pd
import pytest

from action_units.config import CropSettings
from action_units.errors import ConfigurationError
from action_units.faces.crop import FaceSettings
from action_units.prediction.annotate import annotate_crops, find_run
from action_units.prediction.loading import load_classifier
from tests.portraits import portrait
from tests.prediction.conftest import AUS, FACES


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    """Three crops, one of which is damaged, and the table of them."""
    folder = tmp_path_factory.mktemp("crops")
    images = [f"p{k}_0-FaceId-0.png" for k in range(3)]
    for k, image in enumerate(images):
        cv2.imwrite(str(folder / image), portrait(k)[:120, :120])
    (folder / images[1]).write_bytes(b"\x89PNG\r\n")
    return folder, pd.DataFrame({"image": images, "rectsize": "(0,0,120,120)"})


def test_labels_are_the_predictions_with_the_thresholds_of_the_run(run_folder, crops):
    folder, table = crops
    found = annotate_crops(folder, table, run_folder, FACES.provenance(), device="cpu")
    assert found.table["image"].tolist() == [table["image"][0], table["image"][2]]
    classifier = load_classifier(run_folder, device="cpu")
    names = [f"AU{au:02d}" for au in AUS]
    p = found.table[[f"{name}_p" for name in names]].to_numpy()
    faces = np.stack(
        [
            cv2.resize(
                cv2.imread(str(folder / image), cv2.IMREAD_GRAYSCALE),
                (classifier.faces.size,) * 2,
                interpolation=cv2.INTER_AREA,
            )
            for image in found.table["image"]
        ]
    )
    expected, present, _ = classifier.combine(classifier.probabilities(faces))
    assert p == pytest.approx(expected, abs=1e-6)
    assert found.table[names].to_numpy().tolist() == present.astype(int).tolist()
    assert found.dropped["image"].tolist() == [table["image"][1]]
    low = annotate_crops(
        folder, table, run_folder, FACES.provenance(), present_from=1e-6, device="cpu"
    )
    assert low.table[names].eq(1).all(axis=None)


def test_crops_made_in_another_way_are_refused(run_folder, crops):
    other = FaceSettings(crop=CropSettings(margin=0.3, max_size=128)).provenance()
    with pytest.raises(ConfigurationError, match=r"crop\.margin is 0\.3 here and 0\.05 there"):
        annotate_crops(*crops, run_folder, other, device="cpu")


def test_a_run_is_found_by_its_name(run_folder, tmp_path):
    models = run_folder.parents[2]
    assert find_run(str(run_folder), models) == run_folder
    assert find_run("main", models) == run_folder
    assert find_run("/project/main", models) == run_folder
    with pytest.raises(ConfigurationError, match="neither a folder nor the name of a finished"):
        find_run("other", models)
    for protocol in ("a", "b"):
        (tmp_path / "main" / protocol / "fold1").mkdir(parents=True)
        (tmp_path / "main" / protocol / "fold1" / "finetuned.safetensors").touch()
    with pytest.raises(ConfigurationError, match=r"set annotations\.path to one of .*main/a, "):
        find_run("main", tmp_path)
