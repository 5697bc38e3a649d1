"""Using a trained classifier: pictures and videos in, tables of action units out."""
