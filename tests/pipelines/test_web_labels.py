"""The web set's labels through its nodes: whose they are, by which name, from what files."""

import csv
import logging

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from action_units.config import ClusterSettings, PreprocessSettings, WebSetSettings
from action_units.config.preprocessing import OpenFaceSettings
from action_units.datasets.raw import RawFolder
from action_units.errors import ConfigurationError, LabelError
from action_units.labels.action_units import PRETRAIN_AUS
from action_units.pipelines.preprocessing import nodes
from action_units.pipelines.preprocessing.annotators import Annotator
from tests.faces.scenes import face_and_box
from tests.faces.test_openface_runner import Set
from tests.test_config import configured

PEOPLE = {"Adriana Lima": 0, "Müller": 1, "O'Neil, Pat (actor)": 1, "train/p0": 0}
SUFFIXES = (".jpg", ".JPG", ".png", ".jpeg")
NOBODY = pd.DataFrame({"person": []}, dtype=str)
SCORED = [au for au in PRETRAIN_AUS if au != 28]


class WebSet:
    """Eight photographs of four people; on each a near face, and a far one by it."""

    def __init__(self, folder):
        self.folder = folder
        self.photographs, self.annotations = folder / "photographs", folder / "openface.csv"
        self.params = configured()["preprocess"]
        self.near, self.far = {}, {}
        self.annotators = {}
        for k in range(8):
            person = list(PEOPLE)[k % 4]
            name = f"{person}/{k}{SUFFIXES[k // 2]}"
            self.draw(name, k, turned=k in (2, 3))
        with (folder / "identities.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["identity", "gender"])
            rows.writerows(PEOPLE.items())

    def draw(self, name, seed, turned):
        picture = np.full((300, 420), 120, np.uint8)
        for side, left, boxes in ((240, 10, self.near), (130, 275, self.far)):
            face, (x, y, width, height) = face_and_box(seed + (side == 130) * 20)
            scale = side / 192
            picture[40 : 40 + side, left : left + side] = cv2.resize(face, (side, side))
            # Landmarks go from the brows to the chin and from ear to ear.
            boxes[name] = (left + x * scale, 40 + (y + 0.3 * height) * scale,
                           width * scale, 0.7 * height * scale)  # fmt: skip
        path = self.photographs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(picture)
        exif = image.getexif()
        if turned:  # as a telephone keeps it: the pixels lie, and EXIF says so
            image = image.transpose(Image.Transpose.ROTATE_90)
            exif[0x0112] = 6
        image.save(path, exif=exif, **({} if path.suffix == ".png" else {"quality": 95}))

    def annotate(self, names=str, located=True, both=True, coded=True):
        """The near face shows AU12 alone; the far one, of which OpenFace is surer, all others."""
        columns = ["image", "face", "confidence"]
        columns += [f"{axis}_{k}" for axis in "xy" for k in range(4)] if located else []
        columns += [f"AU{au:02d}_r" for au in SCORED]
        columns += [f"AU{au:02d}_c" for au in PRETRAIN_AUS] if coded else []
        lines = [", ".join(columns)]
        for name in self.near:
            for face, box in enumerate((self.far[name], self.near[name])[not both :]):
                is_near = box is self.near[name]
                left, top, width, height = box
                place = [left, left + width, left, left + width, top, top, top + height, top]
                shown = [(au == 12) == is_near for au in SCORED]
                cells = [names(name), face, 0.8 if is_near else 0.99]
                cells += place if located else []
                cells += [2.5 if one else 0.25 for one in shown]
                cells += [int((au == 12) == is_near) for au in PRETRAIN_AUS] if coded else []
                lines.append(", ".join(f'"{c}"' if "," in str(c) else str(c) for c in cells))
        self.annotations.write_text("\n".join(lines) + "\n")

    def source(self):
        return RawFolder(self.folder, "x")

    def read(self):
        return nodes.read_web_labels(
            self.source(),
            self.folder / "files",
            self.folder / "models",
            NOBODY,
            self.web(),
            self.settings(),
        )

    def web(self):
        return WebSetSettings.read(
            configured()["web_sets"]["web"] | {"held_out": 0.25} | self.annotators
        )

    def settings(self):
        return PreprocessSettings.read(self.params)

    def label(self):
        """The labelled crops by photograph, and what was set aside."""
        labels, cluster = self.read(), ClusterSettings()
        crops, aside = nodes.crop_photographs(
            self.source(), labels, self.folder / "crops", self.folder / "journal", NOBODY,
            self.web(), self.settings(), 0, cluster,
        )  # fmt: skip
        assert aside.empty, aside
        made, aside = nodes.label_faces(
            crops,
            labels.annotators,
            labels,
            self.source(),
            self.folder / "crops",
            self.web(),
            self.settings(),
            1,
        )
        return made.table.set_index("photograph"), aside


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return WebSet(tmp_path_factory.mktemp("web"))


def test_labels_are_those_of_the_face_in_the_crop_whatever_the_names(made, caplog):
    made.annotate(lambda name: "./" + name.rpartition(".")[0].replace("/", "\\"))
    table, aside = made.label()
    assert aside.empty
    assert set(table.index) == set(made.near)
    assert table["AU12"].eq(1).all()
    assert not table[[f"AU{au:02d}" for au in PRETRAIN_AUS if au != 12]].any(axis=None)
    people = {name: table.loc[name, "gender"] for name in table.index}
    assert people == {name: PEOPLE[name.rpartition("/")[0]] for name in table.index}
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


def test_several_faces_without_a_place_are_set_aside_and_counted(made):
    made.annotate(located=False)
    with pytest.raises(LabelError, match=r"2 faces, and the file lacks their positions"):
        made.label()
    made.annotate(located=False, both=False)
    text = made.annotations.read_text().splitlines()
    first = text[1].replace(" 0, 0.8", " 1, 0.9")
    made.annotations.write_text("\n".join([*text, first]) + "\n")
    table, aside = made.label()
    assert len(table) == 7
    assert aside[["reason", "detail"]].to_numpy().tolist() == [
        ["several faces", "2 faces, and the file lacks their positions"]
    ]


def test_intensities_alone_are_labels_of_17_aus(made):
    made.annotate(coded=False)
    table, _ = made.label()
    assert [name for name in table if name.startswith("AU") and len(name) == 4] == [
        f"AU{au:02d}" for au in SCORED
    ]
    assert table["AU12"].eq(1).all()
    assert table["AU12_r"].eq(2.5).all()
    assert table["AU01"].eq(0).all()


def test_two_annotators_of_the_same_photographs(made, caplog):
    caplog.set_level(logging.INFO)
    made.annotate(both=False)  # AU12 alone is present
    first, *others = made.near
    table = pd.DataFrame({"image": others, "AU12": 0.5, "AU4": 0.25, "AU24": 0.75})
    table.loc[0, "AU12"] = 0.125
    table.to_csv(made.folder / "table.csv", index=False)
    made.annotators = {"second_annotations": {"program": "table", "scale": 1}}
    mean, aside = made.label()
    assert first not in mean.index
    assert aside[["path", "reason"]].to_numpy().tolist() == [[first, "the table"]]
    assert mean.loc[others[0], ["AU12_p", "AU04_p", "AU24_p", "AU01_p"]].tolist() == [
        0.5625, 0.125, 0.75, 0]  # fmt: skip
    assert mean.loc[others[0], ["AU12", "AU04", "AU24"]].tolist() == [1, 0, 1]
    made.annotators["combine"] = "agreement"
    table, _ = made.label()
    assert table["AU12"].value_counts().to_dict() == {1: 6, -1: 1}
    assert table.loc[others[0], "AU12"] == -1
    assert table["AU04"].eq(0).all()
    assert "OpenFace and the table differ in AU01 0 of 0, " in caplog.text
    assert "AU12 1 of 7" in caplog.text
    made.annotators = {}


def test_labels_are_refused_before_anything_is_cropped(made):
    made.annotate()
    identities = made.folder / "identities.csv"
    whole, rows = identities.read_text(), made.annotations.read_text()
    for text, says in (
        (
            whole.replace("train/p0,0\n", ""),
            r"train/p0, who is shown in train~p0_\d+-FaceId-0\.jpg",
        ),
        (whole.replace("gender", "sex"), "the header must be identity,gender"),
        (None, "identities.csv: there is no such file"),
    ):
        identities.unlink() if text is None else identities.write_text(text)
        with pytest.raises(LabelError, match=says):
            made.read()
    identities.write_text(whole)
    for text, says in (
        (rows.replace(", 0.99", ", high", 1), "openface.csv, line 2: confidence is 'high'"),
        (rows.replace("/", "/x"), r"none of its 8 pictures .* is one of the 8 photographs"),
        ("PK\x03\x04", "line 1: the file is not CSV but a zip archive"),
    ):
        made.annotations.write_text(text)
        with pytest.raises(LabelError, match=says):
            made.read()
    made.annotations.unlink()
    with pytest.raises(
        ConfigurationError, match=f"openface.csv is not there, and .* into {made.folder}/files"
    ):
        made.read()
    made.params["openface"]["binary"] = "no-such-program"
    with pytest.raises(ConfigurationError, match="no-such-program does not exist"):
        made.read()
    made.params["openface"]["binary"] = None


def test_files_are_found_where_the_message_says_to_put_them(made):
    made.annotate(both=False)
    with made.annotations.open(newline="") as file:
        header, *rows = csv.reader(file, skipinitialspace=True)
    made.annotations.unlink()
    for image, *row in rows:
        path = made.folder / "files" / f"{image.rpartition('.')[0]}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{', '.join(header[1:])}\n{', '.join(row)}\n")
    labels = made.read()
    [annotator] = labels.annotators
    assert annotator.path == made.folder / "files"
    assert len(annotator.table.table) == 8


def test_openface_does_not_see_photographs_of_people_who_have_withdrawn(tmp_path, made):
    files = Set(tmp_path)
    for name in ("Adriana Lima/1.jpg", "train/p0/1.jpg", "Müller/2.jpg"):
        path = files.photographs / name
        path.parent.mkdir(parents=True)
        path.write_text("face")
    settings = made.settings()
    settings = settings.model_copy(
        update={"openface": OpenFaceSettings(binary=str(files.binary), arguments=[])}
    )
    gone = pd.DataFrame({"person": ["Adriana Lima", "train/p0"]})
    web = made.web().model_copy(update={"photographs": str(files.photographs)})
    labels = nodes.WebLabels({}, annotators=(Annotator(web.annotations, files.out),))
    nodes.annotate_photographs(
        made.source(),
        labels,
        pd.DataFrame(),
        tmp_path,
        files.out,
        gone,
        web,
        settings,
        1,
        "cpu",
    )
    assert [photographs for _, photographs in files.calls()] == [["2.jpg"]]
    assert [path.name for path in files.out.rglob("*.csv")] == ["2.jpg.csv"]


def test_quarantine_tables_are_merged_by_the_work_that_they_are_of():
    row = {"path": "a.jpg", "reason": "truncated", "detail": "x", "sha256": ""}
    some, none = pd.DataFrame([row]), pd.DataFrame([row])[:0]
    merged = nodes.merge_quarantines(web=some, disfa=none, web_labels=None)
    assert merged[["source", "reason"]].to_numpy().tolist() == [["web", "truncated"]]
    assert list(nodes.merge_quarantines(web=None)) == list(merged)
