"""Noticing that a training has failed, and saying where."""

import math

import torch
from torch import Tensor

from action_units.errors import ActionUnitsError
from action_units.training.schedule import learning_rate
from action_units.training.setup import Setup
from action_units.training.state import TrainingState

RECENT = 50
"""Steps whose mean loss is shown."""

NAMED = 8
"""Faces of a batch that an error names."""


class DivergedError(ActionUnitsError):
    """The loss or the weights stopped being numbers."""


def describe_progress(setup: Setup, state: TrainingState, epoch: int, number: int) -> str:
    """Check the recent losses and say how it goes."""
    first = max(0, number + 1 - RECENT)
    recent = state.losses[first : number + 1].cpu()
    _check_losses(setup, recent, epoch * setup.steps_per_epoch + first)
    note = f"epoch {epoch + 1} of {setup.epochs}, loss {recent.mean():.3f}"
    scores = [row["validation_macro_f1"] for row in state.curve]
    known = [score for score in scores if not math.isnan(score)]
    return f"{note}, validation F1 {known[-1]:.3f}" if known else note


def check_state(setup: Setup, state: TrainingState) -> None:
    """Keep a checkpoint from being replaced by one that cannot go on."""
    epoch = (state.step - 1) // setup.steps_per_epoch
    # A loss can be infinite while its gradient, and so every weight, is still a number.
    _check_losses(setup, state.losses.cpu(), epoch * setup.steps_per_epoch)
    if not state.is_finite():
        raise _error(setup, state.step - 1, "weights became NaN or infinite")


def _check_losses(setup: Setup, losses: Tensor, first: int) -> None:
    """Refuse a loss that is no number; the first is that of step ``first``, from 0."""
    bad = (~torch.isfinite(losses)).nonzero()
    if len(bad):
        raise _error(setup, first + int(bad[0, 0]), f"loss became {losses[bad[0]].item()}")


def _error(setup: Setup, step: int, what: str) -> DivergedError:
    """The error for a step counted from 0, with the faces that were in it."""
    epoch, number = divmod(step, setup.steps_per_epoch)
    order = setup.faces_of(epoch)[0].cpu().numpy()
    batch = order[number * setup.batch_size : (number + 1) * setup.batch_size]
    rows = setup.data.train_rows[batch]
    names = ", ".join(setup.data.name(row) for row in rows[:NAMED])
    more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
    recipe = setup.recipe
    rate = learning_rate(
        recipe.schedule, recipe.learning_rate, step, setup.steps, setup.steps_per_epoch
    )
    return DivergedError(
        f"The {what} in epoch {epoch + 1}, step {number + 1} of {setup.steps_per_epoch}, at "
        f"learning rate {rate:.3g}, on the faces {names}{more}. The last checkpoint is "
        "untouched. Try a lower learning_rate, a gradient_clip, or precision fp32."
    )
