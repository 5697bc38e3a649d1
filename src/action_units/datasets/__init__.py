"""How things lie on disk, as Kedro datasets: whole files, with their hashes."""
