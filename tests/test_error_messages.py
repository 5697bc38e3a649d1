"""An error that the user can fix is one sentence; a bug keeps its traceback."""

import errno
import importlib

import pytest
from fsspec.core import url_to_fs
from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Node, Pipeline

from action_units.error_messages import error_message
from action_units.errors import ArtifactError


def raised(function):
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def wrapped(cause):
    def wrap():
        try:
            raise cause
        except Exception as error:
            raise DatasetError("Failed while loading data") from error

    return raised(wrap)


MISTYPED = {"type": "MemoryDataset", "y": 1}


def missing_package():
    importlib.import_module("no_such_package.part")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ArtifactError("It is damaged."), "It is damaged."),
        (wrapped(ArtifactError("It is damaged.")), "It is damaged."),
        (
            PermissionError(errno.EACCES, "Permission denied", "/data/x"),
            "/data/x: Permission denied. You may not write there; change the permissions or "
            "choose another folder.",
        ),
        (
            wrapped(OSError(errno.EROFS, "Read-only file system", "/data/x")),
            "/data/x: Read-only file system. The disk is mounted read-only; choose another "
            "folder.",
        ),
        (FileNotFoundError(errno.ENOENT, "No such file", "/data/x"), "/data/x is not there."),
        (
            OSError(errno.ENOSPC, "No space left on device"),  # of a semaphore in /dev/shm
            "No space left on device: a disk, the folder of temporary files (TMPDIR) or "
            "/dev/shm is full; free some space and run again.",
        ),
        (
            raised(missing_package),
            "This needs the package no_such_package, which is not installed: pip install "
            "no_such_package.",
        ),
        (
            ImportError("Install s3fs to access S3"),
            "A package is missing: Install s3fs to access S3.",
        ),
        (
            raised(lambda: url_to_fs("s4://bucket/x")),
            "Protocol not known: s4.",
        ),
        (
            MemoryError("Unable to allocate 9 GiB"),
            "There is not enough memory: Unable to allocate 9 GiB. Run again with fewer workers "
            "or a smaller batch, or free some.",
        ),
        (
            raised(lambda: DataCatalog.from_config({"x": MISTYPED}).get("x")),
            "Dataset 'x' must only contain arguments valid for",
        ),
        (
            raised(lambda: Pipeline([]).filter(node_names=["fit"])),
            "Pipeline does not contain nodes named ['fit'].",
        ),
    ],
)
def test_an_error_that_the_user_can_fix_is_one_sentence(error, sentence):
    message = error_message(error)
    assert message is not None
    assert sentence in message
    assert "\n" not in message


def broken_node(x):
    return x.nothing


@pytest.mark.parametrize(
    "error",
    [
        TypeError("of ours"),
        KeyError("of ours"),
        ValueError("of ours"),
        AssertionError(),
        ImportError("cannot import name 'x' from 'action_units'", name="action_units"),
        ModuleNotFoundError("No module named 'action_units.x'", name="action_units.x"),
        wrapped(TypeError("of ours")),
        raised(lambda: Node(broken_node, "x", "y").run({"x": 3})),
    ],
)
def test_a_bug_has_no_sentence(error):
    assert error_message(error) is None


def test_an_error_that_is_its_own_cause_ends():
    error = TypeError("of ours")
    error.__cause__ = error
    assert error_message(error) is None


def test_an_error_that_was_being_handled_does_not_hide_a_bug():
    def handler():
        try:
            raise FileNotFoundError(errno.ENOENT, "No such file", "x")
        except FileNotFoundError:
            raise TypeError("of ours")  # noqa: B904

    assert error_message(raised(handler)) is None
