"""The detectors' files: found without an import, and used only if they are the known ones."""

import importlib.util
import subprocess
import sys

import cv2
import pytest

from action_units.config import DetectorSettings
from action_units.errors import ArtifactError
from action_units.faces.detection.base import read_weights
from action_units.faces.detection.registry import make_detector, model_sha256
from action_units.faces.detection.ssd import SSD, SSD_LAYERS
from action_units.faces.detection.yunet import YUNET
from tests.faces.ssd_files import needs_the_ssd

PARTS = {"yunet": (YUNET,), "ssd": (SSD, SSD_LAYERS)}


@pytest.fixture(params=PARTS)
def name(request):
    if request.param == "ssd":
        needs_the_ssd()
    return request.param


@pytest.fixture
def model(name, tmp_path):
    """A detector's files copied out of the package; the path of the weights."""
    for part in PARTS[name]:
        (tmp_path / part.names[-1]).write_bytes(read_weights(part))
    return tmp_path / PARTS[name][0].names[0]


def test_configured_files_serve_as_the_packages_do(name, model):
    settings = DetectorSettings(name=name, model=str(model))
    assert model_sha256(settings) == model_sha256(DetectorSettings(name=name))
    assert model_sha256(settings) == PARTS[name][0].sha256
    assert make_detector(settings).settings == settings


def test_a_flipped_bit_is_refused(name, model):
    settings = DetectorSettings(name=name, model=str(model))
    for part in PARTS[name]:
        path = model.with_name(part.names[-1])
        whole = path.read_bytes()
        content = bytearray(whole)
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        for use in (make_detector, model_sha256):
            with pytest.raises(ArtifactError, match=f"{path.name} is not .* its SHA-256 is"):
                use(settings)
        path.write_bytes(whole)


def test_a_missing_file_is_named(name, model):
    for part in PARTS[name]:
        path = model.with_name(part.names[-1])
        path.rename(path.with_suffix(".away"))
        with pytest.raises(ArtifactError, match=r"cannot be read \(No such file"):
            model_sha256(DetectorSettings(name=name, model=str(model)))
        path.with_suffix(".away").rename(path)


def test_line_ends_of_the_layers_do_not_matter(tmp_path):
    needs_the_ssd()
    model = tmp_path / "res10.caffemodel"
    model.write_bytes(read_weights(SSD))
    layers = read_weights(SSD_LAYERS).replace(b"\r\n", b"\n")
    for ends in (b"\n", b"\r\n"):
        (tmp_path / "deploy.prototxt").write_bytes(layers.replace(b"\n", ends))
        make_detector(DetectorSettings(name="ssd", model=str(model)))


def test_packages_are_found_without_being_imported(name):
    package = PARTS[name][0].package
    code = (
        "import sys\n"
        "from action_units.faces.detection.registry import make_detector\n"
        "from action_units.config import DetectorSettings\n"
        f"make_detector(DetectorSettings(name={name!r}))\n"
        f"assert {package!r} not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", PARTS)
def test_a_missing_package_is_a_sentence(name, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    part = PARTS[name][0]
    with pytest.raises(ArtifactError, match=f"not installed; install {part.install}"):
        model_sha256(DetectorSettings(name=name))


@pytest.mark.parametrize("how", ["no such function", "not implemented"])
def test_an_opencv_that_reads_no_caffe_files_is_a_sentence(how, monkeypatch):
    needs_the_ssd()
    if how == "no such function":
        monkeypatch.delattr(cv2.dnn, "readNetFromCaffe")
    else:

        def refuse(*_):
            raise cv2.error("removed")

        monkeypatch.setattr(cv2.dnn, "readNetFromCaffe", refuse)
    with pytest.raises(ArtifactError, match="cannot read the SSD's Caffe files"):
        make_detector(DetectorSettings(name="ssd"))
