"""AU labels that other programs wrote: a file a program, listed in ``registry``."""
