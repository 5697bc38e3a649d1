"""Pixels to faces: detection, crops and the packed face store."""
