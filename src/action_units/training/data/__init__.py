"""Faces and labels on their way to a step."""
