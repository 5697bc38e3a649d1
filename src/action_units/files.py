"""Writing whole files or none, and knowing later that they are still the same.

Every file the project makes is written to a temporary name in its own folder,
flushed to the disk and renamed over the old one: a kill or a full disk leaves
the previous file whole. A manifest beside an artifact keeps its SHA-256 in the
format of ``sha256sum``, so ``sha256sum -c NAME.sha256`` checks it too.

Faces are personal data, so files and folders are made for their owner alone, whatever
the umask is. The environment variable ``ACTION_UNITS_SHARE_FILES`` (or the parameter
``share_files``) opens new ones to the ``group`` or to ``everyone``.

A temporary file or folder is named ``.NAME.xxxxxxxx.part`` and is locked by the process
that writes it, so ``sweep`` can tell what a killed process left from what is in use.
"""

import errno
import fcntl
import glob
import hashlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from action_units.errors import ArtifactError, ConfigurationError

SHARE = "ACTION_UNITS_SHARE_FILES"
"""Environment variable: who else may use new files; ``group`` or ``everyone``."""

SUMS = "SHA256SUMS"
"""The file in which a folder keeps the hashes of its files, in the format of ``sha256sum``."""

_MODES = {"": (0o600, 0o700), "group": (0o660, 0o770), "everyone": (0o644, 0o755)}
_PART = ".part"
_ABANDONED = 24 * 3600  # seconds without a write, where the disk cannot say who uses a file
_BLOCK = 1 << 20
_HASH = re.compile(rb"^([0-9a-f]{64})\s", re.MULTILINE)

_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
_NO_FOLDER_SYNC = {*_UNSUPPORTED, errno.EACCES, errno.EPERM, errno.EBADF, errno.EISDIR}
_NO_MODES = {*_UNSUPPORTED, errno.EACCES, errno.EPERM}

_ADVICE = {
    errno.ENOSPC: "Free some space or choose another folder.",
    errno.EDQUOT: "Your quota is used up: free some space or choose another folder.",
    errno.EFBIG: "Files may not be so large there (ulimit -f says your own limit); choose "
    "another folder.",
    errno.EIO: "The disk or the network failed; check it before you run this again.",
    errno.ESTALE: "The network folder is not mounted any more; mount it again.",
    errno.EROFS: "The disk is mounted read-only; choose another folder.",
    errno.EACCES: "You may not write there; change the permissions or choose another folder.",
    errno.EPERM: "You may not write there; change the permissions or choose another folder.",
    errno.ENAMETOOLONG: "The name is too long for this disk; choose a shorter one.",
    errno.ENOTDIR: "There is a file where a folder is needed; choose another folder.",
    errno.EEXIST: "There is a file where a folder is needed; choose another folder.",
    errno.EISDIR: "There is a folder where the file is needed; choose another name.",
}


def advice(error: OSError) -> str:
    """A sentence on what the user can do about a disk that refused to write."""
    return _ADVICE.get(error.errno or 0, "Choose another folder.")


def modes() -> tuple[int, int]:
    """The permissions of new files and of new folders.

    Raises:
        ConfigurationError: The environment variable has a value that is unknown.
    """
    shared = os.environ.get(SHARE, "")
    if shared not in _MODES:
        raise ConfigurationError(
            f"{SHARE} is {shared!r}; it must be group or everyone, or must not be set."
        )
    return _MODES[shared]


def umask() -> int:
    """The umask under which other libraries' files get the permissions of ours."""
    return 0o777 & ~modes()[1]


def share(audience: str | None) -> None:
    """Choose who may use new files: ``group`` or ``everyone``; None changes nothing."""
    if audience is not None:
        os.environ[SHARE] = audience
        os.umask(umask())  # for what other libraries write


def set_mode(path: Path | str) -> None:
    """Give a new file or folder its permissions, where the disk has permissions."""
    file, folder = modes()
    existing = Path(path).stat().st_mode
    mode = folder | (existing & stat.S_ISGID) if stat.S_ISDIR(existing) else file
    with _tolerated(_NO_MODES):
        Path(path).chmod(mode)


def make_folder(path: Path | str) -> None:
    """Make a folder and its missing parents; those that exist keep their permissions.

    Raises:
        OSError: The disk refused, or there is a file of this name.
    """
    path = Path(path)
    if path.is_dir():
        return
    if path.parent != path:
        make_folder(path.parent)
    try:
        path.mkdir(0o700)
    except FileExistsError:
        if not path.is_dir():  # else another process was faster
            raise
    else:
        set_mode(path)


@contextmanager
def temporary_folder(name: str, parent: Path | str | None = None) -> Iterator[Path]:
    """A folder for this process alone, removed at the end, or after a kill by ``sweep``.

    Args:
        name: Part of its name.
        parent: None takes the system's folder (``TMPDIR``), in which earlier ones of this
            name are swept first.

    Raises:
        OSError: The disk refused.
    """
    if parent is None:
        parent = tempfile.gettempdir()
        sweep(parent, name)
    descriptor, path = _temporary(Path(parent), name, _open_new_folder)
    try:
        yield Path(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def sweep(folder: Path | str, name: str = "", deep: bool = False) -> None:
    """Remove the temporary files and folders of processes that were killed.

    Those of a running process are locked and stay. On a disk without locks, those that have
    not changed for a day are removed.

    Args:
        folder: Where to look.
        name: Only those made under this name; empty for all.
        deep: Look in its subfolders too.
    """
    pattern = f".{glob.escape(_short(name)) or '*'}.{'[a-z0-9_]' * 8}{_PART}"
    for path in list((Path(folder).rglob if deep else Path(folder).glob)(pattern)):
        try:
            status = path.lstat()
            is_folder = stat.S_ISDIR(status.st_mode)
            if not is_folder and not stat.S_ISREG(status.st_mode):
                continue
            # A network disk gives a lock for writing only to who may write.
            descriptor = os.open(
                path, os.O_NOFOLLOW | (os.O_RDONLY if is_folder else os.O_RDWR)
            )
        except OSError:
            continue  # it was removed, or is another person's
        try:
            mine = _hold(descriptor)
            if mine or (mine is None and time.time() - status.st_mtime > _ABANDONED):
                if is_folder:
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
        except OSError:
            continue  # a folder in which this person may not delete
        finally:
            os.close(descriptor)


@contextmanager
def atomic_write(path: Path | str) -> Iterator[IO[bytes]]:
    """Open a binary file that takes its name, in a folder made for it, when it is complete.

    Raises:
        ArtifactError: The disk refused; the previous file is untouched.
    """
    path, size = Path(path), 0
    try:
        make_folder(path.parent)
        descriptor, temporary = _temporary(path.parent, path.name)
        try:
            with open(temporary, "w+b") as file:
                yield file
                size = file.tell()
                file.flush()
                sync(descriptor)
                _give_name(temporary, path)
        finally:
            os.close(descriptor)
            Path(temporary).unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise _not_written(path, size, error) from error


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write a whole file or leave the old one; raises as ``atomic_write``."""
    with atomic_write(path) as file:
        file.write(content)


def write_text(path: Path | str, content: str) -> None:
    """Write a UTF-8 text whole or leave the old one; raises as ``atomic_write``."""
    write_bytes(path, content.encode())


def write_many(folder: Path | str, contents: Mapping[str, bytes]) -> None:
    """Write many small files, each whole or not at all, with one flush of the folder.

    Args:
        folder: Made where it is missing.
        contents: Bytes by plain file name.

    Raises:
        ArtifactError: The disk refused; files of these names are new or untouched.
    """
    folder = Path(folder)
    made: list[tuple[int, str, Path]] = []
    path, size = folder, 0
    try:
        make_folder(folder)
        for name, content in contents.items():
            path, size = folder / name, len(content)
            descriptor, temporary = _temporary(folder, name)
            made.append((descriptor, temporary, path))
            with open(descriptor, "wb", closefd=False) as file:
                file.write(content)
        for descriptor, _, _ in made:  # after all writes: the first flush carries most
            sync(descriptor)
        for _, temporary, path in reversed(made):
            _give_name(temporary, path)
            _withdrawal_of(path).unlink(missing_ok=True)
        _sync_folder(folder)
    except OSError as error:
        raise _not_written(path, size, error) from error
    finally:
        for descriptor, temporary, _ in made:
            os.close(descriptor)
            Path(temporary).unlink(missing_ok=True)


def sha256_of(path: Path | str) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
        known = dict.fromkeys([digest, *_known_hashes(path)])
        write_text(manifest, "".join(f"{one}  {path.name}\n" for one in known))
    write_text(manifest, f"{digest}  {path.name}\n")
    _withdrawal_of(path).unlink(missing_ok=True)


def mark_withdrawn(path: Path, reason: str) -> None:
    """Have ``verify`` refuse an artifact, made with a withdrawn person, until it is made again.

    Args:
        path: The artifact.
        reason: Who has withdrawn, and when.

    Raises:
        ArtifactError: The disk refused.
    """
    write_text(_withdrawal_of(path), reason + "\n")


def manifest_of(path: Path) -> Path:
    """The path of an artifact's manifest."""
    return path.with_name(path.name + ".sha256")


def _withdrawal_of(path: Path) -> Path:
    """The path of the mark by which an artifact must not be used any more."""
    return path.with_name(path.name + ".withdrawn")


def verify(path: Path | str, made_by: str = "") -> Path:
    """Check an artifact against its manifest before it is trusted, and return its path.

    Args:
        path: The artifact.
        made_by: What makes it (``hints.command``), for the sentence where it is missing.

    Raises:
        ArtifactError: It is missing, has no manifest, differs from it, or was made with the
            data of a person who has withdrawn.
    """
    path = Path(path)
    hint = f" {made_by} makes it." if made_by else ""
    if not path.is_file():
        raise ArtifactError(f"{path} is not there yet.{hint}")
    if (withdrawal := _withdrawal_of(path)).is_file():
        reason = withdrawal.read_text(errors="replace").strip()
        raise ArtifactError(
            f"{path} was made with the data of a person who has withdrawn ({reason}); train it "
            f"again with the parameters that made it.{hint}"
        )
    known = _known_hashes(path)
    if not known:
        state = "is damaged" if manifest_of(path).exists() else "is not beside it"
        raise ArtifactError(
            f"{path} cannot be trusted: its manifest {manifest_of(path).name} {state}, so "
            f"nothing says that it is whole. Delete it and make it again.{hint}"
        )
    if sha256_of(path) not in known:
        raise ArtifactError(
            f"{path} is not the file that was saved: its SHA-256 differs from "
            f"{manifest_of(path).name}. Delete both and make it again.{hint}"
        )
    return path


@contextmanager
def reading(path: Path | str, made_by: str = "") -> Iterator[None]:
    """Name a file as damaged where its reader fails.

    Args:
        path: The file that is read within; only its reader may be called there.
        made_by: What makes it (``hints.command``).

    Raises:
        ArtifactError: Whatever the reader raised; names the file.
    """
    try:
        yield
    except (MemoryError, ConfigurationError):
        raise
    except OSError as error:
        what = error.strerror or error
        raise ArtifactError(f"{path} cannot be read ({what}); look at the disk.") from error
    except ArtifactError as error:
        if str(Path(path).parent) in str(error):
            raise
        raise ArtifactError(f"{path}: {error}") from error
    except Exception as error:  # a reader may raise anything on damaged bytes
        message = " ".join(str(error).split())[:200] or type(error).__name__
        again = f"{made_by} makes it again" if made_by else "make it again"
        raise ArtifactError(
            f"{path} is damaged and cannot be read ({message}); delete it, and {again}."
        ) from error


def write_sums(folder: Path | str, names: Iterable[str]) -> None:
    """Write the SHA-256 of some of a folder's files into its ``SHA256SUMS``.

    Args:
        folder: The folder.
        names: The files' paths in it.

    Raises:
        ArtifactError: The disk refused.
    """
    folder = Path(folder)
    lines = [f"{sha256_of(folder / name)}  {name}\n" for name in sorted(names)]
    write_text(folder / SUMS, "".join(lines))


def check_sums(folder: Path | str, made_by: str) -> bool:
    """Check a folder's files against the hashes of ``write_sums``.

    Args:
        folder: The folder.
        made_by: What makes it again, as the end of a sentence.

    Returns:
        Whether there are hashes; a folder from elsewhere has none.

    Raises:
        ArtifactError: A file is missing or was changed.
    """
    folder = Path(folder)
    for path in differing(folder):
        what = "is not as it was written here" if path.is_file() else "is missing"
        raise ArtifactError(
            f"{path} {what}: {SUMS} beside it has another SHA-256. If you changed it on "
            f"purpose, delete {folder / SUMS}, and the folder is read unchecked; otherwise "
            f"{made_by}."
        )
    return (folder / SUMS).is_file()


def differing(folder: Path | str) -> Iterator[Path]:
    """The files that are missing or were changed since ``write_sums``."""
    folder = Path(folder)
    for name, known in _sums(folder).items():
        path = folder / name
        if not path.is_file() or sha256_of(path) != known:
            yield path


def renew_sums(folder: Path | str) -> None:
    """Write a folder's hashes again after its files were changed on purpose."""
    folder = Path(folder)
    if (folder / SUMS).is_file():
        write_sums(folder, [name for name in _sums(folder) if (folder / name).is_file()])


def _sums(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    if not path.is_file():
        return {}
    with reading(path):
        lines = path.read_text().splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _known_hashes(path: Path) -> list[str]:
    manifest = manifest_of(path)
    if not manifest.is_file():
        return []
    return [digest.decode() for digest in _HASH.findall(manifest.read_bytes())]


def _temporary(
    folder: Path,
    name: str,
    make: Callable[[str, str, Path], tuple[int, str]] = tempfile.mkstemp,
) -> tuple[int, str]:
    """A new temporary file or folder: its descriptor, open and locked, and its path."""
    while True:
        descriptor, path = make(_PART, f".{_short(name)}.", folder)
        _hold(descriptor)
        if Path(path).exists():
            return descriptor, path
        os.close(descriptor)  # another process swept it before it was locked


def _open_new_folder(suffix: str, prefix: str, parent: Path) -> tuple[int, str]:
    while True:
        path = tempfile.mkdtemp(suffix, prefix, parent)
        with suppress(FileNotFoundError):  # another process swept it already
            return os.open(path, os.O_RDONLY), path


def _give_name(temporary: str, path: Path) -> None:
    set_mode(temporary)
    os.replace(temporary, path)


def _not_written(path: Path, size: int, error: OSError) -> ArtifactError:
    what = f"{path} ({size:,} bytes)" if size else str(path)
    return ArtifactError(
        f"{what} could not be written ({error.strerror or error}); "
        f"what was there before is untouched. {advice(error)}"
    )


def _short(name: str) -> str:
    """A name's first bytes, because a disk takes 255 of them."""
    return os.fsdecode(os.fsencode(name)[:64])


def _hold(descriptor: int) -> bool | None:
    """Lock an open file or folder until it is closed; None where the disk has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


@contextmanager
def _tolerated(numbers: Container[int | None]) -> Iterator[None]:
    """Ignore a refusal that means that the disk has no such function."""
    try:
        yield
    except OSError as error:
        if error.errno not in numbers:
            raise


def sync(descriptor: int) -> None:
    """Flush a file to the disk, where the disk can do that; raises OSError."""
    with _tolerated(_UNSUPPORTED):
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the disk can do that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder that may be written in and not listed
        return
    try:
        with _tolerated(_NO_FOLDER_SYNC):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def reserve(descriptor: int, size: int) -> None:
    """Reserve space on the disk for an empty file; raises OSError where it is full.

    A memory map over a hole would kill the process when the disk is full.
    """
    try:
        os.posix_fallocate(descriptor, 0, size)
    except (OSError, AttributeError) as error:  # macOS has no such function
        if isinstance(error, OSError) and error.errno not in _UNSUPPORTED:
            raise
        for start in range(0, size, _BLOCK):
            os.pwrite(descriptor, bytes(min(_BLOCK, size - start)), start)
