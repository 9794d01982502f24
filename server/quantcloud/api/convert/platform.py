"""Converts backends."""

from collections.abc import Mapping
from typing import cast

from quantcloud.api.convert.values import message_of
from quantcloud.domain.backend import BackendStatus
from quantcloud.services.platform import BackendReport
from thequantcloud.v1 import backend_pb2


def backend(report: BackendReport) -> backend_pb2.Backend:
    return message_of(
        backend_pb2.Backend,
        report.info,
        status=report.status,
        queue_depth=report.queue_depth,
        avg_queue_time_sec=report.mean_queue_seconds,
        widest_circuit=report.widest_circuit,
    )


def statuses(backends: Mapping[str, BackendStatus]) -> Mapping[str, backend_pb2.Backend.Status]:
    # A map field rejects names of enum values, and its stub rejects numbers.
    numbers = {name: backend_pb2.Backend.Status.Value(s) for name, s in backends.items()}
    return cast("Mapping[str, backend_pb2.Backend.Status]", numbers)
