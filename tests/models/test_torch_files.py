"""Files of torch.save: what was saved comes back, and a bomb is refused before it unfolds."""

import pickle
import subprocess
import sys
import zipfile
from collections import OrderedDict

import pytest
import torch
from torch import nn

from action_units.models.torch_files import read_torch_file

ROOM = 256 << 20
"""What the reading process may take on top of what it has; each bomb would take more."""


def pickled(size: bytes = b"K\x04", stride: bytes = b"K\x01", count: bytes = b"K\x04") -> bytes:
    """One tensor, as torch writes it."""
    return (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n"
        b"X\x01\0\0\0" + b"0X\x03\0\0\0cpu" + count + b"tQK\x00" + size + b"\x85" + stride +
        b"\x85\x89ccollections\nOrderedDict\n)RtR."
    )  # fmt: skip


def written(path, content, storage=b"\0" * 16, packed=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", packed) as archive:
        archive.writestr("a/data.pkl", content)
        archive.writestr("a/byteorder", "little")
        archive.writestr("a/version", "3")
        archive.writestr("a/data/0", storage)
    return path


BOMBS = {
    "a bytearray": (b"\x80\x02c__builtin__\nbytearray\nJ\0\0\0\x40\x85R.", "bytearray"),
    "a bytearray by its operation": (
        b"\x80\x05\x96" + (1 << 30).to_bytes(8, "little") + b".",
        "",
    ),
    "a storage that would grow": (pickled(size=b"J\0\0\0\x10"), "larger than its 4 numbers"),
    "an expanded storage": (pickled(size=b"J\0\0\0\x10", stride=b"K\0"), "larger than its 4"),
    "a storage beyond its part": (pickled(count=b"J\0\0\0\x10"), "storage 0 is 16 bytes"),
    "steps beyond the storage": (pickled(size=b"K\x02", stride=b"J\0\0\0\x10"), "larger than"),
}

READ = """
import resource, sys
from pathlib import Path
from action_units.models.torch_files import read_torch_file
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + int(sys.argv[1]),) * 2)
for path in sys.argv[2:]:
    try:
        print("read", type(read_torch_file(Path(path))).__name__)
    except ValueError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's")
def test_a_bomb_is_refused_before_it_takes_memory(tmp_path):
    paths = [written(tmp_path / f"{n}.pt", bomb[0]) for n, bomb in enumerate(BOMBS.values())]
    packed = written(tmp_path / "z.pt", pickled(), b"\0" * ROOM, zipfile.ZIP_DEFLATED)
    memo = written(tmp_path / "m.pt", b"\x80\x02Nr\xff\xff\xff\x7f.")
    done = subprocess.run(
        [sys.executable, "-c", READ, str(ROOM), *paths, packed, memo],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = done.stdout.splitlines()
    for (name, (_, expected)), line in zip(BOMBS.items(), said, strict=False):
        assert expected in line, name
        assert not line.startswith("read"), name
    assert said[len(BOMBS) :] == ["compressed", "read NoneType"]  # a number of the memo is none


def test_what_was_saved_comes_back_with_its_types_shared_memory_and_versions(tmp_path):
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    shared = torch.arange(12.0)
    saved = {
        "state": network.state_dict(),
        "plain": [1, -1.5, True, None, "Müller", (1, 2), (), 1 << 40, 1 << 80, float("inf")],
        "one": shared[2:8].view(2, 3).T,
        "other": shared,
        "parameter": nn.Parameter(torch.ones(2)),
        "empty": torch.empty(0, 5),
        "number": torch.tensor(3),
        **{str(d): torch.ones(3).to(d) for d in (torch.bfloat16, torch.bool, torch.uint8)},
    }
    torch.save(saved, tmp_path / "a.pt")
    found = read_torch_file(tmp_path / "a.pt")
    assert found["plain"] == saved["plain"]
    assert type(found["state"]) is OrderedDict
    assert found["state"]._metadata == saved["state"]._metadata
    flat = {k: v for k, v in saved.items() if isinstance(v, torch.Tensor)}
    for name, value in (flat | saved["state"]).items():
        other = found["state"][name] if name in saved["state"] else found[name]
        assert (other.dtype, other.shape, other.stride()) == (
            value.dtype,
            value.shape,
            value.stride(),
        )
        assert torch.equal(other, value), name
    found["other"].zero_()
    assert not found["one"].any()  # they share memory, as they did


class Runs:
    def __reduce__(self):
        return print, ("never",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(Runs(), 2), "it holds __builtin__.print"),
        (b"\x80\x02}X\x01\0\0\0ab.", "attributes"),
        (b"\x80\x02", "not tensors"),
        (b"garbage", "not tensors"),
    ],
)
def test_anything_else_is_refused(tmp_path, content, message, capsys):
    with pytest.raises(ValueError, match=message):
        read_torch_file(written(tmp_path / "x.pt", content))
    assert not capsys.readouterr().out
