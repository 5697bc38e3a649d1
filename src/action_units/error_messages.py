"""Messages in place of a traceback, for errors that the user can fix."""

import errno
from collections.abc import Iterator
from types import TracebackType

from action_units.errors import ActionUnitsError
from action_units.files import advice

# An error raised in these modules is about what the user has typed or configured; in nodes,
# runners and datasets it may be a bug.
_INPUT_MODULES = (
    "fsspec",
    "kedro.config",
    "kedro.framework",
    "kedro.io.catalog_config_resolver",
    "kedro.io.core",
    "kedro.io.data_catalog",
    "kedro.pipeline.pipeline",
    "kedro.runner",
    "kedro.utils",
    "omegaconf",
    "upath",
    "yaml",
)
_INPUT_ERRORS = (ValueError, KeyError, AttributeError)
_CONFIGURATION_MODULES = ("yaml.", "omegaconf.", "kedro.config", "kedro.framework.cli")
_NETWORK_PACKAGES = ("aiohttp", "botocore", "gcsfs", "google", "requests", "s3fs", "urllib3")
_FULL = (errno.ENOSPC, errno.EDQUOT)


def error_message(error: BaseException) -> str | None:
    """One sentence for an error that the user can fix; None for a bug of the program.

    Args:
        error: Perhaps wrapped in another, such as Kedro's ``DatasetError``.
    """
    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, ActionUnitsError):
            return str(one)
    return next((text for one in chain if (text := _describe(one)) is not None), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def _describe(error: BaseException) -> str | None:
    module = type(error).__module__
    if isinstance(error, OSError) and error.errno is not None:
        return _disk_message(error)
    if isinstance(error, ImportError):
        return _package_message(error)
    if isinstance(error, MemoryError):
        return (
            f"There is not enough memory: {_line(error) or 'it is used up.'} Run again with "
            "fewer workers or a smaller batch, or free some."
        )
    if (
        module.startswith(_CONFIGURATION_MODULES)
        or module.partition(".")[0] in _NETWORK_PACKAGES
    ):
        return _line(error)
    module_name, function = _raised_in(error.__traceback__)
    if module.startswith("kedro.io") and (error.__cause__ is None or function == "from_config"):
        return _line(error)
    if isinstance(error, _INPUT_ERRORS) and module_name.startswith(_INPUT_MODULES):
        return _line(error)
    return None


def _disk_message(error: OSError) -> str:
    where = str(error.filename) if error.filename is not None else ""
    what = error.strerror or type(error).__name__
    if isinstance(error, FileNotFoundError) and where:
        return f"{where} is not there."
    if error.errno in _FULL and not where:
        return (
            f"{what}: a disk, the folder of temporary files (TMPDIR) or /dev/shm is full; free "
            "some space and run again."
        )
    return f"{where}: {what}. {advice(error)}" if where else f"The system refused: {what}."


def _package_message(error: ImportError) -> str | None:
    """About a package that is not installed; None for a missing name, which is a bug."""
    missing = isinstance(error, ModuleNotFoundError) and error.name is not None
    if missing and not str(error.name).startswith("action_units"):
        return (
            f"This needs the package {error.name}, which is not installed: pip install "
            f"{str(error.name).partition('.')[0]}."
        )
    from_package = error.name is None and "cannot import name" not in str(error)
    return f"A package is missing: {_line(error)}" if from_package else None


def _raised_in(trace: TracebackType | None) -> tuple[str, str]:
    """Module and function that an error was raised in."""
    module_name, function = "", ""
    while trace is not None:
        frame, trace = trace.tb_frame, trace.tb_next
        module_name, function = str(frame.f_globals.get("__name__", "")), frame.f_code.co_name
    return module_name, function


def _line(error: BaseException) -> str:
    """An error's own text in one line."""
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    return " ".join(str(text).split()).rstrip(".") + "." if str(text).strip() else ""
