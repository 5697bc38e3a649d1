"""``python -m action_units`` is the command ``action-units``."""

from action_units.commands import main

if __name__ == "__main__":
    main(prog_name="python -m action_units")
