"""RunStream, many circuits on one stream, directly and through Envoy."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
import pytest

from support.api import Api
from support.circuits import ASYMMETRIC, BELL, HEADER, slow, wide
from support.clients.run_stream import RunStream
from support.server import Server
from thequantcloud.v1 import circuit_pb2, job_pb2

COMPLETED = job_pb2.Job.completed
BROKEN = HEADER + "qreg q[2];\n  hadamard q[0];\n"
# The number of circuits that a stream has in progress at a time.
IN_PROGRESS = 256
STREAMS = 100


@pytest.fixture
def ada(server: Server) -> Api:
    return server.api()


@pytest.fixture(params=["server", "envoy"])
def channel(request: pytest.FixtureRequest, server: Server) -> Iterator[grpc.Channel]:
    """A channel to the server, and one to the Envoy in front of it."""
    if request.param == "server":
        yield server.channel
        return
    options = (("grpc.max_receive_message_length", -1),)
    with grpc.insecure_channel(server.endpoints.http.removeprefix("http://"), options) as front:
        yield front


def jobs_of(api: Api) -> int:
    return api.jobs.ListJobs(job_pb2.ListJobsRequest(), metadata=api.metadata).total


def read_to_running(stream: Iterator[circuit_pb2.RunStreamAnswer]) -> job_pb2.JobEvent:
    """Read up to an event with status `running`."""
    return next(a.event for a in stream if a.event.job.status == job_pb2.Job.running)


@pytest.mark.parametrize("backend", ["local_simulator", "aer_simulator"])
def test_each_request_is_answered_with_its_jobs_events(
    ada: Api, channel: grpc.Channel, backend: str
):
    stream = RunStream(ada, channel)
    numbers = [stream.send(ASYMMETRIC, backend=backend, shots=place + 1) for place in range(20)]
    by_request = stream.finish()
    assert stream.call.code() is grpc.StatusCode.OK
    assert sorted(by_request) == numbers == [*range(1, 21)]
    for number, answers in by_request.items():
        events = [answer.event for answer in answers]
        (job_id,) = {event.job.job_id for event in events}
        log = list(ada.watch(job_id, with_result=True))
        places = [event.sequence for event in events]
        assert places == sorted(set(places))
        # RunAndWatch always has the result, WatchJob only on request.
        assert events == [log[place - 1] for place in places]
        assert [event.HasField("result") for event in events] == [False] * (len(events) - 1) + [
            True
        ]
        assert events[-1].job.status == COMPLETED
        assert dict(events[-1].result.counts) == {"001": number}
    assert jobs_of(ada) == 20


def test_a_request_may_depend_on_an_earlier_result(ada: Api, channel: grpc.Channel):
    stream = RunStream(ada, channel)
    answers = stream.changes()
    shots = 1
    for number in range(1, 11):
        assert stream.send(ASYMMETRIC, shots=shots) == number
        answer = next(a for a in answers if a.event.job.status == COMPLETED)
        assert answer.request == number
        assert answer.event.result.counts["001"] == shots
        shots = 2 * answer.event.result.counts["001"]
    assert stream.finish() == {}
    assert stream.call.code() is grpc.StatusCode.OK


def test_a_stream_without_requests_ends_at_once(ada: Api, channel: grpc.Channel):
    stream = RunStream(ada, channel)
    assert stream.finish() == {}
    assert stream.call.code() is grpc.StatusCode.OK


def test_a_refusal_is_that_of_run_circuit_and_the_other_runs_continue(server: Server):
    ada = server.newcomer()
    bodies: list[dict[str, Any]] = [
        {"qasm": BROKEN},
        {"qasm": ""},
        {"qasm": BELL, "backend": "abacus"},
        {"qasm": BELL, "backend": "aer_gpu_simulator"},
        {"qasm": BELL, "shots": 10_001},
        {"qasm": BELL, "options": {"seed": -1}},
        {"qasm": BELL, "shots": -1},
    ]
    stream = RunStream(ada)
    refused = [stream.send(**body) for body in bodies]
    good = stream.send(ASYMMETRIC, shots=3)
    by_request = stream.finish()
    assert stream.call.code() is grpc.StatusCode.OK
    assert dict(by_request[good][-1].event.result.counts) == {"001": 3}
    for number, body in zip(refused, bodies, strict=True):
        with pytest.raises(grpc.RpcError) as of_run:
            ada.circuits.RunCircuit(circuit_pb2.RunCircuitRequest(**body), metadata=ada.metadata)
        (error,) = [answer.error for answer in by_request[number]]
        trailing = dict(of_run.value.trailing_metadata())
        assert error.SerializeToString() == trailing["grpc-status-details-bin"]
        assert error.message == of_run.value.details()
    assert jobs_of(ada) == 1


def test_a_repeated_key_returns_the_first_job(ada: Api):
    first = next(ada.run_and_watch(ASYMMETRIC, "before", shots=5)).job.job_id
    stream = RunStream(ada)
    again = stream.send(ASYMMETRIC, "before", shots=5)
    twice = [stream.send(ASYMMETRIC, "twice", shots=6) for _ in range(5)]
    by_request = stream.finish()
    assert by_request[again][-1].event.job.job_id == first
    (job,) = {by_request[number][-1].event.job.job_id for number in twice}
    assert job != first
    # A new stream after a broken one gets the earlier jobs again.
    stream = RunStream(ada)
    stream.send(ASYMMETRIC, "twice", shots=6)
    other = stream.send(ASYMMETRIC, "twice", shots=7)
    bad = stream.send(ASYMMETRIC, "x" * 256)
    by_request = stream.finish()
    assert by_request[1][-1].event.job.job_id == job
    assert grpc.StatusCode.ALREADY_EXISTS.value[0] == by_request[other][-1].error.code
    assert job in str(by_request[other][-1].error)
    assert by_request[bad][-1].error.message.startswith("idempotency_key: ")
    assert jobs_of(ada) == 2


def test_disconnecting_cancels_no_job(ada: Api, channel: grpc.Channel):
    stream = RunStream(ada, channel)
    stream.send(slow(20, 20), backend="aer_simulator", shots=10)
    begun = read_to_running(iter(stream))
    stream.disconnect()
    rest = list(ada.watch(begun.job.job_id, after_sequence=begun.sequence, with_result=True))
    assert [event.job.status for event in rest] == [COMPLETED]
    assert sum(rest[0].result.counts.values()) == 10


def test_each_kind_of_end_is_sent(ada: Api):
    stream = RunStream(ada)
    number = stream.send(slow(), backend="aer_simulator", shots=1)
    ada.cancel(read_to_running(iter(stream)).job.job_id)
    (last,) = stream.finish()[number]
    assert last.event.job.status == job_pb2.Job.cancelled
    assert stream.call.code() is grpc.StatusCode.OK


def test_a_stream_limits_the_runs_in_progress(ada: Api):
    # To admit so many circuits takes long.
    ada.timeout = 240
    stream = RunStream(ada)
    for _ in range(IN_PROGRESS):
        stream.send(slow(), backend="aer_simulator", shots=1)
    next_one = stream.send(ASYMMETRIC, backend="local_simulator", shots=1)
    jobs: dict[int, str] = {}
    answers = iter(stream)
    while len(jobs) < IN_PROGRESS:
        answer = next(answers)
        jobs[answer.request] = answer.event.job.job_id
    # The next circuit would run at once, and the server has answered calls since it arrived.
    assert jobs_of(ada) == IN_PROGRESS
    ada.cancel(jobs.pop(IN_PROGRESS))
    assert next(a.request for a in answers if a.event.HasField("result")) == next_one
    for job in reversed(jobs.values()):
        ada.cancel(job)
    assert stream.finish().keys() >= jobs.keys() - {1, 2}


def test_large_requests_and_results_pass(ada: Api, channel: grpc.Channel):
    circuit = wide(17) + "\n//" + "-" * 6_000_000
    stream = RunStream(ada, channel)
    numbers = [stream.send(circuit, backend="local_simulator", shots=100_000) for _ in range(4)]
    small = stream.send(ASYMMETRIC, shots=1)
    by_request = stream.finish()
    for number in numbers:
        result = by_request[number][-1].event.result
        assert sum(result.counts.values()) == 100_000
        assert len(result.counts) > 30_000
    assert dict(by_request[small][-1].event.result.counts) == {"001": 1}


def test_an_unreadable_message_ends_the_stream_but_no_job(server: Server, ada: Api):
    first = circuit_pb2.RunStreamRequest(
        circuit=circuit_pb2.RunCircuitRequest(qasm=slow(), backend="aer_simulator", shots=1)
    )
    requests: SimpleQueue[bytes] = SimpleQueue()
    requests.put(first.SerializeToString())
    call = server.channel.stream_stream(
        "/thequantcloud.v1.CircuitService/RunStream",
        response_deserializer=circuit_pb2.RunStreamResponse.FromString,
    )(iter(requests.get, b""), metadata=ada.metadata, timeout=60)
    begun = read_to_running(answer for response in call for answer in response.answers)
    requests.put(b"\x0a\x04\x0a\x02\xff\xfe")
    with pytest.raises(grpc.RpcError) as refused:
        list(call)
    requests.put(b"")
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details().startswith("request: cannot be read")
    assert ada.job(begun.job.job_id).status == job_pb2.Job.running
    ada.cancel(begun.job.job_id)


def test_a_hundred_concurrent_streams_each_watch_their_own_jobs(server: Server):
    # Several accounts, because one may not open so many streams.
    accounts = [server.api() for _ in range(5)]
    options = (("grpc.use_local_subchannel_pool", 1),)
    with (
        grpc.insecure_channel(server.endpoints.http.removeprefix("http://"), options) as front,
        ThreadPoolExecutor(STREAMS) as pool,
    ):

        def send(place: int) -> list[tuple[str, dict[str, int]]]:
            stream = RunStream(accounts[place % 5], front if place % 2 else None)
            for each in range(5):
                stream.send(ASYMMETRIC, backend="local_simulator", shots=5 * place + each + 1)
            by_request = stream.finish()
            ends = [by_request[number][-1].event for number in range(1, 6)]
            return [(end.job.job_id, dict(end.result.counts)) for end in ends]

        results = [each for ends in pool.map(send, range(STREAMS)) for each in ends]
    assert [counts for _, counts in results] == [
        {"001": shots} for shots in range(1, 5 * STREAMS + 1)
    ]
    assert len({job for job, _ in results}) == 5 * STREAMS


def test_clients_that_disconnect_cause_no_error(tmp_path: Path):
    """They may disconnect while a response is being sent."""
    with Server(tmp_path / "data", "--workers", "1", "--no-envoy") as own:
        ada = own.api()
        for _ in range(40):
            stream = RunStream(ada)
            for _ in range(50):
                stream.send(BELL, backend="local_simulator")
            next(stream.call)
            stream.disconnect()
        ada.finish(ada.run(BELL))
        assert own.stop() == 0
        assert "unexpected exception" not in own.log_path.read_text()
        assert "exception" not in own.log_path.read_text().lower()


def test_a_stream_gets_checkpoints_and_ends_with_a_drain(tmp_path: Path):
    settings = {
        "QUANTCLOUD_WATCH_CHECKPOINT_SECONDS": "0.1",
        "QUANTCLOUD_DRAIN_SECONDS": "30",
    }
    with Server(tmp_path / "data", "--workers", "1", **settings) as own:
        ada = own.api()
        front = grpc.insecure_channel(own.endpoints.http.removeprefix("http://"))
        idle = [RunStream(ada), RunStream(ada, front)]
        for stream in idle:
            for _ in range(3):
                assert not next(stream.call).answers
        busy = RunStream(ada)
        busy.send(slow(), backend="aer_simulator", shots=1)
        begun = read_to_running(iter(busy))
        own.process.send_signal(signal.SIGTERM)
        for stream in (*idle, busy):
            with pytest.raises(grpc.RpcError) as ended:
                all(not answer.HasField("error") for answer in stream)
            assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
            assert "resume" in ended.value.details()
            stream.end()
        own.process.send_signal(signal.SIGINT)  # the running job returns to the queue
        own.process.wait(30)
        front.close()
        own.stop()
        own.start()
        again = Api(own.channel, own.rest, ada.credential)
        resumed = next(again.watch(begun.job.job_id, after_sequence=begun.sequence))
        assert resumed.job.status == job_pb2.Job.queued
        again.cancel(begun.job.job_id)
