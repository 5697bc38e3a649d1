"""How much data: F1 against photographs, people and coded subjects."""
