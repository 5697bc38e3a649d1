"""Data sets that experts have coded: from their files to coded frames and their pictures."""
