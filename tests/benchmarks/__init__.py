"""Benchmarks: the cost of the service compared with the bare simulator, as ratios of one run."""
