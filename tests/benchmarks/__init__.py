"""Benchmarks: what the service costs over the bare simulator, as ratios taken in one run."""
