"""Writing whole files or none, and knowing later that they are still the same.

Every file the project makes is written to a temporary name in its own folder,
flushed to the disk and renamed over the old one: a kill or a full disk leaves
the previous file whole. A manifest beside an artifact keeps its SHA-256 in the
format of ``sha256sum``, so ``sha256sum -c NAME.sha256`` checks it too.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from action_units.errors import ArtifactError

_BLOCK = 1 << 20


@contextmanager
def atomic_write(path: Path | str) -> Iterator[IO[bytes]]:
    """Open a file that takes its name only when it is complete.

    Args:
        path: The final name; its folder is made where it is missing.

    Yields:
        A binary file, writable and seekable.

    Raises:
        ArtifactError: The disk refused; the previous file is untouched.
    """
    path = Path(path)
    temporary, size = "", 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(descriptor)
        with open(temporary, "w+b") as file:
            yield file
            size = file.tell()
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        os.replace(temporary, path)
        temporary = ""
        _sync_folder(path.parent)
    except OSError as error:
        what = f"{path} ({size:,} bytes)" if size else str(path)
        raise ArtifactError(
            f"{what} could not be written ({error.strerror or error}); "
            "what was there before is untouched. Free some space or choose another folder."
        ) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write a whole file or leave the old one; raises as ``atomic_write``."""
    with atomic_write(path) as file:
        file.write(content)


def write_many(folder: Path | str, contents: Mapping[str, bytes]) -> None:
    """Write many small files, each whole or not at all, with one flush of the folder.

    Args:
        folder: Made where it is missing.
        contents: Bytes by plain file name.

    Raises:
        ArtifactError: The disk refused; files of these names are new or untouched.
    """
    folder = Path(folder)
    made: list[tuple[str, Path]] = []
    name, size = "", 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptors: list[int] = []
        try:
            for name, content in contents.items():
                size = len(content)
                descriptor, temporary = tempfile.mkstemp(prefix=f".{name[:64]}.", dir=folder)
                descriptors.append(descriptor)
                made.append((temporary, folder / name))
                _write_all(descriptor, content)
            for descriptor in descriptors:  # after all writes: the first flush carries most
                os.fsync(descriptor)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        mode = 0o666 & ~_umask()
        while made:
            temporary, path = made[-1]
            Path(temporary).chmod(mode)
            os.replace(temporary, path)
            _withdrawal_of(path).unlink(missing_ok=True)
            made.pop()
        _sync_folder(folder)
    except OSError as error:
        raise ArtifactError(
            f"{folder / name} ({size:,} bytes) could not be written "
            f"({error.strerror or error}); what was there before is untouched. Free some space "
            "or choose another folder."
        ) from error
    finally:
        for temporary, _ in made:
            Path(temporary).unlink(missing_ok=True)


def write_text(path: Path | str, content: str) -> None:
    """Write a UTF-8 text whole or leave the old one; raises as ``atomic_write``."""
    write_bytes(path, content.encode())


def sha256_of(path: Path | str) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def atomic_artifact(path: Path | str) -> Iterator[IO[bytes]]:
    """Like ``atomic_write``, with a manifest that ``verify`` checks.

    For the moment of the change the manifest knows both the old and the new
    hash, so a kill between the two renames leaves an artifact that verifies.
    """
    path = Path(path)
    manifest = manifest_of(path)
    with atomic_write(path) as file:
        yield file
        file.flush()
        digest = sha256_of(file.name)
        known = _known_hashes(path)
        write_text(manifest, "".join(f"{h}  {path.name}\n" for h in {digest: 0, **known}))
    write_text(manifest, f"{digest}  {path.name}\n")
    _withdrawal_of(path).unlink(missing_ok=True)


def mark_withdrawn(path: Path, reason: str) -> None:
    """Have ``verify`` refuse an artifact until it is made again.

    Args:
        path: The artifact, made with the data of a person who has withdrawn.
        reason: Who and when.

    Raises:
        ArtifactError: The disk refused.
    """
    write_text(_withdrawal_of(path), reason + "\n")


def manifest_of(path: Path) -> Path:
    """Where an artifact's manifest lies."""
    return path.with_name(path.name + ".sha256")


def verify(path: Path | str, made_by: str = "") -> Path:
    """Check an artifact against its manifest before it is trusted.

    Args:
        path: The artifact.
        made_by: The command that makes it, for the sentence where it is missing.

    Returns:
        The path, to be opened.

    Raises:
        ArtifactError: It is missing, has no manifest, differs from it, or was made with the
            data of a person who has withdrawn.
    """
    path = Path(path)
    hint = f" `{made_by}` makes it." if made_by else ""
    if not path.is_file():
        raise ArtifactError(f"{path} is not there yet.{hint}")
    if (withdrawal := _withdrawal_of(path)).is_file():
        raise ArtifactError(
            f"{path} was made with the data of a person who has withdrawn "
            f"({withdrawal.read_text().strip()}); train it again with `kedro run` and the "
            "parameters that made it."
        )
    known = _known_hashes(path)
    if not known:
        raise ArtifactError(
            f"{path} has no manifest {manifest_of(path).name} beside it, so nothing says "
            f"that it is whole.{hint}"
        )
    if sha256_of(path) not in known:
        raise ArtifactError(
            f"{path} is not the file that was saved: its SHA-256 differs from "
            f"{manifest_of(path).name}. Delete both and make it again.{hint}"
        )
    return path


def _withdrawal_of(path: Path) -> Path:
    """Where it is noted that an artifact must not be used any more."""
    return path.with_name(path.name + ".withdrawn")


def _known_hashes(path: Path) -> dict[str, int]:
    manifest = manifest_of(path)
    if not manifest.is_file():
        return {}
    lines = manifest.read_text().splitlines()
    return {line.split()[0]: 0 for line in lines if line.strip()}


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while len(view):
        view = view[os.write(descriptor, view) :]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut (POSIX; a no-op elsewhere)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
