"""How the client repeats calls and where it connects, without a whole server."""

import json
import stat
import time
from pathlib import Path

import grpc
import pytest

from quantcloud import Client
from quantcloud.client import NotConfigured, RateLimited, Unavailable, connection
from quantcloud.client.connection import Profile, delete_profile, resolve, save_profile
from support.clients.scripted import refuse, scripted
from thequantcloud.v1 import account_pb2, api_key_pb2, circuit_pb2, job_pb2

Code = grpc.StatusCode


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch, tmp_path: Path):
    for name in (connection.SERVER, connection.TOKEN, connection.CA_FILE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def keys_of(context: grpc.ServicerContext) -> str:
    return dict(context.invocation_metadata())["idempotency-key"]


def test_a_submission_is_repeated_with_its_key():
    keys = []

    def run(request, context):
        keys.append(keys_of(context))
        if len(keys) < 3:
            refuse(context, Code.UNAVAILABLE, "EXAMINERS_BUSY", 0.01)
        return circuit_pb2.RunCircuitResponse(job_id="j", shots=request.shots)

    with scripted(RunCircuit=run) as server, Client(server, "t") as client:
        job = client.submit("qreg q[1];", shots=5)
        assert (job.id, job.shots) == ("j", 5)
        client.submit("qreg q[1];", idempotency_key="mine")
    assert len(keys) == 4
    assert len({*keys[:3]}) == 1
    assert keys[3] == "mine"


def test_the_rate_limit_is_waited_out_and_said():
    calls, waits = [], []

    def usage(request, context):
        calls.append(time.monotonic())
        if len(calls) == 1:
            refuse(context, Code.RESOURCE_EXHAUSTED, "RATE_LIMITED", 0.4)
        return account_pb2.GetUsageResponse()

    with (
        scripted(GetUsage=usage) as server,
        Client(
            server, "t", on_wait=lambda error, seconds: waits.append((error, seconds))
        ) as client,
    ):
        client.usage()
    assert calls[1] - calls[0] >= 0.4
    ((error, seconds),) = waits
    assert isinstance(error, RateLimited)
    assert (error.reason, seconds) == ("RATE_LIMITED", 0.4)


def test_attempts_end_after_the_time_for_them():
    def usage(request, context):
        refuse(context, Code.UNAVAILABLE, "DISK_FULL", 60)

    with scripted(GetUsage=usage) as server, Client(server, "t", retry_seconds=1) as client:
        with pytest.raises(Unavailable) as error:
            client.usage()
        assert error.value.retry_after == 60


def test_a_call_that_may_have_been_done_is_not_repeated():
    calls = []

    def save(request, context):
        calls.append(request)
        context.abort(Code.UNAVAILABLE, "Socket closed")

    with (
        scripted(CreateCircuit=save) as server,
        Client(server, "t") as client,
        pytest.raises(Unavailable),
    ):
        client.save_circuit("a", "qreg q[1];")
    assert len(calls) == 1


def event(sequence: int, status: str, **fields):
    job = job_pb2.Job(job_id="j", status=status)
    return job_pb2.JobEvent(sequence=sequence, job=job, **fields)


@pytest.mark.parametrize(
    "lost",
    [
        (Code.UNAVAILABLE, "Socket closed"),
        (Code.INTERNAL, "Received RST_STREAM with error code 2"),
    ],
)
def test_a_run_goes_on_after_its_last_event(lost):
    submitted, watched = [], []

    def run(request, context):
        submitted.append(keys_of(context))
        if len(submitted) > 1:
            yield event(1, "submitted")
        context.abort(*lost)

    def watch(request, context):
        watched.append((request.id, request.after_sequence))
        if len(watched) == 1:
            yield event(2, "running")
            context.abort(*lost)
        yield event(3, "completed", result=job_pb2.JobResult(job_id="j", counts={"0": 7}))

    seen = []
    with scripted(RunAndWatch=run, WatchJob=watch) as server, Client(server, "t") as client:
        result = client.run("qreg q[1];", progress=lambda each: seen.append(each.sequence))
    assert result.counts == {"0": 7}
    assert seen == [1, 2, 3]
    assert len(submitted) == 2
    assert len({*submitted}) == 1
    assert watched == [("j", 1), ("j", 2)]


def test_events_that_the_server_removed_are_left_out():
    def watch(request, context):
        if request.HasField("after_sequence"):
            refuse(context, Code.OUT_OF_RANGE, "HISTORY_REMOVED", None)
        yield event(7, "completed")

    def get(request, context):
        return job_pb2.Job(job_id="j")

    with scripted(WatchJob=watch, GetJob=get) as server, Client(server, "t") as client:
        assert [each.sequence for each in client.job("j").events()] == [7]


def test_a_stream_that_breaks_is_opened_again_with_what_has_no_answer():
    opened: list[list[tuple[str, str]]] = []

    def stream(requests, context):
        opened.append([])
        for number, request in enumerate(requests, 1):
            opened[-1].append((request.circuit.qasm, request.idempotency_key))
            if len(opened) == 1 and number == 2:
                context.abort(Code.UNAVAILABLE, "Socket closed")
            done = event(7, "completed", result=job_pb2.JobResult(job_id=request.circuit.qasm))
            answer = circuit_pb2.RunStreamAnswer(request=number, event=done)
            yield circuit_pb2.RunStreamResponse(answers=[answer])

    with (
        scripted(RunStream=stream) as server,
        Client(server, "t") as client,
        client.stream() as runs,
    ):
        assert [each.job_id for each in runs.map(["a", "b", "c"])] == ["a", "b", "c"]
    first, second = opened
    assert [qasm for qasm, _ in second] == ["b", "c"]
    assert first[1] == second[0]


def test_arguments_come_before_the_environment_and_that_before_the_profile(monkeypatch):
    assert resolve().address == "localhost:50051"
    path = save_profile(Profile("https://saved.example", "saved-token"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = resolve()
    assert (found.address, found.token, found.tls) == ("saved.example:443", "saved-token", True)
    monkeypatch.setenv(connection.SERVER, "other.example:1")
    assert resolve().token == ""  # a token goes only to its server
    monkeypatch.setenv(connection.TOKEN, "variable")
    assert (resolve().address, resolve().token) == ("other.example:1", "variable")
    assert resolve("http://third.example", "argument").address == "third.example:80"
    assert "argument" not in repr(resolve("http://third.example", "argument"))
    assert delete_profile()
    assert not delete_profile()
    path.write_text(json.dumps({"server": "a", "unknown": "b"}))
    monkeypatch.delenv(connection.TOKEN)
    with pytest.raises(NotConfigured, match=r"profile\.json"):
        resolve()


@pytest.mark.parametrize("server", ["localhost", "ftp://a:1", "a:b", "://a:1", "a:0", "a b:1",
                                    "https://", "http://a/b", ":1", "a:99999"])  # fmt: skip
def test_a_server_is_an_address(server: str):
    with pytest.raises(NotConfigured, match="HOST:PORT"):
        resolve(server, "t")


def test_a_call_without_a_token_says_where_it_comes_from():
    with Client("localhost:1") as client, pytest.raises(NotConfigured) as error:
        client.usage()
    assert "quantcloud login" in error.value.hint


def test_a_key_is_created_once():
    made = []

    def create(request, context):
        made.append(request.name)
        return api_key_pb2.CreateApiKeyResponse(key="k")

    with scripted(CreateApiKey=create) as server, Client(server, "t") as client:
        assert client.create_key("a").key == "k"
    assert made == ["a"]
