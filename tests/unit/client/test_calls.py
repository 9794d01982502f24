"""How the client repeats and resumes calls, over grpcio-testing's channel."""

from queue import SimpleQueue
from types import SimpleNamespace

import grpc
import pytest

from quantcloud import Client
from quantcloud.client import CircuitError, RateLimited, Unavailable
from support.clients.answered import Answered, later
from support.clients.scripted import refusal
from thequantcloud.v1 import account_pb2, api_key_pb2, circuit_pb2, job_pb2

Code = grpc.StatusCode


@pytest.fixture
def server(monkeypatch) -> Answered:
    return Answered(monkeypatch)


def client(**fields) -> Client:
    return Client("127.0.0.1:1", "t", **fields)


def lost(code: Code = Code.UNAVAILABLE, text: str = "Socket closed") -> SimpleNamespace:
    """Return the status of a call whose connection broke."""
    return SimpleNamespace(code=code, details=text, trailing_metadata=())


def event(sequence: int, status: str, **fields) -> job_pb2.JobEvent:
    job = job_pb2.Job(job_id="j", status=status)
    return job_pb2.JobEvent(sequence=sequence, job=job, **fields)


def test_a_submission_is_repeated_with_its_key(server: Answered):
    job = later(lambda: client().submit("qreg q[1];", shots=5))
    keys = set()
    for _ in range(2):
        call = server.call("RunCircuit")
        keys.add(call.metadata["idempotency-key"])
        call.end(status=refusal(Code.UNAVAILABLE, "EXAMINERS_BUSY", 7))
    call = server.call("RunCircuit")
    call.end(circuit_pb2.RunCircuitResponse(job_id="j", shots=call.request.shots))
    assert (job.result(5).id, job.result().shots) == ("j", 5)
    assert {call.metadata["idempotency-key"]} == keys
    assert call.metadata["authorization"] == "Bearer t"
    assert server.pauses == [7, 7]


def test_a_caller_may_choose_the_key(server: Answered):
    later(lambda: client().submit("qreg q[1];", idempotency_key="mine"))
    assert server.call("RunCircuit").metadata["idempotency-key"] == "mine"


def test_the_rate_limit_is_waited_out_and_said(server: Answered):
    said = []
    usage = later(client(on_wait=lambda *each: said.append(each)).usage)
    server.call("GetUsage").end(status=refusal(Code.RESOURCE_EXHAUSTED, "RATE_LIMITED", 40))
    server.call("GetUsage").end(account_pb2.GetUsageResponse())
    usage.result(5)
    ((error, seconds),) = said
    assert isinstance(error, RateLimited)
    assert (error.reason, seconds, server.pauses) == ("RATE_LIMITED", 40, [40])


def test_pauses_grow_where_the_server_names_none(server: Answered):
    usage = later(client().usage)
    for _ in range(8):
        server.call("GetUsage").end(status=lost())
    server.call("GetUsage").end(account_pb2.GetUsageResponse())
    usage.result(5)
    longest = [0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5]
    assert all(
        most / 2 <= pause <= most for most, pause in zip(longest, server.pauses, strict=True)
    )


def test_attempts_end_after_the_time_for_them(server: Answered):
    usage = later(client(retry_seconds=1).usage)
    server.call("GetUsage").end(status=refusal(Code.UNAVAILABLE, "DISK_FULL", 60))
    with pytest.raises(Unavailable) as error:
        usage.result(5)
    assert (error.value.retry_after, server.pauses) == (60, [])


LAST_ERROR = "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: "
REFUSED = f"{LAST_ERROR}Failed to connect to remote host: Connection refused"
UNRESOLVED = "errors resolving a:1: [field:hostname lookup error:address lookup failed for a:1: "


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (REFUSED, "Connection refused"),
        (f"{UNRESOLVED}Domain name not found]", "Domain name not found"),
        (f"{LAST_ERROR}Failed parsing HTTP/2 (Expected SETTINGS)", "it does not speak gRPC"),
    ],
)
def test_a_first_connection_that_cannot_be_made_fails_at_once(server: Answered, text, cause):
    usage = later(client().usage)
    server.call("GetUsage").end(status=lost(text=text))
    with pytest.raises(Unavailable) as error:
        usage.result(5)
    assert str(error.value) == f"no server answers at 127.0.0.1:1: {cause}"
    assert (bool(error.value.hint), server.pauses) == (True, [])


def test_a_server_that_went_away_is_named_at_each_pause(server: Answered):
    said = []
    connected = client(on_wait=lambda error, _: said.append(str(error)))
    usage = later(connected.usage)
    server.call("GetUsage").end(status=lost())
    server.call("GetUsage").end(status=lost(text=REFUSED))
    server.call("GetUsage").end(account_pb2.GetUsageResponse())
    usage.result(5)
    assert said[1] == "no server answers at 127.0.0.1:1: Connection refused"


def test_a_call_that_may_have_been_done_is_not_repeated(server: Answered):
    saved = later(lambda: client().save_circuit("a", "qreg q[1];"))
    server.call("CreateCircuit").end(status=lost())
    with pytest.raises(Unavailable):
        saved.result(5)
    assert server.pauses == []


def test_a_key_is_created_once(server: Answered):
    key = later(lambda: client().create_key("a"))
    server.call("CreateApiKey").end(api_key_pb2.CreateApiKeyResponse(key="k"))
    assert key.result(5).key == "k"


def test_a_batch_of_any_size_is_one_request_for_each_thousand(server: Answered):
    texts = [str(place) for place in range(2001)]
    submitted = later(lambda: client().batch(texts, idempotency_key="mine"))
    keys = []
    for name in ("a", "b", "c"):
        call = server.call("RunCircuits")
        keys.append(call.metadata["idempotency-key"])
        jobs = [circuit_pb2.RunCircuitResponse(job_id=each.qasm) for each in call.request.circuits]
        call.end(circuit_pb2.RunCircuitsResponse(batch_id=name, jobs=jobs, cursor=f"after-{name}"))
    batch = submitted.result(5)
    assert keys == ["mine", "mine-1000", "mine-2000"]
    assert (batch.id, batch.ids) == ("a", ["a", "b", "c"])
    assert [job.id for job in batch] == texts

    results = later(batch.results)
    for name, ids in (("a", texts[:1000]), ("b", texts[1000:2000]), ("c", texts[2000:])):
        watch = server.call("WatchJobs")
        assert (watch.request.batch_id, watch.request.after_cursor) == (name, f"after-{name}")
        ended = [
            job_pb2.JobEvent(
                job=job_pb2.Job(job_id=each, status="completed"),
                result=job_pb2.JobResult(job_id=each),
            )
            for each in reversed(ids)
        ]
        watch.send(job_pb2.WatchJobsResponse(events=ended))
    assert [each.job_id for each in results.result(5)] == texts


def test_an_error_has_its_type_and_place(server: Answered):
    plan = later(lambda: client().plan("qreg"))
    metadata = {"line": "1", "column": "5"}
    server.call("PlanCircuit").end(
        status=refusal(Code.INVALID_ARGUMENT, "INVALID_CIRCUIT", field="qasm", metadata=metadata)
    )
    with pytest.raises(CircuitError) as error:
        plan.result(5)
    assert (error.value.field, error.value.line, error.value.column) == ("qasm", 1, 5)


@pytest.mark.parametrize(
    "status", [lost(), lost(Code.INTERNAL, "Received RST_STREAM with error code 2")]
)
def test_a_run_goes_on_after_its_last_event(server: Answered, status):
    seen: SimpleQueue[int] = SimpleQueue()
    result = later(
        lambda: client().run("qreg q[1];", progress=lambda each: seen.put(each.sequence))
    )
    first = server.call("RunAndWatch")
    first.end(status=status)
    second = server.call("RunAndWatch")
    assert second.metadata["idempotency-key"] == first.metadata["idempotency-key"]
    second.send(event(1, "submitted"))
    assert seen.get(timeout=5) == 1
    second.end(status=status)
    watch = server.call("WatchJob")
    assert (watch.request.id, watch.request.after_sequence) == ("j", 1)
    watch.send(event(2, "running"))
    assert seen.get(timeout=5) == 2
    watch.end(status=status)
    watch = server.call("WatchJob")
    assert watch.request.after_sequence == 2
    watch.send(event(3, "completed", result=job_pb2.JobResult(job_id="j", counts={"0": 7})))
    assert result.result(5).counts == {"0": 7}
    assert seen.get(timeout=5) == 3


def test_the_last_event_has_the_result(server: Answered):
    def finish():
        job = client().job("j")
        return [each.sequence for each in job.events()], job.result()

    done = later(finish)
    server.call("GetJob").end(job_pb2.Job(job_id="j"))
    server.call("WatchJob").send(
        event(7, "completed", result=job_pb2.JobResult(job_id="j", counts={"0": 7}))
    )
    sequences, result = done.result(5)
    assert (sequences, result.counts) == ([7], {"0": 7})


def test_events_that_the_server_removed_are_left_out(server: Answered):
    events = later(lambda: [*client().job("j").events(after_sequence=3)])
    server.call("GetJob").end(job_pb2.Job(job_id="j"))
    watch = server.call("WatchJob")
    assert watch.request.after_sequence == 3
    watch.end(status=refusal(Code.OUT_OF_RANGE, "HISTORY_REMOVED"))
    watch = server.call("WatchJob")
    assert not watch.request.HasField("after_sequence")
    watch.send(event(7, "completed"))
    assert [each.sequence for each in events.result(5)] == [7]


def test_a_stream_that_breaks_is_opened_again_with_what_has_no_answer(server: Answered):
    found: SimpleQueue[str] = SimpleQueue()

    def run() -> None:
        with client().stream() as runs:
            for each in runs.map(["a", "b", "c"]):
                found.put(each.job_id)

    def answer(call, number: int, request) -> None:
        done = event(7, "completed", result=job_pb2.JobResult(job_id=request.circuit.qasm))
        answers = [circuit_pb2.RunStreamAnswer(request=number, event=done)]
        call.send(circuit_pb2.RunStreamResponse(answers=answers))

    later(run)
    first = server.call("RunStream")
    one, two = first.receive(), first.receive()
    answer(first, 1, one)
    assert found.get(timeout=5) == "a"
    first.end(status=lost())
    second = server.call("RunStream")
    again, three = second.receive(), second.receive()
    assert again == two
    assert three.circuit.qasm == "c"
    answer(second, 1, again)
    answer(second, 2, three)
    assert [found.get(timeout=5) for _ in range(2)] == ["b", "c"]
