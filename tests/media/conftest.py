"""What the tests of photographs share."""

import warnings

import fsspec
import pytest
from upath import UPath

from tests.media.photograph_sets import RangeStore


@pytest.fixture
def ranges():
    """The files of an empty store that gives ranges of bytes alone, at ``ranges://``."""
    for kept in (RangeStore.files, RangeStore.fetched, RangeStore.broken):
        kept.clear()
    with warnings.catch_warnings():  # UPath says once that it does not know this store
        warnings.simplefilter("ignore")
        UPath("ranges://any")
    return RangeStore.files


@pytest.fixture
def memory():
    """An empty store in memory, at ``memory://``."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]
