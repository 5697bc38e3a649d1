"""Photographs of every kind, and a store that gives ranges of bytes alone."""

import base64
import io
import pickle
import struct
import tarfile
from typing import ClassVar

import cv2
import fsspec
import numpy as np
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem


def picture(k, suffix=".jpg"):
    """A small picture whose gray level tells which one it is."""
    return cv2.imencode(suffix, np.full((24, 20, 3), (k * 7) % 256, np.uint8))[1].tobytes()


def line(k, end=b"\n", jpeg=None, **columns):
    """Face k of a TSV."""
    said = {
        "mid": b"m.0d27_%d" % (k // 4),
        "rank": b"%d" % k,
        "url": b"http://a/%d.jpg" % k,
        "page": b"http://a/",
        "face_id": b"FaceId-0",
        "face": base64.b64encode(struct.pack("<4f", 0.25, 0.125, 0.75, 0.5 + k / 1024)),
        "data": base64.b64encode(picture(k) if jpeg is None else jpeg),
    } | columns
    return b"\t".join(said.values()) + end


def write_tar(path, members, **options):
    """A tar of ``(name, content)``, or of ready TarInfo for what is no file."""
    with tarfile.open(path, "w", **options) as tar:
        for name, content in members:
            if isinstance(name, tarfile.TarInfo):
                tar.addfile(name)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def read_all(source):
    """All photographs, chunk by chunk."""
    return [p for chunk in source.chunks() for p in chunk.photographs()]


def travelled(chunks):
    """Portions as they arrive in a worker."""
    return pickle.loads(pickle.dumps(list(chunks)))  # noqa: S301 - our own bytes


class RangeFile(AbstractBufferedFile):
    """A file whose bytes come by range."""

    def _fetch_range(self, start, end):
        RangeStore.fetched.append((self.path, start, end))
        return RangeStore.files[self.path][start:end]


class RangeStore(AbstractFileSystem):
    """A store that lists, and gives ranges of bytes; files are put into ``files``."""

    protocol = "ranges"
    cachable = False
    files: ClassVar[dict[str, bytes]] = {}
    fetched: ClassVar[list[tuple[str, int, int]]] = []
    broken: ClassVar[set[str]] = set()

    def _open(self, path, mode="rb", **options):
        if path in self.broken:
            raise ConnectionResetError("the store hung up")
        return RangeFile(self, path, mode, block_size=1 << 16)

    def _info(self, path):
        content = self.files[path]
        etag = f'"{hash(content):x}"'
        return {"name": path, "size": len(content), "type": "file", "ETag": etag}

    def info(self, path, **options):
        path = self._strip_protocol(path)
        if path in self.files:
            return self._info(path)
        if any(name.startswith(f"{path}/") for name in self.files):
            return {"name": path, "size": 0, "type": "directory"}
        raise FileNotFoundError(path)

    def ls(self, path, detail=True, **options):
        path = self._strip_protocol(path)
        below = {}
        for name in self.files:
            if name.startswith(f"{path}/"):
                first = name[len(path) + 1 :].partition("/")
                child = f"{path}/{first[0]}"
                folder = {"name": child, "size": 0, "type": "directory"}
                below[child] = folder if first[1] else self._info(child)
        if path in self.files:
            below = {path: self._info(path)}
        if not below:
            raise FileNotFoundError(path)
        return list(below.values()) if detail else list(below)


fsspec.register_implementation("ranges", RangeStore, clobber=True)
