"""What is done to probabilities before AUs are called present: each fitted on validation."""
