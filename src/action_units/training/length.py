"""How long a training is: a function of its recipe and of how many faces it learns from."""

from dataclasses import dataclass

from action_units.config import Recipe


@dataclass(frozen=True)
class TrainingLength:
    """Steps, epochs and evaluations of a training that patience does not end earlier.

    Attributes:
        recipe: How it trains.
        n_faces: How many faces it learns from, at least one.
    """

    recipe: Recipe
    n_faces: int

    @property
    def batch_size(self) -> int:
        """Faces per step: the recipe's batch size, at most all faces."""
        return min(self.recipe.batch_size, self.n_faces)

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in an epoch."""
        return self.n_faces // self.batch_size

    @property
    def steps(self) -> int:
        """Length in steps."""
        return self.recipe.steps or self.recipe.epochs * self.steps_per_epoch

    @property
    def epochs(self) -> int:
        """Length in epochs, the last of which may be a part of one."""
        return -(-self.steps // self.steps_per_epoch)

    @property
    def evaluations(self) -> int:
        """How many epochs are evaluated and saved: every few, and the last."""
        return -(-self.epochs // self.recipe.validate_every)
