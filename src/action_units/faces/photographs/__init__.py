"""Photographs as they come: a folder tree, an MS-Celeb-1M TSV, WebDataset tars."""
