"""Sweeps: a circuit at many points, and expectation values of observables."""
