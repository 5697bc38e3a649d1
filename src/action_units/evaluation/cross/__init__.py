"""A run's networks on a coded set that they were not trained on."""
