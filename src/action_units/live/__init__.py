"""The live view: a web page on this computer that shows action units as they come."""
