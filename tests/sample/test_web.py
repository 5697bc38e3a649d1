import shutil
from collections import Counter
from pathlib import Path

import cv2
import pandas as pd
import pytest

from action_units.config import WebSampleConfig
from action_units.errors import ArtifactError
from action_units.labels.action_units import PRETRAIN_AUS, au_columns
from action_units.labels.annotations.read import read_annotations
from action_units.labels.names import parse_web_name
from action_units.sample.web import list_photographs, write_web_sample

SMALL = WebSampleConfig(photographs=90, identities=30, size=160, failures=0.1)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web") / "sample"
    assert write_web_sample(folder, SMALL, workers=2)
    return folder


def test_the_layout_parses_back(small: Path) -> None:
    header = (small / "openface.csv").read_text().splitlines()[0]
    assert header.startswith("image, face, confidence, success, AU01_r, ")
    assert ", AU28_r" not in header
    found = read_annotations(small / "openface.csv")
    assert len(found.table) + len(found.dropped) == 90
    assert 0 < len(found.dropped) < 25
    truth = pd.read_csv(small / "truth.csv")
    assert list(truth.columns) == ["image", *au_columns(PRETRAIN_AUS)]
    pictures = sorted(path.name for path in (small / "photographs").iterdir())
    assert sorted(truth["image"]) == pictures
    genders = pd.read_csv(small / "identities.csv", index_col="identity")["gender"]
    names = [parse_web_name(image) for image in pictures]
    assert {name.identity for name in names} == set(genders.index)
    assert Counter(genders[name.identity] for name in names) == {0: 45, 1: 45}
    for image in pictures[:20]:
        picture = cv2.imread(str(small / "photographs" / image), cv2.IMREAD_UNCHANGED)
        assert picture.shape[0] == 160


def test_any_number_of_workers_writes_the_same_bytes(small: Path, tmp_path: Path) -> None:
    write_web_sample(tmp_path, SMALL, workers=1)
    files = [path.relative_to(small) for path in small.rglob("*") if path.is_file()]
    assert len(files) == 95  # photographs, three tables, the manifest and its sums
    for name in files:
        assert (tmp_path / name).read_bytes() == (small / name).read_bytes(), name


def test_identifiers_look_like_freebases() -> None:
    photographs = list_photographs(WebSampleConfig(photographs=3000, identities=1000))
    identities = {photograph.identity for photograph in photographs}
    assert len(identities) == 1000
    assert any("_" in identity for identity in identities)
    assert len({photograph.image for photograph in photographs}) == 3000
    for photograph in photographs[:200]:
        assert parse_web_name(photograph.image).identity == photograph.identity


def test_other_noise_writes_new_labels_and_renders_nothing(small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    shutil.copytree(small, folder)
    mild = SMALL.model_copy(update={"noise": "mild"})
    assert not write_web_sample(folder, mild)
    assert (folder / "openface.csv").read_bytes() != (small / "openface.csv").read_bytes()
    assert not write_web_sample(folder, SMALL)
    for path in small.rglob("*"):
        assert (
            path.is_dir()
            or (folder / path.relative_to(small)).read_bytes() == path.read_bytes()
        )
    with pytest.raises(ArtifactError, match=r"config.occlusion was 0.12 and is now 0.5"):
        write_web_sample(folder, SMALL.model_copy(update={"occlusion": 0.5}))
