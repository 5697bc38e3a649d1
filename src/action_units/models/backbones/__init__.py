"""One file a backbone; the file's name is the name of the architecture."""
