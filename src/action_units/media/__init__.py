"""Bytes to pixels: images and videos, read strictly."""
