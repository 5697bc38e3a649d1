"""How long a whole run takes and what it needs, from a slice of its data."""
