"""The toy Monte Carlo, the writer of the published layout, and the inspection of shards."""
