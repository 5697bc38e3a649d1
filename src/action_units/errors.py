"""The errors a user meets: one clear sentence each, with the place at fault."""

from pathlib import Path


class ActionUnitsError(Exception):
    """A problem the user can mend; its message is one sentence that says how."""


class LabelError(ActionUnitsError):
    """Labels that must not be trained on; stops the run and names file and line."""

    def __init__(self, path: Path | str, problem: str, line: int | None = None) -> None:
        """Name the place and the problem.

        Args:
            path: The label file.
            problem: What was found and what was expected.
            line: Its line, counted from 1, where there is one.
        """
        place = str(path) if line is None else f"{path}, line {line}"
        super().__init__(f"{place}: {problem}")
        self.path = Path(path)
        self.line = line
        self.problem = problem

    def __reduce__(self) -> tuple[type, tuple[Path, str, int | None]]:
        """Survive the trip from a worker process."""
        return type(self), (self.path, self.problem, self.line)


class UnusableFace(ActionUnitsError):
    """A picture that cannot be used; the run goes on and the picture is quarantined."""

    def __init__(self, reason: str, detail: str) -> None:
        """Say why.

        Args:
            reason: A short code that counts are grouped by, such as ``truncated``.
            detail: What exactly was wrong.
        """
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        """Survive the trip from a worker process."""
        return type(self), (self.reason, self.detail)


class ConfigurationError(ActionUnitsError):
    """A parameter outside its choices; the message lists them."""


class ArtifactError(ActionUnitsError):
    """A file of ours that is missing, damaged or made for something else."""
