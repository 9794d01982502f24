"""Qiskit on a TheQuantCloud server: backends and primitives. Needs the extra `qiskit`."""

from quantcloud.qiskit.backends import Backend, Provider, QuantCloudJob
from quantcloud.qiskit.primitives import EstimatorV2, SamplerV2

__all__ = ["Backend", "EstimatorV2", "Provider", "QuantCloudJob", "SamplerV2"]
