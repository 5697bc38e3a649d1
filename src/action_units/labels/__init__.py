"""FACS vocabulary, label files of each data set, folds and sampling."""
