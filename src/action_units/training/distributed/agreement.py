"""When to save and when to stop, decided by all processes of a training together."""

import signal

import torch
from torch import Tensor

from action_units.training.checkpoints import Checkpoints
from action_units.training.distributed.team import Team
from action_units.training.interruption import StopRequest

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Agreement:
    """Whether a signal has arrived anywhere, and whether the leader wants to save.

    A signal may reach one process, or all at different steps; if they did not agree on
    the step to leave at, some would wait for the others for ever. So a ballot is carried
    along with the gradients, in steps after which they look at it anyway: to send it and
    to read it makes a GPU's process wait.
    """

    def __init__(self, team: Team, stop: StopRequest, checkpoints: Checkpoints) -> None:
        """Listen to this process's signals and clock."""
        self._team, self._stop, self._checkpoints = team, stop, checkpoints
        self.signal: int | None = None
        self.save_due = False

    def ballot(self) -> Tensor | None:
        """This process's vote, to be summed over all; None where it is the only one."""
        if self._team.size == 1:
            return None
        votes = [float(self._stop.number == number) for number in _SIGNALS]
        return torch.tensor([*votes, float(self._checkpoints.due)], device=self._team.device)

    def decide(self, ballot: Tensor | None = None) -> None:
        """Set ``signal`` and ``save_due``.

        Args:
            ballot: The sum over all processes; without, several stay with what they decided.
        """
        if self._team.size == 1:
            self.signal, self.save_due = self._stop.number, self._checkpoints.due
            return
        self.save_due = False
        if ballot is not None:
            *asked, due = ballot.tolist()
            heard = [number for number, votes in zip(_SIGNALS, asked, strict=True) if votes]
            self.signal = int(heard[0]) if heard else None
            self.save_due = bool(due)
