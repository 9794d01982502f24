"""RunAndWatch, one call from circuit to result, over gRPC and over REST."""

import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from benchmarks.clients.http2 import Connection
from benchmarks.memory import mebibytes
from support.api import Api, WatchEndedError
from support.circuits import ASYMMETRIC, BELL, HEADER, slow
from support.processes import command, descendants
from support.server import Server
from thequantcloud.v1 import circuit_pb2, circuit_pb2_grpc, job_pb2

PATH = "/v1/circuits/run-and-watch"
METHOD = "/thequantcloud.v1.CircuitService/RunAndWatch"
BROKEN = HEADER + "qreg q[2];\n  hadamard q[0];\n"
CALLS = 100


def over_rest(api: Api, qasm: str, key: str | None = None, **fields: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return api.events(PATH, {"qasm": qasm, **fields}, headers)


WAYS: dict[str, Callable[..., Any]] = {"grpc": Api.run_and_watch, "rest": over_rest}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """A way to send a circuit, which returns an iterator of its job's events."""
    return WAYS[request.param]


@pytest.fixture
def ada(server: Server) -> Api:
    return server.newcomer()


def disconnect(watch: Any) -> None:
    """Cancel the call as a client that disconnects."""
    watch.cancel() if isinstance(watch, grpc.Call) else watch.close()


def jobs_of(api: Api) -> list[str]:
    page = api.jobs.ListJobs(job_pb2.ListJobsRequest(limit=100), metadata=api.metadata)
    return [job.job_id for job in page.jobs]


def content(message: Message) -> dict[str, Any]:
    """The content of a message, independent of its transport."""
    return MessageToDict(message, preserving_proto_field_name=True)


def changes(watch: Iterable[job_pb2.JobEvent]) -> list[job_pb2.JobEvent]:
    """Return the events without checkpoints, which jobs get that wait or take long."""
    return [event for event in watch if not event.checkpoint]


def read_to_running(watch: Iterator[job_pb2.JobEvent]) -> job_pb2.JobEvent:
    """Read up to the event with status `running`."""
    return next(event for event in watch if event.job.status == job_pb2.Job.running)


@pytest.mark.parametrize("backend", ["local_simulator", "aer_simulator"])
def test_one_call_returns_the_result(ada: Api, way: Callable[..., Any], backend: str):
    events = changes(way(ada, ASYMMETRIC, backend=backend, shots=100))
    (job_id,) = {event.job.job_id for event in events}
    assert jobs_of(ada) == [job_id]
    log = [content(event) for event in ada.watch(job_id, with_result=True)]
    # A part of WatchJob's events. Only the last has the result.
    places = [event.sequence for event in events]
    assert places == sorted(set(places))
    assert [content(event) for event in events] == [log[place - 1] for place in places]
    assert [event.HasField("result") for event in events] == [False] * (len(events) - 1) + [True]
    last = events[-1]
    (listed,) = ada.jobs.ListJobs(job_pb2.ListJobsRequest(), metadata=ada.metadata).jobs
    assert content(last.job) == content(listed)
    assert last.job.status == job_pb2.Job.completed
    assert dict(last.result.counts) == {"001": 100}


async def test_the_result_comes_together_with_the_end_of_the_stream(server: Server, ada: Api):
    ((_, token),) = ada.metadata
    connection = await Connection.open(server.endpoints.grpc, METHOD, token.split()[1])
    request = circuit_pb2.RunCircuitRequest(qasm=BELL, backend="local_simulator")
    together = list[bool]()
    for _ in range(5):
        stream = connection.request(request.SerializeToString())
        await connection.received([stream], 1)
        together.append(stream in connection.ended)
    connection.close()
    # On a busy machine, a run may take so long that its start is sent first.
    assert sum(together) >= 3


def refusals(api: Api, body: dict[str, Any]) -> list[Any]:
    """The errors of both ways for a refused request, and RunCircuit's error over REST."""
    with pytest.raises(grpc.RpcError) as refused:
        list(
            api.circuits.RunAndWatch(
                circuit_pb2.RunCircuitRequest(**body), metadata=api.metadata, timeout=60
            )
        )
    return [
        refused.value,
        api.rest("POST", PATH, body),
        api.rest("POST", "/v1/circuits/run", body),
    ]


@pytest.mark.parametrize(
    ("body", "code", "status", "says"),
    [
        ({"qasm": BROKEN}, "INVALID_ARGUMENT", 400, "line 4, column 3"),
        ({"qasm": ""}, "INVALID_ARGUMENT", 400, "qasm"),
        ({"qasm": BELL, "backend": "abacus"}, "INVALID_ARGUMENT", 400, "backend"),
        ({"qasm": BELL, "backend": "aer_gpu_simulator"}, "FAILED_PRECONDITION", 400, "offline"),
        ({"qasm": BELL, "shots": 10_001}, "PERMISSION_DENIED", 403, "10000"),
    ],
    ids=["circuit", "nothing", "backend", "offline", "quota"],
)
def test_a_refusal_is_that_of_run_circuit(
    ada: Api, body: dict[str, Any], code: str, status: int, says: str
):
    error, over_rest, of_run = refusals(ada, body)
    assert error.code() is grpc.StatusCode[code]
    assert says in error.details()
    assert over_rest.status_code == of_run.status_code == status
    assert over_rest.json() == of_run.json()
    assert over_rest.json()["detail"] == error.details()
    assert over_rest.headers["content-type"] == "application/json"
    assert jobs_of(ada) == []


def test_without_credentials_nothing_runs(server: Server):
    stranger = Api(server.channel, server.rest, "nobody's")
    error, over_rest, of_run = refusals(stranger, {"qasm": BELL})
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert over_rest.status_code == 401
    assert over_rest.json() == of_run.json()
    assert over_rest.headers["www-authenticate"].startswith("Bearer")


def test_a_too_large_circuit_is_refused(ada: Api):
    with pytest.raises(grpc.RpcError) as refused:
        list(ada.run_and_watch("/" * 11_000_000))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert ada.rest("POST", PATH, {"qasm": "/" * 1_100_000}).status_code == 413
    assert jobs_of(ada) == []


def test_a_call_without_a_request_is_refused(server: Server, ada: Api):
    def nothing() -> Iterator[bytes]:
        yield from ()

    call = server.channel.stream_stream("/thequantcloud.v1.CircuitService/RunAndWatch")
    with pytest.raises(grpc.RpcError) as refused:
        list(call(nothing(), metadata=ada.metadata, timeout=60))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == "request: is missing"


def test_a_repeated_key_watches_the_first_job(ada: Api, way: Callable[..., Any]):
    events = list(way(ada, ASYMMETRIC, "once", shots=10))
    (again,) = way(ada, ASYMMETRIC, "once", shots=10)
    assert again == events[-1]
    # RunCircuit with the same key returns the same job.
    headers = {"Idempotency-Key": "once"}
    body = {"qasm": ASYMMETRIC, "shots": 10}
    answer = ada.rest("POST", "/v1/circuits/run", body, headers=headers)
    assert answer.json()["job_id"] == again.job.job_id
    assert jobs_of(ada) == [again.job.job_id]
    other = ada.rest("POST", PATH, {**body, "shots": 11}, headers=headers)
    assert other.status_code == 409
    assert again.job.job_id in other.text
    with pytest.raises(grpc.RpcError) as refused:
        list(ada.run_and_watch(BELL, "once"))
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert jobs_of(ada) == [again.job.job_id]


def test_concurrent_calls_with_one_key_watch_one_job(ada: Api):
    def send(place: int) -> dict[str, Any]:
        *_, last = list(WAYS.values())[place % 2](ada, ASYMMETRIC, "many", shots=10)
        return content(last)

    with ThreadPoolExecutor(20) as pool:
        first, *others = pool.map(send, range(20))
    assert first["result"]["counts"] == {"001": 10}
    assert others == [first] * 19
    assert jobs_of(ada) == [first["job"]["job_id"]]


def test_disconnecting_does_not_cancel_the_job(ada: Api, way: Callable[..., Any]):
    watch = way(ada, slow(20, 20), backend="aer_simulator", shots=10)
    begun = read_to_running(watch)
    disconnect(watch)
    job_id = begun.job.job_id
    rest = changes(ada.watch(job_id, after_sequence=begun.sequence, with_result=True))
    assert [event.job.status for event in rest] == [job_pb2.Job.completed]
    assert sum(rest[0].result.counts.values()) == 10


def test_cancelling_the_job_ends_the_call(ada: Api, way: Callable[..., Any]):
    watch = way(ada, slow(), backend="aer_simulator", shots=1)
    begun = read_to_running(watch)
    ada.cancel(begun.job.job_id)
    (last,) = watch
    assert (last.sequence, last.job.status) == (begun.sequence + 1, job_pb2.Job.cancelled)
    assert not last.HasField("result")


def test_a_hundred_concurrent_calls_each_watch_their_own_job(server: Server):
    ada = server.api()
    options = (("grpc.use_local_subchannel_pool", 1),)
    with (
        grpc.insecure_channel(server.endpoints.http.removeprefix("http://"), options) as front,
        ThreadPoolExecutor(CALLS) as pool,
    ):
        stubs = [ada.circuits, circuit_pb2_grpc.CircuitServiceStub(front)]

        def send(place: int) -> list[job_pb2.JobEvent]:
            request = circuit_pb2.RunCircuitRequest(
                qasm=ASYMMETRIC, backend="local_simulator", shots=place + 1
            )
            return list(stubs[place % 2].RunAndWatch(request, metadata=ada.metadata, timeout=60))

        results = list(pool.map(send, range(CALLS)))
    for place, events in enumerate(results):
        assert len({event.job.job_id for event in events}) == 1
        sequences = [event.sequence for event in events if not event.checkpoint]
        assert sequences == sorted(set(sequences))
        assert sequences[-1] == 7
        assert dict(events[-1].result.counts) == {"001": place + 1}
    assert len({events[-1].job.job_id for events in results}) == CALLS


def test_a_call_gets_checkpoints_and_ends_with_a_drain(tmp_path: Path):
    """After the drain, WatchJob resumes where the call ended."""
    settings = {
        "QUANTCLOUD_WATCH_CHECKPOINT_SECONDS": "0.1",
        "QUANTCLOUD_DRAIN_SECONDS": "0",
    }
    with Server(tmp_path / "data", "--workers", "2", **settings) as own:
        ada = own.api()
        watches = [way(ada, slow(), backend="aer_simulator", shots=1) for way in WAYS.values()]
        begun = [read_to_running(watch) for watch in watches]
        for event, watch in zip(begun, watches, strict=True):
            quiet = next(watch)
            assert (quiet.checkpoint, quiet.sequence) == (True, event.sequence)
            assert quiet.job == event.job
        over_grpc, over_rest = watches
        own.process.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.RpcError) as ended:
            list(over_grpc)
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "resume" in ended.value.details()
        # HTTP cannot send a status so late, so an event carries the error.
        with pytest.raises(WatchEndedError, match="resume"):
            all(event.checkpoint for event in over_rest)
        assert own.process.wait(30) == 0
        own.stop()
        own.start()
        again = Api(own.channel, own.rest, ada.credential)
        for event in begun:
            job_id = event.job.job_id
            resumed = next(again.watch(job_id, after_sequence=event.sequence))
            assert resumed.sequence == event.sequence + 1
            assert resumed.job.status == job_pb2.Job.queued
            again.cancel(job_id)


def test_open_calls_keep_no_circuit_in_memory(tmp_path: Path):
    """Calls that wait for large circuits take little memory in the server and in Envoy."""
    large = slow() + "\n//" + "-" * 6_000_000
    fields = {"backend": "aer_simulator", "shots": 1}
    with Server(tmp_path / "data", "--workers", "1") as own:
        (envoy,) = [pid for pid in descendants(own.process.pid) if "envoy.yaml" in command(pid)]
        ada = own.api()
        front = grpc.insecure_channel(own.endpoints.http.removeprefix("http://"))
        through_envoy = Api(front, own.rest, ada.credential)

        opened: list[Any] = []

        def send(times: int) -> list[float]:
            """Open `times` calls each way; return the memory of server and Envoy, in MiB."""
            for _ in range(times):
                for way in (ada.run_and_watch, through_envoy.run_and_watch):
                    opened.append(way(large, **fields))
                    next(opened[-1])
            return [mebibytes(pid) for pid in (own.process.pid, envoy)]

        before = send(3)  # the first requests allocate buffers once
        after = send(8)
        of_server, of_envoy = (
            later - earlier for later, earlier in zip(after, before, strict=True)
        )
        # Calls that kept their circuit would take 6 MiB each: 16 in the server, 8 in Envoy.
        assert of_server < 48
        assert of_envoy < 24
        for watch in opened:
            disconnect(watch)
        front.close()
