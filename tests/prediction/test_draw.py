"""Annotated copies: as many frames, the same rate, whole or not at all; calls without colour."""

import resource
from pathlib import Path

import cv2
import numpy as np
import pytest

from action_units.errors import ArtifactError, ConfigurationError, UnusableFace
from action_units.media.images import to_gray
from action_units.media.video import container_info, read_frames, timed_frames
from action_units.prediction.draw import annotate
from action_units.prediction.panel import MAX_COLUMNS, Panel, ShownFace
from tests.media.encoded import SHOWN, VARIABLE, encode, needs_ffmpeg
from tests.prediction.drawn import AUS, table, video

BOX = (20.0, 30.0, 50.0, 60.0)


def face(face_id: int = 0, p: float = 0.6, present: bool = True) -> ShownFace:
    return ShownFace(
        face_id, 0.9, BOX, np.full(len(AUS), p, np.float32), np.full(len(AUS), present)
    )


@needs_ffmpeg
def test_a_copy_of_a_variable_rate_lasts_as_long_as_its_source(tmp_path: Path):
    frames = [np.full((96, 128, 3), 8 * n, np.uint8) for n in range(30)]
    source = encode(tmp_path / "in.mp4", frames, *VARIABLE, rate=20)
    made = table({n: [0] for n in range(1, 31)})
    made["timestamp"] = [frame.seconds for frame in timed_frames(source, None)]
    out = annotate(source, made, tmp_path / "out.webm")
    times = [frame.seconds for frame in timed_frames(out, None)]
    np.testing.assert_allclose(times, SHOWN, atol=1e-3)


@pytest.mark.parametrize("rate", [20.0, 29.97])
def test_a_video_keeps_its_frames_and_its_rate(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], rate: float
):
    source = video(tmp_path / "in.avi", 7, rate)
    out = annotate(
        source,
        table({n: [0] for n in range(1, 8)}, rate=rate),
        tmp_path / "out.webm",
        name="model",
    )
    frames = list(read_frames(out, None))
    assert len(frames) == 7
    assert container_info(out).rate == pytest.approx(rate, rel=2e-3)
    # Each frame shows its own picture: the sample's gray grows from frame to frame.
    corner = [float(frame[300:340, 10:40].mean()) for frame in frames]
    assert corner == pytest.approx([10 + 20 * n for n in range(7)], abs=8)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.avi", out.name]
    assert "FFMPEG" not in capfd.readouterr().err


def test_a_picture_is_drawn_beside_its_bars(tmp_path: Path):
    source = tmp_path / "photo.png"
    pixels = np.full((600, 800, 3), 77, np.uint8)
    cv2.imwrite(str(source), pixels)
    one = table({1: [0, 1]})
    one.insert(0, "image", "photo.png")
    out = annotate(source, one, tmp_path / "out.png")
    drawn = cv2.imread(str(out))
    assert drawn.shape[0] == 600
    assert drawn.shape[1] > 1000
    untouched = (drawn[:, :800] == 77).all(axis=2)
    assert untouched.mean() > 0.85, "the picture stays visible"
    assert untouched[45:75, 28:60].all(), "nothing is drawn over a face"


@pytest.mark.parametrize(
    ("size", "aus"), [((64, 64), 12), ((320, 240), 18), ((3840, 2160), 12), ((100, 2000), 18)]
)
@pytest.mark.parametrize("columns", [1, MAX_COLUMNS])
def test_all_rows_and_columns_fit_any_picture(size: tuple[int, int], aus: int, columns: int):
    panel = Panel(size, range(1, aus + 1), columns, "model")
    p = np.full(aus, 0.6, np.float32)
    faces = [
        ShownFace(n, 0.9, (0, 0, size[0] / 2, size[1] / 2), p, p > 0.5) for n in range(columns)
    ]
    canvas = panel.draw(
        np.zeros((size[1], size[0]), np.uint8), faces, {n: n for n in range(columns)}, "frame 1"
    )
    assert canvas.shape == (panel.size[1], panel.size[0], 3)
    assert panel.size[0] % 2 == panel.size[1] % 2 == 0
    background = canvas[-1, -1]
    assert (canvas[:, -2:] == background).all(), "nothing is cut off at the right"
    assert (canvas[-3:, -100:] == background).all(), "nor at the foot"


def test_a_call_is_told_without_colour():
    panel = Panel((640, 480), AUS, 1)
    picture = np.zeros((480, 640), np.uint8)
    filled, hollow = (
        panel.draw(picture, [face(present=present)], {0: 0}, "")[:, 640:]
        for present in (True, False)
    )
    # With the same probability a called bar is filled, and its letters are heavier.
    bars = [(shown == face().colour).all(axis=2).sum() for shown in (filled, hollow)]
    assert bars[0] > 2 * bars[1]
    letters = [(to_gray(shown) > 200).sum() for shown in (filled, hollow)]
    assert letters[0] > 1.5 * letters[1]


def test_a_frame_without_a_face_says_so():
    panel = Panel((640, 480), AUS, 1)
    picture = np.full((480, 640), 128, np.uint8)
    nobody = panel.draw(picture, [], {}, "")[:, :640]
    somebody = panel.draw(picture, [face()], {0: 0}, "")[:, :640]
    assert (nobody[:60, :200] != 128).any()
    assert (somebody[:60, 400:] == 128).all()


def test_a_face_keeps_its_column_while_others_come_and_go(tmp_path: Path):
    from action_units.prediction.draw import _Frames

    busy = {1: [0, 1], 2: [1, 2], 3: [1, 2, 3], 4: [], 5: list(range(4, 10))}
    frames = _Frames(table(busy), tmp_path)
    assert [frames.slots[n] for n in range(4)] == [0, 1, 0, 2]
    assert [frames.slots.get(n) for n in range(4, 10)] == [0, 1, 2, 3, None, None]
    assert frames.columns == MAX_COLUMNS
    assert [len(frames.faces(n)) for n in busy] == [2, 2, 3, 0, 6]


@pytest.mark.parametrize("frames", [3, 8])
def test_a_table_of_another_video_is_refused_and_the_old_copy_stays(
    tmp_path: Path, frames: int
):
    source, out = video(tmp_path / "in.avi", 5), tmp_path / "out.webm"
    out.write_bytes(b"before")
    with pytest.raises(ArtifactError, match="frames, but its table has"):
        annotate(source, table({n: [0] for n in range(1, frames + 1)}), out)
    assert out.read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.avi", "out.webm"]


def test_what_cannot_be_is_refused_with_a_sentence(tmp_path: Path):
    source = video(tmp_path / "in.avi", 3)
    right = table({n: [0] for n in range(1, 4)})
    with pytest.raises(ConfigurationError, match=r"video is a \.webm file"):
        annotate(source, right, tmp_path / "out.gif")
    with pytest.raises(ArtifactError, match="leaves out frames"):
        annotate(source, right[right["frame"] != 2], tmp_path / "out.webm")
    with pytest.raises(ArtifactError, match="not a table of predictions"):
        annotate(source, right[["frame"]], tmp_path / "out.webm")
    picture = tmp_path / "half.png"
    picture.write_bytes(cv2.imencode(".png", np.zeros((50, 50), np.uint8))[1].tobytes()[:-40])
    with pytest.raises(UnusableFace):
        annotate(picture, table({1: [0]}), tmp_path / "out.png")


def test_a_full_disk_leaves_the_old_copy(tmp_path: Path):
    source, out = video(tmp_path / "in.avi", 40), tmp_path / "out.webm"
    out.write_bytes(b"before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, limits[1]))
    try:
        with pytest.raises(ArtifactError, match=r"written \(File too large\); what was there"):
            annotate(source, table({n: [0] for n in range(1, 41)}), out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert out.read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.avi", "out.webm"]
