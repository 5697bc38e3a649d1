"""Train facial action unit classifiers: noisy pre-training, expert fine-tuning."""

__version__ = "0.1.0"
