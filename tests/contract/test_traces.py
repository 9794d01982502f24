"""Traces of jobs, as a collector receives them."""

import queue
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import (
    trace_service_pb2,
    trace_service_pb2_grpc,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from support.api import Api
from support.circuits import BELL, SHORT_AND_SLOW
from support.external.postgres import Postgres, installations
from support.server import Server
from thequantcloud.v1 import circuit_pb2, job_pb2

DEADLINE = 20
STEPS = {"admit", "parse", "route", "commit", "queue", "run", "result"}


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps the spans that it receives, by trace. `servers` has the server of each span, by id."""

    def __init__(self) -> None:
        self._received: queue.Queue[Span] = queue.Queue()
        self._spans: dict[str, list[Span]] = {}
        self.servers: dict[bytes, str] = {}

    def Export(self, request, context):  # noqa: N802  # the contract's name
        for resource in request.resource_spans:
            of = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.servers[span.span_id] = of["service.instance.id"]
                    self._received.put(span)
        return trace_service_pb2.ExportTraceServiceResponse()

    def trace(self, trace_id: str, *last: str) -> dict[str, Span]:
        """Wait until a trace has the spans `last`, and return its spans by name."""
        while True:
            spans = {span.name: span for span in self._spans.get(trace_id, [])}
            if {*last} <= spans.keys():
                assert len(spans) == len(self._spans[trace_id])
                return spans
            span = self._received.get(timeout=DEADLINE)
            self._spans.setdefault(span.trace_id.hex(), []).append(span)


@pytest.fixture(scope="module")
def collector() -> Iterator[tuple[Collector, str]]:
    server = grpc.server(ThreadPoolExecutor(2))
    collector = Collector()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield collector, f"http://127.0.0.1:{port}"
    server.stop(None)


@pytest.fixture(scope="module")
def traced(collector, tmp_path_factory) -> Iterator[Server]:
    _, url = collector
    with Server(
        tmp_path_factory.mktemp("traced") / "data", "--workers", "1",
        QUANTCLOUD_OTLP_ENDPOINT=url, OTEL_BSP_SCHEDULE_DELAY="100",
    ) as server:  # fmt: skip
        yield server


def context() -> tuple[str, str, str]:
    """Return a trace id, a span id, and the header that names both."""
    trace, span = uuid.uuid4().hex, uuid.uuid4().hex[:16]
    return trace, span, f"00-{trace}-{span}-01"


@pytest.mark.parametrize("backend", ["local_simulator", "aer_simulator"])
@pytest.mark.parametrize("over", ["gRPC", "REST"])
def test_a_job_is_one_tree_below_the_clients_span(collector, traced: Server, over, backend):
    api, (trace, client, header) = traced.api(), context()
    if over == "gRPC":
        request = circuit_pb2.RunCircuitRequest(qasm=BELL, backend=backend)
        metadata = (*api.metadata, ("traceparent", header))
        job = api.circuits.RunCircuit(request, metadata=metadata).job_id
    else:
        answer = api.rest(
            "POST", "/v1/circuits/run", {"qasm": BELL, "backend": backend},
            headers={"traceparent": header},
        )  # fmt: skip
        job = answer.json()["job_id"]
    call = "thequantcloud.v1.CircuitService/RunCircuit"
    spans = collector[0].trace(trace, call, "result")
    assert spans.keys() == {call, *STEPS}
    root = spans.pop(call)
    assert root.parent_span_id.hex() == client
    assert {span.parent_span_id for span in spans.values()} == {root.span_id}
    order = ["admit", "parse", "route", "queue", "run", "result"]
    begins = [spans[name].start_time_unix_nano for name in order]
    assert begins == sorted(begins)
    for span in spans.values():
        assert span.start_time_unix_nano <= span.end_time_unix_nano
    named = {each.key: each.value.string_value for each in spans["run"].attributes}
    assert (named["job_id"], named["backend"]) == (job, backend)
    assert "worker_ms" in named
    ids = {each.key: each.value.string_value for each in root.attributes}
    assert ids["job_id"] == job
    assert ids["request_id"]


def test_a_client_that_records_no_trace_gets_none(collector, traced: Server):
    api, (unrecorded, _, header), (trace, _, other) = traced.api(), context(), context()
    for sent in (header[:-2] + "00", other):
        metadata = (*api.metadata, ("traceparent", sent))
        job = api.circuits.RunCircuit(
            circuit_pb2.RunCircuitRequest(qasm=BELL), metadata=metadata
        ).job_id
        api.finish(job)
    collector[0].trace(trace, "result")
    assert unrecorded not in collector[0]._spans


@pytest.mark.skipif(not installations(), reason="PostgreSQL is not installed")
def test_a_job_that_another_server_runs_is_one_tree(collector, tmp_path: Path):
    """The first server submits it while its only worker is busy, so the second one runs it."""
    _, url = collector
    with ExitStack() as stack:
        postgres = stack.enter_context(Postgres([*installations().values()][-1]))
        environment = {
            "QUANTCLOUD_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "100",
            "QUANTCLOUD_DATABASE_URL": postgres.url(),
        }  # fmt: skip
        options = ("--workers", "1", "--no-envoy")
        first = stack.enter_context(Server(tmp_path / "first", *options, **environment))
        api = first.api()
        busy = api.run(SHORT_AND_SLOW, backend="aer_simulator", shots=1)
        api.until(busy, job_pb2.Job.running)
        second = stack.enter_context(Server(tmp_path / "second", *options, **environment))
        trace, client, header = context()
        request = circuit_pb2.RunCircuitRequest(qasm=BELL, backend="aer_simulator")
        metadata = (*api.metadata, ("traceparent", header))
        job = api.circuits.RunCircuit(request, metadata=metadata).job_id
        call = "thequantcloud.v1.CircuitService/RunCircuit"
        spans = collector[0].trace(trace, call, *STEPS)
        assert spans.keys() == {call, *STEPS}
        assert Api(second.channel, second.rest, api.credential).job(job).job_id == job
        api.cancel(busy)
    root = spans.pop(call)
    assert root.parent_span_id.hex() == client
    assert {span.parent_span_id for span in spans.values()} == {root.span_id}
    ran = {"queue", "run", "result"}
    servers = {name: collector[0].servers[span.span_id] for name, span in spans.items()}
    assert len({servers[name] for name in ran}) == 1
    assert {servers[name] for name in STEPS - ran} == {collector[0].servers[root.span_id]}
    assert servers["run"] != servers["route"]


def test_a_page_may_send_the_header(traced: Server):
    asked = {
        "Origin": "https://page", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "traceparent",
    }  # fmt: skip
    answer = traced.rest.options("/v1/circuits/run", headers=asked)
    assert "traceparent" in answer.headers["access-control-allow-headers"]


def test_a_server_without_traces_imports_no_opentelemetry():
    script = (
        "import sys, quantcloud.app\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
