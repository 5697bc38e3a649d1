"""Reading files of ``torch.save``: no code in them runs, and memory stays within their size.

``torch.load`` with ``weights_only=True`` runs no code either, but a file of some hundred bytes
can make it allocate gigabytes: a ``bytearray``, or a tensor larger than its storage. So the few
types in a file of weights or a checkpoint are read here, each checked against the file before
memory is taken.
"""

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

_OPCODES = (
    b"\x80 . ( ) ] } N I J K M G X q r h j a e s u t \x85 \x86 \x87 \x88 \x89 \x8a c R Q b"
).split(b" ")  # of protocol 2 with plain values; none takes memory that the file does not have

_DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def read_torch_file(path: Path) -> Any:
    """The tensors and plain values in a file of ``torch.save``.

    Args:
        path: The file, as torch writes it since version 1.6.

    Returns:
        What was saved; tensors on the CPU, parameters as tensors.

    Raises:
        ValueError: It holds anything else, or more than fits into the file.
    """
    if not zipfile.is_zipfile(path):
        raise ValueError("not a file of torch.save, or of a torch before 1.6")
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("compressed")
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise ValueError("its parts are larger than the file")
        roots = [m.filename for m in members if m.filename.endswith("/data.pkl")]
        if len(roots) != 1:
            raise ValueError("no data.pkl")
        root = roots[0].removesuffix("data.pkl")
        if f"{root}byteorder" in archive.namelist():
            order = archive.read(f"{root}byteorder")
            if order != b"little":
                raise ValueError(f"byte order {order[:9]!r}")
        with archive.open(roots[0]) as file:
            return _Reader(file, archive, root).load()


class _Reader(pickle._Unpickler):
    """Python's own unpickler with the few operations and names above."""

    stack: list[Any]
    dispatch: ClassVar[dict[int, Any]] = {
        code[0]: pickle._Unpickler.dispatch[code[0]] for code in _OPCODES
    }

    def __init__(self, file: Any, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(file)
        self._archive, self._root = archive, root
        self._storages: dict[str, Tensor] = {}

    def load(self) -> Any:
        try:
            return super().load()
        except ValueError:
            raise
        except Exception as error:  # whatever comes of bytes that torch did not write
            raise ValueError(f"not tensors and plain values ({error!r})") from error

    def find_class(self, module: str, name: str) -> Any:
        known = {
            "collections.OrderedDict": OrderedDict,
            "torch._utils._rebuild_tensor_v2": _tensor,
            "torch._utils._rebuild_parameter": _parameter,
        }
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if f"{module}.{name}" not in known:
            raise ValueError(f"it holds {module}.{name}")
        return known[f"{module}.{name}"]

    def persistent_load(self, pid: Any) -> Tensor:
        """A storage, as a flat tensor."""
        kind, dtype, key, _, count = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise ValueError(f"it refers to {kind!r}")
        if key not in self._storages:
            member = self._archive.getinfo(f"{self._root}data/{key}")
            if type(count) is not int or member.file_size != count * dtype.itemsize:
                raise ValueError(f"storage {key} is {member.file_size} bytes")
            content = bytearray(self._archive.read(member))
            flat = (
                torch.frombuffer(content, dtype=dtype) if count else torch.empty(0, dtype=dtype)
            )
            self._storages[key] = flat
        if self._storages[key].dtype != dtype:
            raise ValueError(f"storage {key} is of two types")
        return self._storages[key]

    def _build(self) -> None:
        """State dicts carry their versions; nothing else has attributes."""
        attributes = self.stack.pop()
        state: Any = self.stack[-1]
        if type(state) is not OrderedDict or set(attributes) != {"_metadata"}:
            raise ValueError("an object with attributes")
        vars(state).update(attributes)

    dispatch[b"b"[0]] = _build


def _tensor(
    flat: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> Tensor:
    """A tensor within its storage, of which each element is its own."""
    numbers = (offset, *size, *stride)
    if any(type(n) is not int or n < 0 for n in numbers) or len(size) != len(stride):
        raise ValueError(f"a tensor of shape {size}")
    count, last = 1, offset
    for n, step in zip(size, stride, strict=True):
        count *= n
        last += (n - 1) * step
    if count and (last >= flat.numel() or count > flat.numel()):
        raise ValueError(f"a tensor of shape {size} is larger than its {flat.numel()} numbers")
    return flat.as_strided(size, stride, offset if count else 0)


def _parameter(data: Tensor, *_: Any) -> Tensor:
    return data
