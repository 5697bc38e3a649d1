"""What a path means."""

import io
import os
import tarfile

import cv2
import fsspec
import pytest

from action_units.errors import ConfigurationError, LabelError
from action_units.media import paths
from action_units.media.file_types import kind_of_file
from action_units.media.video import read_frames
from action_units.prediction.sources import Photographs, open_source, short_name, skipped_text
from tests.prediction.conftest import scene, write_video


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Pictures and videos in folders, under true and false names."""
    top = tmp_path_factory.mktemp("tree")
    picture = cv2.imencode(".png", scene({}, (48, 64)))[1].tobytes()
    for name in (
        "b/10.png",
        "b/9.jpg",
        "a.webp",
        ".hidden.png",
        ".hide/x.png",
        "film",
        "movie.jpg",
    ):
        path = top / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture)
    for name in ("one.avi", "b/one.avi", "b/two.mp4"):
        write_video(top / name, [scene({}, (48, 64))] * 2)
    (top / "b/three").write_bytes((top / "b/two.mp4").read_bytes())
    (top / "b/broken.mkv").write_bytes(b"\0\1\2 no video")
    (top / "notes.txt").write_text("x\n")
    return top


def ids(photographs):
    return [chunk.id for chunk in photographs.chunks]


def test_a_folder_gives_all_pictures_and_videos_in_the_order_of_their_names(tree):
    found = open_source(tree)
    assert ids(found.photographs) == [
        "a.webp",
        "movie.jpg",
        "film",
        "b/10.png",
        "b/9.jpg",
    ] or ids(found.photographs) == ["a.webp", "film", "movie.jpg", "b/10.png", "b/9.jpg"]
    assert [(v.name, v.given) for v in found.videos] == [
        ("one.avi", "one.avi"),
        ("broken", "b/broken.mkv"),
        ("b~one.avi", "b/one.avi"),
        ("three", "b/three"),
        ("two", "b/two.mp4"),
    ]
    assert found.photographs.name == "photographs"
    assert not found.single


@pytest.mark.parametrize(
    ("name", "kind"),
    [("film", Photographs), ("movie.jpg", Photographs), ("b/three", None), ("one.avi", None)],
)
def test_a_single_file_is_what_its_content_says(tree, name, kind):
    found = open_source(tree / name)
    assert found.single
    assert len(found.parts) == 1
    assert isinstance(found.parts[0], Photographs) == (kind is Photographs)
    assert found.parts[0].name == name.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def test_a_list_is_read_relative_to_itself(tree):
    path = tree / "list.csv"
    path.write_text(f"# two videos\n\none.avi\n  b/two.mp4  \nb/9.jpg\n{tree}/a.webp\nb\n")
    found = open_source(path)
    path.unlink()
    path_of = [v.given for v in found.videos]
    assert path_of == ["one.avi", "b/two.mp4", "b/broken.mkv", "b/one.avi", "b/three"]
    assert ids(found.photographs)[:2] == ["b/9.jpg", f"{tree}/a.webp"]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("#\n\ngone.avi\nalso.avi", r"list, line 3: the file .*gone\.avi"),
        ("notes.txt\n", r"list, line 1: .*notes\.txt is a list, which a list cannot contain"),
        ("# nothing\n\n", r"list: it contains no path"),
    ],
)
def test_a_list_of_which_nothing_can_be_used_ends_with_its_first_line(tree, lines, sentence):
    path = tree / "list"
    path.write_text(lines)
    try:
        with pytest.raises(LabelError, match=sentence):
            open_source(path)
    finally:
        path.unlink()


def test_bad_lines_of_a_list_are_set_aside_with_their_number(tmp_path):
    write_video(tmp_path / "one.avi", [scene({}, (48, 64))] * 2)
    (tmp_path / "noise").write_bytes(b"\0\1\2")
    (tmp_path / "self").symlink_to("self")
    path = tmp_path / "list"
    path.write_text("one.avi\n#\ngone.avi\nnoise\n" + "x" * 400 + "\nself\n")
    found = open_source(path)
    assert [v.given for v in found.videos] == ["one.avi"]
    rows = found.quarantine.rows()
    assert [row[0] for row in rows] == [f"{path}, line {n}" for n in (3, 4, 5, 6)]
    assert {row[1] for row in rows} == {"unusable path"}
    assert rows[0][2] == f"the file {tmp_path}/gone.avi does not exist."
    assert rows[1][2].startswith(f"{tmp_path}/noise: the file has content of an unknown type")


def test_of_several_paths_the_bad_ones_are_set_aside_too(tree):
    found = open_source([tree / "one.avi", tree / "gone.avi"])
    assert [v.name for v in found.videos] == ["one"]
    assert [row[0] for row in found.quarantine.rows()] == [f"{tree}/gone.avi"]
    with pytest.raises(LabelError, match="gone.avi: the file does not exist"):
        open_source([tree / "gone.avi"])


def test_what_a_folder_has_besides_is_counted_with_an_example(tree):
    found = open_source(tree)
    assert found.skipped == {".txt": (1, "notes.txt")}
    listed = tree / "list"
    listed.write_text(f"{tree}\nb\n")
    try:
        assert open_source(listed).skipped[".txt"] == (1, "notes.txt")
    finally:
        listed.unlink()


def test_links_are_followed_and_broken_ones_end_nothing(tree, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), scene({}, (48, 64)))
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    (tmp_path / "gone.mp4").symlink_to("nowhere")
    (tmp_path / "long").symlink_to("x" * 300)
    (tmp_path / "up").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tree / "b")
    os.mkfifo(tmp_path / "pipe")
    found = open_source(tmp_path)
    assert ids(found.photographs) == ["a.png", "self.jpg", "b/10.png", "b/9.jpg"]
    assert [v.given for v in found.videos][:1] == ["gone.mp4"]
    assert "b/two.mp4" in [v.given for v in found.videos]
    assert found.skipped == {"no suffix": (3, "long")}


def test_a_folder_that_cannot_be_listed_is_set_aside(tmp_path, monkeypatch):
    cv2.imwrite(str(tmp_path / "a.png"), scene({}, (48, 64)))
    (tmp_path / "locked").mkdir()
    real = os.scandir

    def scandir(path):
        if str(path).endswith("/locked/"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(paths.os, "scandir", scandir)
    found = open_source(tmp_path)
    assert ids(found.photographs) == ["a.png"]
    (row,) = found.quarantine.rows()
    assert row[1:3] == ["unreadable", "the folder cannot be listed (Permission denied)."]


def test_a_tilde_is_the_home_folder(tree, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tree))
    assert open_source("~/one.avi").videos[0].path == tree / "one.avi"
    assert open_source(["~/one.avi"]).videos[0].path == tree / "one.avi"
    (tmp_path / "list").write_text("~/one.avi\n")
    assert open_source(tmp_path / "list").videos[0].path == tree / "one.avi"


def test_one_photograph_and_a_folder_are_read_by_their_urls(tree):
    store = fsspec.filesystem("memory")
    store.pipe("/set/a.png", (tree / "film").read_bytes())
    for source in ("memory://set/a.png", ["memory://set/a.png", tree / "one.avi"]):
        (photograph,) = open_source(source).photographs.read()
        assert photograph.name == "a.png"
        assert photograph.content == (tree / "film").read_bytes()
    assert ids(open_source("memory://set").photographs) == ["a.png"]
    assert open_source(f"file://{tree}/one.avi").videos[0].name == "one"
    with pytest.raises(LabelError, match=r"memory://set/v\.mp4: a video is read from a disk"):
        open_source("memory://set/v.mp4")
    with pytest.raises(LabelError, match="nosuch://x: it cannot be reached"):
        open_source("nosuch://x")


def test_tables_of_long_names_have_names_that_a_disk_takes(tmp_path):
    video = write_video(tmp_path / "v.avi", [scene({}, (48, 64))]).read_bytes()
    for last in "ab":
        (tmp_path / f"{'é' * 124}{last}.avi").write_bytes(video)
    names = [v.name for v in open_source(tmp_path).videos if v.name != "v"]
    assert len(set(names)) == 2
    assert all(len(name.encode()) <= 200 for name in names)
    assert short_name("é" * 100) == "é" * 100


def test_several_paths_are_taken_together(tree):
    found = open_source([tree / "one.avi", str(tree / "a.webp")])
    assert [v.name for v in found.videos] == ["one"]
    assert found.photographs.count == 1


def test_pictures_of_two_folders_in_a_list_keep_their_folders(tmp_path):
    for name in ("x/1.png", "y/1.png"):
        (tmp_path / name).parent.mkdir()
        cv2.imwrite(str(tmp_path / name), scene({}, (48, 64)))
    path = tmp_path / "list"
    path.write_text("x\ny/\nx/1.png\n")
    assert ids(open_source(path).photographs) == ["x/1.png", "y/1.png"]


def test_a_list_may_begin_with_the_mark_that_windows_writes(tree):
    path = tree / "list"
    path.write_bytes(b"\xef\xbb\xbfone.avi\n")
    try:
        assert [v.given for v in open_source(path).videos] == ["one.avi"]
    finally:
        path.unlink()


@pytest.mark.parametrize("line", ["x" * 400, "x" * 5000 + "\0"])
def test_a_line_that_can_be_no_name_is_a_sentence(tmp_path, line):
    path = tmp_path / "list"
    path.write_text(f"# one\n{line}\n")
    with pytest.raises(LabelError, match="list, line 2: .* cannot be accessed"):
        open_source(path)
    with pytest.raises(LabelError, match="cannot be accessed"):
        open_source(line)


@pytest.mark.parametrize("source", [[], "", ["a.mp4", ""]])
def test_no_path_at_all_is_a_sentence(source):
    """An empty name is not the current folder with all that is in it."""
    with pytest.raises(ConfigurationError, match="has no path"):
        open_source(source)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of fsspec
def test_a_url_of_no_store_is_a_sentence_in_its_own_spelling(tree):
    with pytest.raises(LabelError, match=r"ftp://: it cannot be reached \(.*host"):
        open_source("ftp://")
    found = open_source([tree / "film", "foo://a/b.jpg"])
    assert [row[0] for row in found.quarantine.rows()] == ["foo://a/b.jpg"]


def test_all_files_that_are_skipped_are_counted():
    counts = {f".{n}": (9 - n, f"x.{n}") for n in range(9)} | {".z": (3, "x.z")}
    said = skipped_text(counts)
    assert said.startswith("9 .0 (x.0), 8 .1 (x.1), ")
    assert said.endswith("3 .z (x.z), 3 with other suffixes (.7, .8)")


def test_other_lists_of_paths_are_other_sources(tree):
    one, other, again = (
        open_source([tree / "a.webp", tree / name]).photographs.location
        for name in ("film", "movie.jpg", "film")
    )
    assert one == again != other


@pytest.mark.parametrize("out", ["predicted", "."])
def test_what_was_made_before_is_no_source(tmp_path, out):
    cv2.imwrite(str(tmp_path / "a.png"), scene({}, (48, 64)))
    first = open_source(tmp_path, tmp_path / out).photographs.fingerprint
    (tmp_path / out).mkdir(exist_ok=True)
    for name in ("a.png_annotated.png", "v_timeline.png", "v_timeline_face0.png"):
        cv2.imwrite(str(tmp_path / out / name), scene({}, (48, 64)))
    again = open_source(tmp_path, tmp_path / out)
    assert ids(again.photographs) == ["a.png"]
    assert again.photographs.fingerprint == first


def test_no_two_tables_have_one_name(tmp_path):
    video = write_video(tmp_path / "v.avi", [scene({}, (48, 64))]).read_bytes()
    names = [
        "x/v.avi",
        "X/V.avi",
        "v.avi",
        "v.mp4",
        "x~v.avi",
        "photographs.avi",
        "sources.avi",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(video)
    found = open_source(tmp_path)
    assert len(found.videos) == len(names)
    made = [v.name.lower() for v in found.videos]
    assert len(set(made)) == len(made)
    assert not {"photographs", "quarantine", "sources"} & set(made)
    assert all("/" not in name for name in made)


def test_photographs_in_a_tar_are_read_as_by_preprocessing(tree, tmp_path):
    with tarfile.open(tmp_path / "set", "w") as tar:
        content = (tree / "film").read_bytes()
        info = tarfile.TarInfo("who/1.png")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    found = open_source(tmp_path / "set")
    assert [photograph.content for photograph in found.photographs.read()] == [content]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "nothing is there; expected a picture, a video"),
        (b"", "the file is empty"),
        (b"\0\1\2\3" * 50, "the file has content of an unknown type"),
    ],
)
def test_what_is_nothing_is_said_in_a_sentence(tmp_path, content, sentence):
    path = tmp_path / "x"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LabelError, match=sentence):
        open_source(path)


def test_a_folder_without_pictures_says_what_it_has(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(
        LabelError, match=r"no picture and no video .*1 \.txt \(a\.txt\) skipped"
    ):
        open_source(tmp_path)


def test_the_stamp_follows_the_files(tmp_path):
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), scene({}, (48, 64)))
    first = open_source(tmp_path).photographs.fingerprint
    assert open_source(tmp_path).photographs.fingerprint == first
    cv2.imwrite(str(tmp_path / "b.png"), scene({}, (50, 64)))
    second = open_source(tmp_path).photographs.fingerprint
    (tmp_path / "a.png").unlink()
    assert len({first, second, open_source(tmp_path).photographs.fingerprint}) == 3


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "picture"),
        (b"RIFF\0\0\0\0WEBP", "picture"),
        (b"RIFF\0\0\0\0AVI ", "video"),
        (b"\x1aE\xdf\xa3", "video"),
        (b"\0\0\0\x18ftypisom", "video"),
        ((b"G" + bytes(187)) * 3, "video"),
        ((b"\0\0\0\0G" + bytes(187)) * 3, "video"),  # of Blu-ray
        ((b"G" + b"x" * 187) * 3, "list"),
        (b"Go.avi\n" + b"x" * 181 + b"Go.avi\n", "list"),
        (b"\0\0\0\1\x67\x42", "video"),
        (b"\0\0\0\1\x06\5", "video"),  # as x264 begins
        (b"nut/multimedia container\0", "video"),
        (b"\0\0\0\1\x40\1", "video"),
        (b"\x06\x0e\x2b\x34\2\5\1\1", "video"),
        (b"YUV4MPEG2 W64 H48\n", "video"),
        (b"\0\0\0\x18ftypheic", "picture"),
        (b"\xff\xd8\xff\xe0 \xff\xd9\xff\xd8\xff\xe0", "video"),
        (b"\xff\xd8\xff\xe2..MPF\0 \xff\xd9\xff\xd8\xff\xe0", "picture"),
        (b"Good paths\nGo.avi\n", "list"),
        ("ü.avi\n".encode(), "list"),
        (b"m.1\tq\t0\tu\tu\tf\tb\n", "tsv"),
        (b"", "empty"),
        (b"\x89\0", "unknown"),
    ],
)
def test_kinds_go_by_the_first_bytes(tmp_path, head, kind):
    (tmp_path / "x").write_bytes(head)
    assert kind_of_file(tmp_path / "x") == kind


@pytest.mark.parametrize("name", ["x.mjpeg", "x.MJPG", "x"])
def test_raw_motion_jpeg_is_a_video_and_a_photograph_is_not(tmp_path, name):
    content = cv2.imencode(".jpg", scene({}, (48, 64)))[1].tobytes()
    (tmp_path / name).write_bytes(content * 3)
    (tmp_path / "photograph.jpg").write_bytes(content * 3)
    (tmp_path / "photograph").write_bytes(content)
    assert kind_of_file(tmp_path / name) == "video"
    assert kind_of_file(tmp_path / "photograph.jpg") == "picture"
    assert kind_of_file(tmp_path / "photograph") == "picture"
    assert len(list(read_frames(tmp_path / name, None))) == 3


@pytest.mark.parametrize(
    "name", ["x.MTS", "x.m2ts", "x.h264", "x.h265", "x.mxf", "x.y4m", "x.ogv", "x.3gp", "x.wmv",
             "x.flv", "x.vob", "x.ts", "x.mkv", "x.mpg", "x.m4v", "x.mov", "x.nut", "x.ivf"],
)  # fmt: skip
def test_videos_of_every_container_are_found_in_a_folder(tmp_path, name):
    """A folder has them by content, and by name where the content is not known."""
    (tmp_path / name).write_bytes(b"\x12\x13\0\1" * 40)
    (tmp_path / "a.bin").write_bytes(b"\x12\x13\0\1" * 40)
    found = open_source(tmp_path)
    assert [v.given for v in found.videos] == [name]
    assert found.skipped == {".bin": (1, "a.bin")}
