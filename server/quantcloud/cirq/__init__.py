"""Cirq on a TheQuantCloud server: a sampler. Needs the extra `cirq`."""

from quantcloud.cirq.sampler import Sampler

__all__ = ["Sampler"]
