"""Converts backends."""

from collections.abc import Mapping
from typing import cast

from quantcloud.domain.backend import BackendStatus
from quantcloud.services.platform import BackendReport
from thequantcloud.v1 import backend_pb2


def backend(report: BackendReport) -> backend_pb2.Backend:
    info = report.info
    return backend_pb2.Backend(
        name=info.name,
        provider=info.provider,
        num_qubits=info.num_qubits,
        status=report.status,
        is_simulator=info.is_simulator,
        queue_depth=report.queue_depth,
        avg_queue_time_sec=report.mean_queue_seconds,
        cost_per_shot=info.cost_per_shot,
        native_gates=info.native_gates,
        description=info.description,
        widest_circuit=report.widest_circuit,
    )


def statuses(backends: Mapping[str, BackendStatus]) -> Mapping[str, backend_pb2.Backend.Status]:
    # A map field rejects names of enum values, and its stub rejects numbers.
    numbers = {name: backend_pb2.Backend.Status.Value(s) for name, s in backends.items()}
    return cast("Mapping[str, backend_pb2.Backend.Status]", numbers)
