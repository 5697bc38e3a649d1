"""Noticing that a training has diverged, and where."""

import math

import torch
from torch import Tensor

from action_units.errors import ActionUnitsError
from action_units.training.context import TrainingContext
from action_units.training.state import TrainingState

RECENT = 50
"""Steps of the mean loss that progress shows."""

NAMED = 8
"""Faces of a batch that an error names."""


class DivergedError(ActionUnitsError):
    """The loss or the weights became NaN or infinite."""


def describe_progress(
    context: TrainingContext, state: TrainingState, epoch: int, number: int
) -> str:
    """Check the recent losses, and describe the state after a step of an epoch."""
    first = max(0, number + 1 - RECENT)
    recent = state.losses[first : number + 1].cpu()
    _check_losses(context, recent, epoch * context.steps_per_epoch + first)
    note = f"epoch {epoch + 1} of {context.epochs}, loss {recent.mean():.3f}"
    scores = [row["validation_macro_f1"] for row in state.curve]
    known = [score for score in scores if not math.isnan(score)]
    return f"{note}, validation F1 {known[-1]:.3f}" if known else note


def check_state(context: TrainingContext, state: TrainingState) -> None:
    """Keep a checkpoint from being replaced by one that cannot be continued."""
    epoch = (state.step - 1) // context.steps_per_epoch
    # A loss can be infinite while its gradient, and so every weight, is still finite.
    _check_losses(context, state.losses.cpu(), epoch * context.steps_per_epoch)
    if not state.is_finite():
        raise _error(context, state.step - 1, "weights became NaN or infinite")


def _check_losses(context: TrainingContext, losses: Tensor, first: int) -> None:
    """Check losses; the first is that of step ``first``, counted from 0."""
    bad = (~torch.isfinite(losses)).nonzero()
    if len(bad):
        raise _error(context, first + int(bad[0, 0]), f"loss became {losses[bad[0]].item()}")


def _error(context: TrainingContext, step: int, what: str) -> DivergedError:
    """The error for a step counted from 0, with the faces of its batch."""
    epoch, number = divmod(step, context.steps_per_epoch)
    order = context.faces_of(epoch)[0].cpu().numpy()
    batch = order[number * context.batch_size : (number + 1) * context.batch_size]
    rows = context.data.train_rows[batch]
    names = ", ".join(context.data.name(row) for row in rows[:NAMED])
    more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
    return DivergedError(
        f"The {what} in epoch {epoch + 1}, step {number + 1} of {context.steps_per_epoch}, at "
        f"learning rate {context.rate(step):.3g}, on the faces {names}{more}. The last "
        "checkpoint is untouched. Try a lower learning_rate, a gradient_clip, or precision "
        "fp32."
    )
