"""The vocabulary: action units, image names, label tables, their readers, fold protocols."""
