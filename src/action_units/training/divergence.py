"""Noticing that a training has failed, and saying where."""

import torch

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
    recent = state.losses[max(0, number + 1 - RECENT) : number + 1].cpu()
    bad = (~torch.isfinite(recent)).nonzero()
    if len(bad):
        steps_ago = len(recent) - 1 - int(bad[0, 0])
        raise _error(setup, state.step - 1 - steps_ago, f"loss became {recent[bad[0]].item()}")
    note = f"epoch {epoch + 1} of {setup.epochs}, loss {recent.mean():.3f}"
    if state.curve:
        note += f", validation F1 {state.curve[-1]['validation_macro_f1']:.3f}"
    return note


def check_weights(setup: Setup, state: TrainingState) -> None:
    """Keep a checkpoint from being replaced by one that cannot go on."""
    if not state.is_finite():
        raise _error(setup, state.step - 1, "weights became NaN or infinite")


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
