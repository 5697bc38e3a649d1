"""Rendered faces with known action units, in the raw layouts of DISFA and of a web set."""
