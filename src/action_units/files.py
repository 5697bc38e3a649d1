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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
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
    errno.ESTALE: "The network folder is gone; mount it again.",
    errno.EROFS: "The disk is mounted read-only; choose another folder.",
    errno.EACCES: "You may not write there; change the permissions or choose another folder.",
    errno.EPERM: "You may not write there; change the permissions or choose another folder.",
    errno.ENAMETOOLONG: "The name is too long for this disk; choose a shorter one.",
    errno.ENOTDIR: "A file lies where a folder is needed; choose another folder.",
    errno.EEXIST: "A file lies where a folder is needed; choose another folder.",
    errno.EISDIR: "A folder lies where the file belongs; choose another name.",
}


def advice(error: OSError) -> str:
    """What a person can do about a disk that refused to write, as a sentence."""
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
    """Choose who may use what this process and its children will make.

    Args:
        audience: ``group`` or ``everyone``; None leaves it as it is.
    """
    if audience is not None:
        os.environ[SHARE] = audience
        os.umask(umask())  # for what other libraries write


def set_mode(path: Path | str) -> None:
    """Give a new file or folder its permissions, where the disk has permissions."""
    file, folder = modes()
    found = Path(path).stat().st_mode
    wanted = folder | (found & stat.S_ISGID) if stat.S_ISDIR(found) else file
    try:
        Path(path).chmod(wanted)
    except OSError as error:
        if error.errno not in _NO_MODES:
            raise


def make_folder(path: Path | str) -> None:
    """Make a folder and its missing parents; those that exist keep their permissions.

    Raises:
        OSError: The disk refused, or a file lies there.
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
        parent: Where it is made; None takes the system's folder (``TMPDIR``), in which
            earlier ones of this name are swept first.

    Raises:
        OSError: The disk refused.
    """
    if parent is None:
        parent = tempfile.gettempdir()
        sweep(parent, name)
    while True:
        path = Path(tempfile.mkdtemp(_PART, f".{_short(name)}.", parent))
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue  # another process swept it before it was locked
        _hold(descriptor)
        if path.is_dir():
            break
        os.close(descriptor)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def sweep(folder: Path | str, name: str = "", deep: bool = False) -> None:
    """Remove the temporary files and folders of processes that were killed.

    Those of a running process are locked and stay. Where the disk has no locks, what has
    not changed for a day goes.

    Args:
        folder: Where to look.
        name: Only those made under this name; all without.
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
            continue  # it is gone, or another person's
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
        make_folder(path.parent)
        descriptor, temporary = _temporary(path.parent, path.name)
        with open(temporary, "w+b") as file:
            try:
                yield file
                size = file.tell()
                file.flush()
                sync(descriptor)
                give_name(temporary, path)
                temporary = ""
            finally:
                os.close(descriptor)
        _sync_folder(path.parent)
    except OSError as error:
        what = f"{path} ({size:,} bytes)" if size else str(path)
        raise ArtifactError(
            f"{what} could not be written ({error.strerror or error}); "
            f"what was there before is untouched. {advice(error)}"
        ) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def give_name(temporary: Path | str, path: Path | str) -> None:
    """Give a complete temporary file its permissions and its name; raises OSError."""
    set_mode(temporary)
    os.replace(temporary, path)


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
    descriptors: list[int] = []
    name, size = "", 0
    try:
        make_folder(folder)
        for name, content in contents.items():
            size = len(content)
            descriptor, temporary = _temporary(folder, name)
            descriptors.append(descriptor)
            made.append((temporary, folder / name))
            _write_all(descriptor, content)
        for descriptor in descriptors:  # after all writes: the first flush carries most
            sync(descriptor)
        while made:
            give_name(*made[-1])
            _withdrawal_of(made[-1][1]).unlink(missing_ok=True)
            made.pop()
        _sync_folder(folder)
    except OSError as error:
        raise ArtifactError(
            f"{folder / name} ({size:,} bytes) could not be written "
            f"({error.strerror or error}); what was there before is untouched. {advice(error)}"
        ) from error
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
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
        made_by: What makes it (``hints.command``), for the sentence where it is missing.

    Returns:
        The path, to be opened.

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
    """Say of a file that it is damaged where what is in it cannot be understood.

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
        told = " ".join(str(error).split())[:200] or type(error).__name__
        again = f"{made_by} makes it again" if made_by else "make it again"
        raise ArtifactError(
            f"{path} is damaged and cannot be read ({told}); delete it, and {again}."
        ) from error


def _withdrawal_of(path: Path) -> Path:
    """Where it is noted that an artifact must not be used any more."""
    return path.with_name(path.name + ".withdrawn")


def write_sums(folder: Path | str, names: Iterable[str]) -> None:
    """Keep the SHA-256 of some of a folder's files, for ``check_sums`` or ``sha256sum -c``.

    Args:
        folder: The folder; the hashes go into its file ``SHA256SUMS``.
        names: The files' paths in it.

    Raises:
        ArtifactError: The disk refused.
    """
    folder = Path(folder)
    lines = [f"{sha256_of(folder / name)}  {name}\n" for name in sorted(names)]
    write_text(folder / SUMS, "".join(lines))


def check_sums(folder: Path | str, made_by: str) -> bool:
    """Check a folder's files against the hashes that ``write_sums`` kept.

    Args:
        folder: The folder.
        made_by: What makes it again, as the end of a sentence.

    Returns:
        Whether there are hashes; the files of another maker have none.

    Raises:
        ArtifactError: A file is missing or is another than was written.
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
    """The files that are missing or are others than ``write_sums`` saw."""
    folder = Path(folder)
    for name, known in _sums(folder).items():
        path = folder / name
        if not path.is_file() or sha256_of(path) != known:
            yield path


def renew_sums(folder: Path | str) -> None:
    """Keep the hashes of a folder's files once more, after they were changed on purpose."""
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


def _known_hashes(path: Path) -> dict[str, int]:
    manifest = manifest_of(path)
    if not manifest.is_file():
        return {}
    return {digest.decode(): 0 for digest in _HASH.findall(manifest.read_bytes())}


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while len(view):
        view = view[os.write(descriptor, view) :]


def _temporary(folder: Path, name: str) -> tuple[int, str]:
    """A new temporary file: its descriptor, open for writing and locked, and its path."""
    while True:
        descriptor, path = tempfile.mkstemp(_PART, f".{_short(name)}.", folder)
        _hold(descriptor)
        if Path(path).exists():
            return descriptor, path
        os.close(descriptor)  # another process swept it before it was locked


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


def sync(descriptor: int) -> None:
    """Flush a file to the disk, where the disk can do that; raises OSError."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise


def reserve(descriptor: int, size: int) -> None:
    """Take room on the disk for an empty file; raises OSError where there is none.

    A map over a hole in a full disk would kill the process on its first write.
    """
    try:
        os.posix_fallocate(descriptor, 0, size)
    except (OSError, AttributeError) as error:  # macOS has no such function
        if isinstance(error, OSError) and error.errno not in _UNSUPPORTED:
            raise
        for start in range(0, size, _BLOCK):
            os.pwrite(descriptor, bytes(min(_BLOCK, size - start)), start)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the disk can do that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder that may be written in and not listed
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)
