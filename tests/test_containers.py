"""What the images copy is there, and they have the versions of the lock."""

import re

import pytest

from tests.conftest import PROJECT

FILES = ["Dockerfile", "Dockerfile.gpu"]


@pytest.mark.parametrize("name", FILES)
def test_all_that_is_copied_is_there_and_not_ignored(name):
    copied = re.findall(r"^COPY (.+) \S+$", (PROJECT / name).read_text(), re.M)
    sources = {source for line in copied for source in line.split()}
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    assert sources == {line[1:] for line in ignored if re.fullmatch(r"![^/]+", line)}
    assert all((PROJECT / source).exists() for source in sources)


@pytest.mark.parametrize("name", FILES)
def test_pytorch_is_the_locked_one(name):
    locked = re.search(r"^torch==\S+$", (PROJECT / "requirements.lock").read_text(), re.M)[0]
    assert set(re.findall(r"torch==[\d.]+", (PROJECT / name).read_text())) == {locked}


def test_the_two_images_differ_in_pytorch_alone():
    """From the project's files on, every line is the same."""
    first, second = (
        (PROJECT / name).read_text().partition("WORKDIR /action-units\n")[2] for name in FILES
    )
    assert first
    assert first == second
