"""The files that a path names, and how the compressed ones are to be unpacked."""

import bz2
import gzip
import lzma
import shlex
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from action_units.errors import ConfigurationError
from action_units.media.photographs import check_not_compressed, find_files


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("a.tsv.gz", "gunzip --keep a.tsv.gz"),
        ("a.TGZ", "gunzip --keep a.TGZ"),
        ("a b.tar.bz2", "bunzip2 --keep 'a b.tar.bz2'"),
        ("a.tar.xz", "unxz --keep a.tar.xz"),
        ("a.tar.zst", "unzstd a.tar.zst"),
        ("a.tar.lz4", "unlz4 a.tar.lz4"),
        ("photos.zip", "unzip -d photos photos.zip"),
        ("photos.7z", "7z x photos.7z"),
        ("photos.rar", "unrar x photos.rar"),
    ],
)
def test_each_kind_of_compression_has_its_own_command(name, command):
    with pytest.raises(ConfigurationError, match="Unpack it first") as error:
        check_not_compressed(Path(name))
    assert str(error.value).split("`")[1] == command


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zip"])
def test_the_command_unpacks_the_file_when_it_is_typed(tmp_path, suffix, named):
    path = tmp_path / f"two words.tsv{suffix if named else ''}"
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.tsv", "x")
    else:
        packer = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}[suffix]
        with packer(path, "w") as file:
            file.write(b"x")
    with pytest.raises(ConfigurationError, match="is compressed") as error:
        find_files(path, ".tsv")
    command = str(error.value).split("`")[1]
    if shutil.which(shlex.split(command.rpartition(" && ")[2])[0]) is None:
        pytest.skip("the program is not installed")
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    made = tmp_path / "two words.tsv"
    made = made / "a.tsv" if suffix == ".zip" else made
    assert made.read_text() == "x"
    assert [found for _, found in find_files(made, ".tsv")] == [made]
