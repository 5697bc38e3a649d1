"""The live view: a web page on this computer that shows action units while they come."""
