"""Running OpenFace: with a script in its place that crashes, hangs and is killed."""

import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from action_units.errors import ArtifactError, ConfigurationError
from action_units.faces.openface_runner import annotate
from action_units.labels.annotations.read import read_annotations

HEADER = "face, confidence, AU01_r, AU01_c"
FAKE = """#!{python} -SE
# Behaves as FaceLandmarkImg does towards pictures that say what happens to them.
import os, sys, time
args = sys.argv[1:]
photos = [args[k + 1] for k, arg in enumerate(args) if arg == "-f"]
out = args[args.index("-out_dir") + 1]
with open({log!r}, "a", errors="surrogateescape") as log:
    log.write("|".join([" ".join(args[args.index("-out_dir") + 2:]), str(len(photos))]
                       + [os.path.basename(os.path.realpath(p)) for p in photos]) + "\\n")
for photo in photos:
    with open(photo, "rb") as file:
        what = file.read().decode()
    stem = os.path.splitext(os.path.basename(photo))[0]
    if what == "unreadable":
        sys.stderr.write("Could not open the image: " + photo + "\\nERROR: last words\\n")
        sys.exit(1)
    open(os.path.join(out, stem + "_of_details.txt"), "w").close()
    if what == "slow":
        time.sleep(0.4)
    if what == "hangs":
        time.sleep(600)
    if what != "faceless":
        with open(os.path.join(out, stem + ".csv"), "w") as csv:
            csv.write("{header}\\n0, 0.9" + str(len(what)) + ", 1.5, ")
            if what == "crashes":
                csv.flush()
                os.kill(os.getpid(), 11)
            csv.write("1.00\\n")
"""


class Set:
    """A folder of photographs, the program that annotates them, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.photographs = folder / "photographs"
        self.photographs.mkdir()
        self.out = folder / "out"
        self.log = folder / "calls.log"
        self.binary = folder / "FaceLandmarkImg"
        text = FAKE.format(python=sys.executable, log=str(self.log), header=HEADER)
        self.binary.write_text(text)
        self.binary.chmod(self.binary.stat().st_mode | stat.S_IXUSR)

    def add(self, **photographs):
        for stem, what in photographs.items():
            (self.photographs / f"{stem}.jpg").write_text(what)

    def run(self, **options):
        options = {"workers": 2, "batch": 4, "seconds": 20.0} | options
        return annotate(self.photographs, self.out, self.binary, **options)

    def calls(self):
        """Of each call: its further arguments and the photographs."""
        lines = (
            self.log.read_text(errors="surrogateescape").splitlines()
            if self.log.is_file()
            else []
        )
        self.log.unlink(missing_ok=True)
        return [(line.split("|")[0], line.split("|")[2:]) for line in lines]

    def files(self):
        return {path.relative_to(self.out).as_posix(): path.read_bytes()
                for path in self.out.rglob("*") if path.is_file()}  # fmt: skip


@pytest.fixture
def photos(tmp_path):
    return Set(tmp_path)


def test_every_photograph_gets_its_file_once(photos):
    photos.add(a="", b="x", c="faceless", d="", e="")
    (photos.photographs / "deep").mkdir()
    (photos.photographs / "deep/a.PNG").write_text("xx")
    (photos.photographs / "a.png").write_text("xxx")  # differs from a.jpg in its suffix alone
    (photos.photographs / "notes.txt").write_text("crashes")
    (photos.photographs / ".hidden.jpg").write_text("crashes")
    found = photos.run(extra_args=["-wild"])
    assert (found.new, found.existing, len(found.quarantine)) == (7, 0, 0)
    calls = photos.calls()
    assert {arguments for arguments, _ in calls} == {"-aus -2Dfp -wild"}
    assert sorted(len(names) for _, names in calls) == [3, 4]
    table = read_annotations(photos.out, aus=[1])
    confidences = dict(zip(table.table["image"], table.table["confidence"], strict=True))
    assert confidences == {"a.jpg": 0.90, "a.png": 0.93, "b.jpg": 0.91, "d.jpg": 0.90,
                           "deep/a.PNG": 0.92, "e.jpg": 0.90}  # fmt: skip
    assert table.dropped["image"].tolist() == ["c.jpg"]
    assert "no face" in table.dropped["reason"][0]

    before = photos.files()
    again = photos.run(extra_args=["-wild"])
    assert (again.new, again.existing) == (0, 7)
    assert photos.calls() == []
    assert photos.files() == before


def test_a_flipped_bit_in_a_label_is_refused_and_the_hint_works(photos):
    photos.add(a="", b="")
    photos.run()
    whole = photos.files()
    path = photos.out / "a.jpg.csv"
    path.write_bytes(path.read_bytes()[:-2] + b"1\n")
    with pytest.raises(ArtifactError, match=r"a\.jpg\.csv was changed after it was written"):
        photos.run()
    (photos.out / "SHA256SUMS").unlink()
    path.unlink()
    assert photos.run().new == 1
    assert photos.files() == whole
    path.unlink()  # to have it made again
    assert photos.run().new == 1
    assert photos.files() == whole


def test_only_what_is_new_or_changed_is_annotated(photos):
    photos.add(a="", b="")
    photos.run()
    photos.calls()
    photos.add(c="")
    later = time.time_ns() + 10**9
    (photos.photographs / "a.jpg").write_text("xxx")
    os.utime(photos.photographs / "a.jpg", ns=(later, later))
    assert photos.run().existing == 1
    assert photos.calls() == [("-aus -2Dfp", ["a.jpg", "c.jpg"])]
    assert b"0.93" in photos.files()["a.jpg.csv"]


def test_culprits_are_quarantined_and_the_others_of_their_batch_are_not(photos):
    photos.add(a="", b="crashes", c="", d="unreadable", e="", f="faceless", g="hangs", h="")
    found = photos.run(seconds=0.7)
    quarantine = found.quarantine.table()
    assert [Path(path).name for path in quarantine["path"]] == ["b.jpg", "d.jpg", "g.jpg"]
    assert set(quarantine["reason"]) == {"openface"}
    crash, unreadable, hang = quarantine["detail"]
    assert crash == "OpenFace was killed by SIGSEGV without a message"
    assert unreadable == "OpenFace exited with 1: ERROR: last words"
    assert hang == "OpenFace took longer than 0.7 s"
    names = {name for name in photos.files() if name.endswith(".csv")}
    assert names == {f"{stem}.jpg.csv" for stem in "acefh"}
    assert len(read_annotations(photos.out, aus=[1]).table) == 4

    photos.calls()
    again = photos.run(seconds=0.7)  # remembered, not tried again
    assert photos.calls() == []
    assert again.quarantine.table().equals(quarantine)
    (photos.out / "b.jpg.failed").unlink()
    later = time.time_ns() + 10**9
    photos.add(b="", d="")
    os.utime(photos.photographs / "d.jpg", ns=(later, later))
    assert len(photos.run(seconds=0.7).quarantine) == 1
    assert "b.jpg.csv" in photos.files()
    assert "d.jpg.failed" not in photos.files()


def test_names_that_no_program_takes(photos):
    names = [b"caf\xe9.jpg", b"-f.jpg", b"two words.jpg", b"$(touch x).jpg"]
    for name in names:
        (Path(os.fsdecode(os.fsencode(photos.photographs) + b"/" + name))).write_text("")
    assert len(photos.run().quarantine) == 0
    written = {os.fsencode(name) for name in photos.files() if name.endswith(".csv")}
    assert written == {name + b".csv" for name in names}
    table = read_annotations(photos.out, aus=[1])
    assert sorted(table.table["image"]) == ["$(touch x).jpg", "-f.jpg", "two words.jpg"]
    assert "not UTF-8" in table.dropped["reason"][0]


def test_a_killed_run_goes_on_where_it_was(photos, tmp_path):
    photos.add(**{f"p{k:02d}": "slow" for k in range(12)})
    program = (
        "import sys; from action_units.faces.openface_runner import annotate;"
        "annotate(sys.argv[1], sys.argv[2], sys.argv[3], workers=2, batch=2)"
    )
    command = [sys.executable, "-c", program, photos.photographs, photos.out, photos.binary]
    with subprocess.Popen(command, start_new_session=True) as process:
        deadline = time.monotonic() + 60
        while len(list(photos.out.glob("*.csv"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    whole = {name: content for name, content in photos.files().items() if name.endswith(".csv")}
    assert 2 <= len(whole) < 12
    assert all(re.fullmatch(rb"face.*\n0, 0.94, 1.5, 1.00\n", text) for text in whole.values())
    (photos.out / ".p00.jpg.csv.abcd1234.part").write_text("half")  # as a kill leaves it
    made = {name: (photos.out / name).stat().st_mtime_ns for name in whole}
    found = photos.run(batch=2)
    assert (found.existing, found.new) == (len(whole), 12 - len(whole))
    assert made == {name: (photos.out / name).stat().st_mtime_ns for name in whole}
    assert not list(photos.out.glob(".p*"))
    assert len(read_annotations(photos.out, aus=[1]).table) == 12


def test_when_it_is_stopped_nothing_goes_on(photos, monkeypatch):
    photos.add(a="hangs", b="")

    def refuse(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("action_units.faces.openface_runner.write_bytes", refuse)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        photos.run(batch=1, seconds=300.0)
    assert time.monotonic() - started < 30


def test_openface_that_never_works_ends_the_run(photos):
    photos.add(**{f"p{k}": "crashes" for k in range(9)})
    with pytest.raises(ConfigurationError, match=r"failed on all of the first \d+ photographs"):
        photos.run(batch=2)
    assert not [name for name in photos.files() if name.endswith((".csv", ".failed"))]
    photos.add(**{f"p{k}": "" for k in range(9)})  # as when it has been mended
    assert photos.run().new == 9


def test_a_few_bad_photographs_alone_do_not_end_it(photos):
    photos.add(a="crashes")
    assert len(photos.run().quarantine) == 1
    assert "a.jpg.failed" in photos.files()


@pytest.mark.parametrize("binary", [None, "no-such-program", "/nowhere/FaceLandmarkImg"])
def test_without_a_binary_it_says_what_to_run(photos, binary):
    photos.add(a="")
    with pytest.raises(ConfigurationError) as error:
        annotate(photos.photographs, photos.out, binary)
    command = f"`FaceLandmarkImg -fdir {photos.photographs} -out_dir {photos.out} -aus -2Dfp`"
    assert command in str(error.value)
    assert f"put its CSV files into {photos.out}" in str(error.value)
    assert not photos.out.exists()


def test_what_is_a_picture_to_cropping_is_one_to_openface(photos, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (photos.photographs / "linked").symlink_to(tmp_path / "elsewhere")
    for name in ("linked/1.GIF", "2.jfif", "3.jpe", "4.JPEG", "5.tif"):
        (photos.photographs / name).write_text("")
    assert photos.run().new == 5
    images = read_annotations(photos.out, aus=[1], suffix="").table["image"]
    assert set(images) == {"linked/1.GIF", "2.jfif", "3.jpe", "4.JPEG", "5.tif"}


@pytest.mark.parametrize("nested", [False, True])
def test_the_command_that_it_says_does_it(photos, tmp_path, nested):
    """Typed into a shell as it stands, with a program that reads one folder, as OpenFace."""
    folder = photos.photographs / ("anna's own" if nested else "")
    folder.mkdir(exist_ok=True)
    (folder / "a b.jpg").write_text("")
    program = tmp_path / "bin" / "FaceLandmarkImg"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\n[ "$1 $3 $5 $6 $7" = "-fdir -out_dir -aus -2Dfp -wild" ] || exit 1\n'
        'mkdir -p "$4"\nfor photo in "$2"/*.jpg; do [ -f "$photo" ] || continue\n'
        f'printf \'{HEADER}\\n0, 0.9, 1.5, 1\\n\' > "$4/$(basename "$photo" .jpg).csv"\ndone\n'
    )
    program.chmod(0o755)
    with pytest.raises(ConfigurationError) as error:
        annotate(photos.photographs, photos.out, None, extra_args=["-wild"])
    command = str(error.value).split("`")[1]
    path = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-c", command], env=path, cwd=tmp_path, check=True)
    images = read_annotations(photos.out, aus=[1], suffix="").table["image"].tolist()
    assert images == ["anna's own/a b" if nested else "a b"]


def test_what_cannot_be(photos):
    with pytest.raises(ConfigurationError, match="has no photograph"):
        photos.run()
    photos.add(a="")
    with pytest.raises(ConfigurationError, match="must be 1 or more"):
        photos.run(workers=0)
    photos.run()
    with pytest.raises(
        ConfigurationError, match=r"annotated with `FaceLandmarkImg -aus -2Dfp`"
    ):
        photos.run(extra_args=["-wild"])
