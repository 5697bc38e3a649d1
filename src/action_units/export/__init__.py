"""Trained classifiers as files for others: ONNX, INT8, safetensors with JSON, a model card."""
