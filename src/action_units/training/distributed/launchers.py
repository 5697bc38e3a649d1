"""Refusing to run the whole of a program once on every process of a launcher."""

from collections.abc import Mapping

from action_units.errors import ConfigurationError

_LAUNCHERS = (
    ("torchrun", "WORLD_SIZE"),
    ("mpirun", "OMPI_COMM_WORLD_SIZE"),
    ("srun", "SLURM_STEP_NUM_TASKS"),
)


def refuse_launcher(environment: Mapping[str, str]) -> None:
    """Refuse an environment that says that this process is one of several alike.

    Each of them would read the whole catalog, run every node and write the same files.

    Args:
        environment: As ``os.environ``.

    Raises:
        ConfigurationError: With the command that is meant.
    """
    for launcher, variable in _LAUNCHERS:
        count = environment.get(variable, "")
        if count.isdecimal() and int(count) > 1:
            raise ConfigurationError(
                f"{launcher} has started {count} of this run ({variable}={count}), and each "
                "would run every node and write the same files. Start the command once, "
                f"without {launcher}: on one computer with `devices=N` among its --params, on "
                "several with `devices=torchrun`, which names the torchrun command "
                "(docs/clusters.md)."
            )
