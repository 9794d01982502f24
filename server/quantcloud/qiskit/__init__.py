"""Qiskit on a TheQuantCloud server: backends and primitives. Needs the extra `qiskit`."""

from quantcloud.qiskit.jobs import PrimitiveJob, QuantCloudJob
from quantcloud.qiskit.primitives import EstimatorV2, SamplerV2
from quantcloud.qiskit.provider import Backend, Provider

__all__ = ["Backend", "EstimatorV2", "PrimitiveJob", "Provider", "QuantCloudJob", "SamplerV2"]
