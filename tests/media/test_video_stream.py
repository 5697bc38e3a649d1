"""Frames as they are to be seen: of two fields each, of pixels that are not square, turned."""

import io
import json
import struct
import subprocess
from fractions import Fraction
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from action_units.errors import LabelError
from action_units.media.video import read_frames, timed_frames
from action_units.media.video_stream import _packets
from tests.media.broken_videos import number_in, numbered, write_numbered
from tests.media.encoded import (
    SHOWN,
    VARIABLE,
    as_a_browser_writes,
    encode,
    likeness,
    needs_ffmpeg,
    run,
)
from tests.media.test_jpeg_frames import FRAMES as SOUND

N = 12
FRAMES = [numbered(k) for k in range(N)]
LACED = ("-flags", "+ilme+ildct", "-pix_fmt", "yuv420p")
H264 = ("-c:v", "libx264", "-crf", "8")
CODERS = {
    "h264 tff": (*LACED, "-vf", "setfield=tff", *H264, "-x264-params", "tff=1"),
    "h264 bff": (*LACED, "-vf", "setfield=bff", *H264, "-x264-params", "bff=1"),
    "mpeg2 tff": (*LACED, "-vf", "setfield=tff", "-c:v", "mpeg2video", "-q:v", "2"),
    "mpeg2 bff": (*LACED, "-vf", "setfield=bff", "-c:v", "mpeg2video", "-q:v", "2"),
    "mpeg4 tff": (*LACED, "-vf", "setfield=tff", "-c:v", "mpeg4", "-q:v", "2"),
}
FILES = [
    *((coder, suffix) for coder in CODERS for suffix in ("avi", "mkv", "ts", "mp4")),
    ("h264 tff", "mov"),
    ("mpeg2 tff", "mpg"),
]


@needs_ffmpeg
@pytest.mark.parametrize(("coder", "suffix"), FILES)
def test_interlaced_frames_are_those_of_the_progressive_original(tmp_path, coder, suffix):
    list(read_frames(write_numbered(tmp_path / "before.avi", "MJPG"), None))
    path = encode(tmp_path / f"a.{suffix}", FRAMES, *CODERS[coder])
    found = list(read_frames(path, N))
    assert [number_in(frame) for frame in found] == list(range(N))
    assert min(map(likeness, found, FRAMES)) > 22


@needs_ffmpeg
@pytest.mark.parametrize("suffix", ["avi", "mov", "dv", "mkv"])
def test_dv_is_read(tmp_path, suffix):
    path = encode(
        tmp_path / f"a.{suffix}", FRAMES, "-vf", "scale=720:576,setsar=64/45", "-pix_fmt",
        "yuv420p", "-c:v", "dvvideo",
    )  # fmt: skip
    found = list(read_frames(path, N))
    assert {frame.shape for frame in found} == {(576, 1024, 3)}
    small = [cv2.resize(frame, (160, 120), interpolation=cv2.INTER_AREA) for frame in found]
    assert [number_in(frame) for frame in small] == list(range(N))
    assert min(map(likeness, small, FRAMES)) > 22


@needs_ffmpeg
def test_movement_between_the_fields_leaves_no_comb(tmp_path):
    """Each field of its own moment, as a camera takes them."""
    moments = [np.roll(FRAMES[0], 4 * k, axis=1) for k in range(2 * N)]
    path = encode(
        tmp_path / "a.mp4", moments, "-vf", "tinterlace=interleave_top", *LACED, *H264,
        "-x264-params", "tff=1", rate=50,
    )  # fmt: skip
    found = [frame.astype(int) for frame in read_frames(path, N)]
    woven = np.array(moments[0])
    woven[1::2] = moments[1][1::2]
    combed = np.abs(np.diff(woven[40:].astype(int), axis=0)).mean()
    assert max(np.abs(np.diff(frame[40:], axis=0)).mean() for frame in found) < combed / 2


@needs_ffmpeg
@pytest.mark.parametrize("coder", CODERS)
def test_a_gray_clip_stays_gray_whatever_was_read_before(tmp_path, coder):
    list(read_frames(write_numbered(tmp_path / "before.avi", "MJPG"), None))
    gray = [np.full((120, 160, 3), 90, np.uint8)] * 3
    path = encode(tmp_path / "a.mkv", gray, *CODERS[coder])
    found = np.stack(list(read_frames(path, 3)))
    assert np.abs(found.astype(int) - 90).max() <= 6


def muxed(path, pictures, size):
    """Motion JPEG of these JPEG files."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuvj420p"
        for k, picture in enumerate(pictures):
            packet = av.Packet(picture)
            packet.stream, packet.pts, packet.dts = stream, k, k
            packet.time_base = Fraction(1, 25)
            file.mux(packet)
    return path


def test_fields_of_motion_jpeg_are_joined(tmp_path):
    """Two JPEGs a frame, of odd and of even lines, as the frame grabbers wrote them."""

    def field(pixels, number):
        content = io.BytesIO()
        Image.fromarray(pixels[..., ::-1]).save(content, "JPEG", quality=95, subsampling=0)
        polarity = b"\xff\xe0\x00\x10AVI1" + bytes([number]) + bytes(9)
        return content.getvalue().replace(b"\xff\xd8", b"\xff\xd8" + polarity, 1)

    pictures = [field(frame[0::2], 1) + field(frame[1::2], 2) for frame in FRAMES]
    path = muxed(tmp_path / "a.avi", pictures, (160, 120))
    found = list(read_frames(path, N))
    assert [number_in(frame) for frame in found] == list(range(N))
    assert min(map(likeness, found, FRAMES)) > 22


B_FRAMES = ("-c:v", "libx264", "-bf", "3", "-pix_fmt", "yuv420p")
TIMED = {
    "constant.mp4": (B_FRAMES, 25),
    "ntsc.mp4": (B_FRAMES, "30000/1001"),
    "ntsc.mkv": (B_FRAMES, "30000/1001"),
    "variable.mp4": (VARIABLE, 20),
    "variable.mkv": (VARIABLE, 20),
    "later.ts": ((*B_FRAMES, "-muxdelay", "2", "-output_ts_offset", "7.3"), 25),
    "later.mkv": ((*B_FRAMES, "-output_ts_offset", "3.21"), 25),
    "motion.avi": (("-c:v", "mjpeg", "-q:v", "3"), 20),
    "b frames.avi": (("-c:v", "mpeg4", "-bf", "2"), 25),
    "browser.webm": ((*VARIABLE, "-c:v", "libvpx", "-deadline", "realtime"), 20),
    "flash.flv": (("-c:v", "flv"), 25),
    "windows.wmv": (("-c:v", "wmv2"), 25),
}


def times_by_ffprobe(path):
    command = (
        "ffprobe -v quiet -select_streams v:0 -of json "
        "-show_entries stream=start_time:frame=best_effort_timestamp_time"
    )
    done = subprocess.run([*command.split(), path], capture_output=True, check=True)
    told = json.loads(done.stdout)
    start = float(told["streams"][0]["start_time"])
    times = (frame.get("best_effort_timestamp_time", "nan") for frame in told["frames"])
    return np.array([float(time) - start for time in times])


@needs_ffmpeg
@pytest.mark.parametrize("name", TIMED)
def test_frames_are_timed_as_they_are_shown(tmp_path, caplog, name):
    options, rate = TIMED[name]
    path = encode(tmp_path / name, [numbered(k) for k in range(30)], *options, rate=rate)
    if name == "browser.webm":
        as_a_browser_writes(path)
    found = [frame.seconds for frame in timed_frames(path, None)]
    expected = times_by_ffprobe(path)
    if np.isnan(expected[-1]):  # as in an AVI file, of which frames build on later ones
        expected[-1] = expected[-2] + 1 / rate
    np.testing.assert_allclose(found, expected, atol=1e-4)
    if options[:2] == VARIABLE[:2]:
        np.testing.assert_allclose(found, SHOWN, atol=1e-3)
    assert not caplog.text


@needs_ffmpeg
def test_frames_that_an_edit_list_leaves_out_are_not_missed(tmp_path, caplog):
    whole = encode(tmp_path / "a.mp4", [numbered(k) for k in range(30)], *B_FRAMES)
    path = tmp_path / "b.mp4"
    run("-ss", "0.5", "-i", whole, "-c", "copy", path)
    found = list(timed_frames(path, None))
    np.testing.assert_allclose([f.seconds for f in found], times_by_ffprobe(path), atol=1e-4)
    assert number_in(found[0].pixels) == 30 - len(found)
    assert not caplog.text


@needs_ffmpeg
def test_sound_with_a_cover_is_no_video(tmp_path):
    cover = tmp_path / "cover.png"
    cv2.imwrite(str(cover), FRAMES[0])
    path = tmp_path / "a.m4a"
    run("-f", "lavfi", "-i", "sine=d=1", "-i", cover, "-c:v", "copy", "-disposition:v",
        "attached_pic", path)  # fmt: skip
    with pytest.raises(LabelError, match="no video that can be decoded"):
        list(read_frames(path, None))


def test_a_disk_that_fails_is_a_sentence(tmp_path):
    def demux():
        yield "a packet"
        raise av.error.OSError(5, "Input/output error")

    with pytest.raises(LabelError, match=r"cannot be read to its end \(Input/output error\)"):
        list(_packets(tmp_path, SimpleNamespace(demux=demux)))


@needs_ffmpeg
def test_raw_streams_have_no_times_of_their_own(tmp_path):
    path = encode(tmp_path / "a.h264", FRAMES, *B_FRAMES)
    found = list(timed_frames(path, N))
    assert [number_in(frame.pixels) for frame in found] == list(range(N))
    assert np.isnan([frame.seconds for frame in found]).all()


PLAIN = ("-c:v", "libx264", "-crf", "8", "-pix_fmt", "yuv420p")


def turn(path, a, b, c, d):
    """Write a display matrix into an MP4 file (ISO/IEC 14496-12, 8.3.2)."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40
    one = 1 << 16
    struct.pack_into(
        ">9i", content, at, a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30
    )
    path.write_bytes(content)


TURNS = {
    (1, 0, 0, 1): lambda frame: frame,
    (0, 1, -1, 0): lambda frame: np.rot90(frame, -1),  # a telephone held upright
    (-1, 0, 0, -1): lambda frame: np.rot90(frame, 2),
    (0, -1, 1, 0): lambda frame: np.rot90(frame),
    (-1, 0, 0, 1): np.fliplr,
    (1, 0, 0, -1): np.flipud,
    (0, 1, 1, 0): lambda frame: np.swapaxes(frame, 0, 1),
    (0, -1, -1, 0): lambda frame: np.swapaxes(np.rot90(frame, 2), 0, 1),
}


@needs_ffmpeg
@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("matrix", TURNS)
def test_turned_and_mirrored_frames_are_upright(tmp_path, matrix, suffix):
    path = encode(tmp_path / f"a.{suffix}", FRAMES[:2], *PLAIN)
    turn(path, *matrix)
    found = list(read_frames(path, 2))
    upright = [TURNS[matrix](frame) for frame in FRAMES[:2]]
    assert [frame.shape for frame in found] == [frame.shape for frame in upright]
    assert min(map(likeness, found, upright)) > 22


@needs_ffmpeg
@pytest.mark.parametrize(
    ("ratio", "shape"),
    [
        ("2/1", (120, 320)),
        ("4/3", (120, 213)),
        ("64/45", (120, 228)),
        ("1/2", (240, 160)),
        ("1/1", (120, 160)),
        ("0/1", (120, 160)),
        ("40/1", (120, 160)),
    ],
)
def test_pixels_are_made_square(tmp_path, ratio, shape):
    path = encode(tmp_path / "a.mp4", FRAMES[:2], *PLAIN, "-vf", f"setsar={ratio}")
    found = list(read_frames(path, 2))
    assert {frame.shape[:2] for frame in found} == {shape}
    back = [cv2.resize(frame, (160, 120), interpolation=cv2.INTER_AREA) for frame in found]
    assert min(map(likeness, back, FRAMES)) > 22


@needs_ffmpeg
def test_turned_pixels_that_are_not_square(tmp_path):
    path = encode(tmp_path / "a.mp4", FRAMES[:2], *PLAIN, "-vf", "setsar=2")
    turn(path, 0, 1, -1, 0)
    assert {frame.shape for frame in read_frames(path, 2)} == {(320, 120, 3)}


def coloured(matrix, levels, pixels, *more):
    names = {"bt709": "bt709", "bt601": "smpte170m", "bt2020": "bt2020nc"}
    scaled = f"scale=out_color_matrix={matrix}:out_range={levels},format={pixels}"
    told = ("-colorspace", names[matrix], "-color_range", levels)
    return "mkv", ("-vf", scaled, *told, "-c:v", "libx264", "-crf", "1", *more)


HDR = ("-color_primaries", "bt2020", "-color_trc")
COLOURED = {
    "bt.601": coloured("bt601", "tv", "yuv420p"),
    "bt.709": coloured("bt709", "tv", "yuv420p"),
    "full range": coloured("bt709", "pc", "yuv420p"),
    "4:4:4": coloured("bt709", "tv", "yuv444p"),
    "10 bits": coloured("bt709", "tv", "yuv422p10le"),
    "hdr pq": coloured("bt2020", "tv", "yuv420p10le", *HDR, "smpte2084"),
    "hdr hlg": coloured("bt2020", "tv", "yuv420p10le", *HDR, "arib-std-b67"),
    "12 bits": ("mov", ("-c:v", "prores_ks", "-pix_fmt", "yuva444p10le")),
    "16 bits": ("mkv", ("-c:v", "ffv1", "-pix_fmt", "rgb48le")),
    "alpha": ("mov", ("-c:v", "png", "-pix_fmt", "rgba")),
    "motion jpeg": ("avi", ("-c:v", "mjpeg", "-pix_fmt", "yuvj422p", "-q:v", "2")),
}


@needs_ffmpeg
@pytest.mark.parametrize("size", [(64, 96), (63, 97)])
@pytest.mark.parametrize("kind", COLOURED)
def test_colours_are_those_that_were_encoded(tmp_path, kind, size):
    suffix, options = COLOURED[kind]
    colour = (60, 110, 200)
    frames = [np.full((*size, 3), colour, np.uint8)] * 2
    if size[0] % 2 and kind not in ("4:4:4", "12 bits", "16 bits", "alpha"):
        pytest.skip("not of odd size, or not exact at its edge")
    path = encode(tmp_path / f"a.{suffix}", frames, *options)
    found = np.stack(list(read_frames(path, 2)))
    assert found.shape == (2, *size, 3)
    assert np.abs(found.astype(int) - colour).max() <= 4


@needs_ffmpeg
def test_gray_is_gray(tmp_path):
    gray = [np.full((63, 97, 3), 131, np.uint8)] * 2
    path = encode(tmp_path / "a.mkv", gray, "-c:v", "ffv1", "-pix_fmt", "gray16le")
    assert np.abs(np.stack(list(read_frames(path, 2))).astype(int) - 131).max() <= 1


def growing(path, sizes):
    """Motion JPEG whose frames have these sizes."""
    pictures = (cv2.imencode(".jpg", cv2.resize(FRAMES[0], size))[1] for size in sizes)
    return muxed(path, [picture.tobytes() for picture in pictures], sizes[0])


@pytest.mark.parametrize("suffix", ["avi", "mkv"])
def test_frames_of_another_size_are_scaled_to_the_first(tmp_path, suffix):
    path = growing(tmp_path / f"a.{suffix}", [(160, 120), (320, 240), (80, 60)])
    found = list(read_frames(path, 3))
    assert {frame.shape for frame in found} == {(120, 160, 3)}
    assert min(likeness(frame, FRAMES[0]) for frame in found) > 18


def test_frames_of_another_shape_are_refused(tmp_path):
    path = growing(tmp_path / "a.mkv", [(160, 120), (120, 160)])
    with pytest.raises(LabelError, match="from 160 × 120 pixels to 120 × 160. Cut it into"):
        list(read_frames(path, None))


@pytest.mark.parametrize("sizes", [[(400, 300)], [(160, 120), (160, 120), (1600, 1200)]])
@pytest.mark.parametrize("suffix", ["avi", "mkv", "mp4"])
def test_large_frames_are_refused_also_where_they_grow(tmp_path, sizes, suffix):
    path = growing(tmp_path / f"a.{suffix}", sizes)
    with pytest.raises(LabelError, match="above 0.1 megapixels"):
        list(read_frames(path, None, 0.1))
    assert len(list(read_frames(path, None, None))) == len(sizes)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("coder", "suffix"), [("libx264", "h264"), ("libx265", "h265"), ("mpeg2video", "m2v")]
)
def test_large_frames_are_refused_where_a_stream_grows(tmp_path, coder, suffix):
    large = [cv2.resize(frame, (640, 480)) for frame in FRAMES]
    quiet = ("-x265-params", "log-level=none") if coder == "libx265" else ()
    parts = [
        encode(tmp_path / f"{k}.{suffix}", frames, "-c:v", coder, "-pix_fmt", "yuv420p", *quiet)
        for k, frames in enumerate((FRAMES, large))
    ]
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    with pytest.raises(LabelError, match="above 0.1 megapixels"):
        list(read_frames(path, None, 0.1))
    assert {frame.shape for frame in read_frames(path, None)} == {(120, 160, 3)}


@needs_ffmpeg
def test_stretching_counts_as_pixels(tmp_path):
    path = encode(tmp_path / "a.mp4", FRAMES[:1], *PLAIN, "-vf", "setsar=4")
    with pytest.raises(LabelError, match="640 × 120 pixels are above 0.05 megapixels"):
        list(read_frames(path, None, 0.05))


@pytest.mark.parametrize("name", [*SOUND, "without an end"])
def test_any_sound_jpeg_is_a_frame(tmp_path, name):
    """Decoders are asked to be strict with these."""
    content = SOUND["baseline"][:-2] if name == "without an end" else SOUND[name]
    height, width = (800, 800) if name == "optimised" else (64, 80)
    height *= 2 if name == "fields" else 1
    path = muxed(tmp_path / "a.avi", [content] * 3, (width, height))
    assert {frame.shape for frame in read_frames(path, 3)} == {(height, width, 3)}


@pytest.mark.parametrize("suffix", ["avi", "mkv", "mp4"])
def test_holes_in_jpegs_are_refused_in_any_container(tmp_path, suffix):
    content = cv2.imencode(".jpg", FRAMES[0], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    half = len(content) // 2
    holed = content[:half] + bytes(512) + content[half + 512 :]
    cut = content[:half] + content[-2:]
    for damaged in (holed, cut):
        path = muxed(tmp_path / f"a.{suffix}", [content, damaged, content], (160, 120))
        for labels in (3, None):
            with pytest.raises(LabelError, match=r"frame \d (cannot|is damaged)"):
                list(read_frames(path, labels))


@needs_ffmpeg
@pytest.mark.parametrize("suffix", ["ts", "mkv"])
def test_a_cut_at_any_byte_is_told_of_and_no_damage(tmp_path, caplog, suffix):
    """Also where frames are decoded in another order than shown."""
    path = encode(tmp_path / f"a.{suffix}", FRAMES, "-c:v", "mpeg2video", "-bf", "2")
    content = path.read_bytes()
    for cut in range(len(content) * 6 // 10, len(content) * 9 // 10, len(content) // 40):
        path.write_bytes(content[:cut])
        found = [number_in(frame) for frame in read_frames(path, None)]
        assert 3 < len(found) < N
        assert found == sorted(set(found))
        with pytest.raises(LabelError, match=f"of it|only {len(found)} frames|{N} have"):
            list(read_frames(path, N))
    assert "frames decoded of the" in caplog.text


def test_motion_jpeg_gives_the_pixels_that_opencv_gives(tmp_path):
    """The rendered sample's crops, and all that was trained on them, depend on it."""
    path = write_numbered(tmp_path / "a.avi", "MJPG")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    for frame in read_frames(path, None):
        np.testing.assert_array_equal(frame, capture.read()[1])
    assert not capture.read()[0]


@needs_ffmpeg
def test_frames_that_are_as_the_one_before_end_no_film(tmp_path):
    again = [FRAMES[k] for k in (0, 0, 1, 2, 3, 4)]
    path = encode(tmp_path / "a.ogv", again, "-c:v", "libtheora", "-q:v", "10")
    found = list(timed_frames(path, None))
    assert [number_in(frame.pixels) for frame in found] == list(range(5))
    assert [frame.seconds for frame in found] == pytest.approx([0, 0.08, 0.12, 0.16, 0.2])


@needs_ffmpeg
def test_frames_never_go_back_in_time_whatever_the_container_says(tmp_path):
    path = encode(tmp_path / "a.mxf", FRAMES, *PLAIN, "-bf", "3")
    found = list(timed_frames(path, N))
    assert [number_in(frame.pixels) for frame in found] == list(range(N))
    steps = np.diff([frame.seconds for frame in found])
    assert steps[0] > 0
    np.testing.assert_allclose(steps[2:], 0.04)
