"""Checking that a launcher has not started the whole program once on every process."""

from collections.abc import Mapping

from action_units.errors import ConfigurationError

_LAUNCHERS = {
    "torchrun": "WORLD_SIZE",
    "mpirun": "OMPI_COMM_WORLD_SIZE",
    "srun": "SLURM_STEP_NUM_TASKS",
}


def check_launcher(environment: Mapping[str, str]) -> None:
    """Check that this process is not one of several that a launcher started.

    Each of them would read the whole catalog, run every node and write the same files.

    Args:
        environment: As ``os.environ``.

    Raises:
        ConfigurationError: It is, with the command to use instead.
    """
    for launcher, variable in _LAUNCHERS.items():
        count = environment.get(variable, "")
        if count.isdecimal() and int(count) > 1:
            raise ConfigurationError(
                f"{launcher} has started {count} of this run ({variable}={count}), and each "
                "would run every node and write the same files. Start the command once, "
                f"without {launcher}: on one computer with `devices=N` among its --params, on "
                "several with `devices=torchrun`, which names the torchrun command "
                "(docs/clusters.md)."
            )
