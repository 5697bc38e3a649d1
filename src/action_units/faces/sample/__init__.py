"""The embedded sample: rendered faces with known action units in the raw layouts."""
