"""A client of a TheQuantCloud server. It imports no part of the server."""

from quantcloud.client.asynchronous import AsyncClient
from quantcloud.client.errors import (
    AlreadyExists,
    CircuitError,
    InvalidRequest,
    JobCancelled,
    JobEnded,
    JobFailed,
    JobTimedOut,
    NotConfigured,
    NotFound,
    NotPossible,
    PermissionDenied,
    QuantCloudError,
    QuotaExceeded,
    RateLimited,
    ServerFault,
    Unauthenticated,
    Unavailable,
    WaitTimeout,
)
from quantcloud.client.jobs.run_stream import Answer, AsyncRunStream
from quantcloud.client.jobs.submitted import AsyncBatch, AsyncJob
from quantcloud.client.messages.requests import Circuit, RunFields
from quantcloud.client.messages.results import Drawing, Result
from quantcloud.client.messages.sweeps import Observable, Sweep
from quantcloud.client.messages.views import Event
from quantcloud.client.synchronous import Batch, Client, Job, RunStream

__all__ = [
    "AlreadyExists",
    "Answer",
    "AsyncBatch",
    "AsyncClient",
    "AsyncJob",
    "AsyncRunStream",
    "Batch",
    "Circuit",
    "CircuitError",
    "Client",
    "Drawing",
    "Event",
    "InvalidRequest",
    "Job",
    "JobCancelled",
    "JobEnded",
    "JobFailed",
    "JobTimedOut",
    "NotConfigured",
    "NotFound",
    "NotPossible",
    "Observable",
    "PermissionDenied",
    "QuantCloudError",
    "QuotaExceeded",
    "RateLimited",
    "Result",
    "RunFields",
    "RunStream",
    "ServerFault",
    "Sweep",
    "Unauthenticated",
    "Unavailable",
    "WaitTimeout",
]
