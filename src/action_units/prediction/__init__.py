"""Using a trained classifier: from pictures and videos to tables of action units."""
