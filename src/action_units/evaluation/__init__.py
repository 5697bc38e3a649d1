"""How good a classifier is: metrics, thresholds, intervals, tables, figures, the report."""
