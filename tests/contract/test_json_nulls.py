"""JSON nulls are for Envoy's transcoder. Clients of gRPC get no unknown fields."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from support.api import Api
from support.circuits import BELL, slow
from support.server import Server
from thequantcloud.v1 import circuit_pb2, job_pb2

# Envoy's transcoder adds it to the requests that it makes.
OVER_REST = ("x-envoy-original-path", "/v1/jobs")


@pytest.fixture(scope="module")
def ada(server: Server) -> Api:
    return server.api()


def unknown(message: Message) -> int:
    """Return the number of unknown fields, also in nested messages."""
    count = len(UnknownFieldSet(message))
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        count += sum(map(unknown, value if field.is_repeated else [value]))
    return count


def test_only_requests_of_the_transcoder_get_them(ada: Api):
    job_id = ada.run(BELL, backend="local_simulator")
    for request, call in [
        (job_pb2.GetJobRequest(id=job_id), ada.jobs.GetJob),
        (job_pb2.ListJobsRequest(), ada.jobs.ListJobs),
        (job_pb2.GetJobResultRequest(id=job_id), ada.jobs.GetJobResult),
    ]:
        assert unknown(call(request, metadata=ada.metadata)) == 0
        assert unknown(call(request, metadata=(*ada.metadata, OVER_REST))) > 0


def test_watchers_of_one_job_get_what_their_protocol_needs(ada: Api):
    job_id = ada.run(slow())
    request = job_pb2.WatchJobRequest(id=job_id, after_sequence=0)
    kinds = [(), (OVER_REST,), (), (OVER_REST,)]
    with ExitStack() as calls:
        watchers: list[Iterator[job_pb2.JobEvent]] = []
        for kind in kinds:
            call = ada.jobs.WatchJob(request, metadata=(*ada.metadata, *kind), timeout=60)
            calls.callback(call.cancel)
            watchers.append(call)
        first = [next(watcher) for watcher in watchers]
        ada.cancel(job_id)
        events = [[one, *watcher] for one, watcher in zip(first, watchers, strict=True)]
    for kind, seen in zip(kinds, events, strict=True):
        assert seen[-1].job.status == job_pb2.Job.cancelled
        assert all(bool(unknown(event)) is bool(kind) for event in seen)


def test_a_run_is_answered_in_the_protocol_of_its_request(ada: Api):
    request = circuit_pb2.RunCircuitRequest(qasm=BELL, backend="local_simulator")
    for kind in ((), (OVER_REST,)):
        events = list(ada.circuits.RunAndWatch(request, metadata=(*ada.metadata, *kind)))
        assert all(bool(unknown(event)) is bool(kind) for event in events)
