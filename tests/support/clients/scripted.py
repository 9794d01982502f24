"""A gRPC server in this process whose answers a test writes."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from thequantcloud.v1 import (
    account_pb2_grpc,
    api_key_pb2_grpc,
    backend_pb2_grpc,
    circuit_pb2_grpc,
    job_pb2_grpc,
    status_pb2_grpc,
)

_SERVICES = (
    (
        circuit_pb2_grpc.CircuitServiceServicer,
        circuit_pb2_grpc.add_CircuitServiceServicer_to_server,
    ),
    (job_pb2_grpc.JobServiceServicer, job_pb2_grpc.add_JobServiceServicer_to_server),
    (api_key_pb2_grpc.ApiKeyServiceServicer, api_key_pb2_grpc.add_ApiKeyServiceServicer_to_server),
    (
        account_pb2_grpc.AccountServiceServicer,
        account_pb2_grpc.add_AccountServiceServicer_to_server,
    ),
    (
        backend_pb2_grpc.BackendServiceServicer,
        backend_pb2_grpc.add_BackendServiceServicer_to_server,
    ),
    (status_pb2_grpc.StatusServiceServicer, status_pb2_grpc.add_StatusServiceServicer_to_server),
)


@contextmanager
def scripted(**methods: Callable[[Any, grpc.ServicerContext], Any]) -> Iterator[str]:
    """Serve `methods`, by the name of their RPC, and yield the server's HOST:PORT."""
    server = grpc.server(ThreadPoolExecutor(4))
    for servicer, add in _SERVICES:
        mine = {
            name: staticmethod(each) for name, each in methods.items() if hasattr(servicer, name)
        }
        add(type("Scripted", (servicer,), mine)(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def refusal(
    code: grpc.StatusCode,
    reason: str,
    retry_seconds: float | None = None,
    field: str = "",
    metadata: Mapping[str, str] | None = None,
) -> grpc.Status:
    """Return the end of a call that the server refuses."""
    status = status_pb2.Status(code=code.value[0], message="refused")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, metadata=metadata))
    if field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=field)
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    if retry_seconds is not None:
        delay = Duration()
        delay.FromMilliseconds(round(1000 * retry_seconds))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return rpc_status.to_status(status)
