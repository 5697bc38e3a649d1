"""Matplotlib figures of a run: PNG for previews and papers, inline SVG for the page.

MetricValues are made as objects, never through pyplot: no global state, no windows. Those that
the page shows inline take a palette. Small multiples asked for one action unit are one
panel, which the page lays out itself.
"""
