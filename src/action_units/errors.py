"""The errors a user meets: one clear sentence each, with the place at fault."""

from pathlib import Path


class ActionUnitsError(Exception):
    """A problem that the user can fix; its message has the fix."""


class LabelError(ActionUnitsError):
    """Labels that must not be trained on; stops the run and names file and line."""

    def __init__(self, path: Path | str, problem: str, line: int | None = None) -> None:
        """Name the place and the problem.

        Args:
            path: The label file.
            problem: What was found and what was expected.
            line: Its line, counted from 1, if known.
        """
        super().__init__(path, problem, line)  # so that it can be pickled
        self.path, self.problem, self.line = Path(path), problem, line

    def __str__(self) -> str:
        """Place and problem; a URL keeps its slashes, which a path does not."""
        line = "" if self.line is None else f", line {self.line}"
        return f"{self.args[0]}{line}: {self.problem}"


class UnusableFace(ActionUnitsError):
    """A picture that cannot be used; the run continues and the picture is quarantined."""

    def __init__(self, reason: str, detail: str) -> None:
        """Give the reason.

        Args:
            reason: A short code that counts are grouped by, such as ``truncated``.
            detail: What exactly was wrong.
        """
        super().__init__(reason, detail)  # so that it can be pickled
        self.reason, self.detail = reason, detail

    def __str__(self) -> str:
        """Reason and detail."""
        return f"{self.reason}: {self.detail}"


class ConfigurationError(ActionUnitsError):
    """A parameter outside its choices; the message lists them."""


class ArtifactError(ActionUnitsError):
    """A file of ours that is missing, damaged or made for something else."""
