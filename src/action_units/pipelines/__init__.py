"""The pipelines: thin nodes over the library, wired fold by fold."""
