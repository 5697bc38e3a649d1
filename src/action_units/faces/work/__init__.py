"""Long work in shards: on processes or a cluster, and taken up again where it was stopped."""
