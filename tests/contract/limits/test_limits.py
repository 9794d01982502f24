"""Limits of requests and jobs over gRPC, on a server with the default tiers."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from support.api import Api
from support.circuits import ASYMMETRIC, BELL, slow
from support.clients.run_stream import RunStream
from support.server import Server
from thequantcloud.v1 import (
    account_pb2,
    api_key_pb2,
    circuit_pb2,
    job_pb2,
    status_pb2,
)

EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
DENIED = grpc.StatusCode.PERMISSION_DENIED
LIMIT = "x-ratelimit-limit"
REMAINING = "x-ratelimit-remaining"
RESET = "x-ratelimit-reset"
STRANGERS = 40
MOST = 300


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with default explorers, and developers with unlimited requests but one run."""
    developer = {
        "requests_per_minute": None, "max_concurrent_jobs": 1, "max_waiting_jobs": MOST,
    }  # fmt: skip
    with Server(
        tmp_path_factory.mktemp("limited") / "data", "--workers", "2",
        QUANTCLOUD_TIERS=json.dumps({"developer": developer}),
        QUANTCLOUD_ANONYMOUS_REQUESTS_PER_MINUTE=str(STRANGERS),
        QUANTCLOUD_FAILED_LOGINS_PER_MINUTE=str(STRANGERS),
    ) as running:  # fmt: skip
        yield running


def usage(api: Api) -> Any:
    return api.account.GetUsage.with_call(account_pb2.GetUsageRequest(), metadata=api.metadata)


def details(error: grpc.RpcError) -> dict[str, Any]:
    """The details of an error, by the names of their types."""
    status = rpc_status.from_call(error)
    assert status is not None
    assert status.message == error.details()
    return unpacked(status)


def unpacked(status: Any) -> dict[str, Any]:
    """The details of a status, by the names of their types."""
    found: dict[str, Any] = {}
    for packed in status.details:
        kind = getattr(error_details_pb2, packed.TypeName().rpartition(".")[2])
        found[kind.__name__] = message = kind()
        packed.Unpack(message)
    return found


def test_each_request_on_a_stream_counts_and_an_excess_one_does_not_end_it(limited: Server):
    ada = limited.newcomer()
    stream = RunStream(ada)
    # With the call itself, this is the limit per minute.
    for _ in range(29):
        stream.send(ASYMMETRIC, backend="local_simulator", shots=1)
    answers = stream.changes()
    ended: set[int] = set()
    while len(ended) < 29:
        answer = next(answers)
        assert answer.WhichOneof("answer") == "event"
        if answer.event.HasField("result"):
            ended.add(answer.request)
    assert dict(stream.call.initial_metadata())[REMAINING] == "29"
    over = [stream.send(ASYMMETRIC) for _ in range(3)]
    by_request = stream.finish()
    assert stream.call.code() is grpc.StatusCode.OK
    assert sorted(by_request) == over
    for number in over:
        (answer,) = by_request[number]
        assert answer.error.code == EXHAUSTED.value[0]
        retry = unpacked(answer.error)["RetryInfo"].retry_delay
        assert 0 < retry.seconds <= 90


def test_each_response_shows_the_remaining_requests_until_the_limit(limited: Server):
    ada = limited.newcomer()
    for number in range(28):
        _, done = usage(ada)
        headers = dict(done.initial_metadata())
        assert (headers[LIMIT], headers[REMAINING]) == ("30", str(29 - number))
        assert int(headers[RESET]) > 1_700_000_000
    with pytest.raises(grpc.RpcError) as wrong:  # an error counts as well
        ada.jobs.GetJob(job_pb2.GetJobRequest(id="x"), metadata=ada.metadata)
    assert wrong.value.code() is grpc.StatusCode.NOT_FOUND
    assert dict(wrong.value.trailing_metadata())[REMAINING] == "1"
    usage(ada)
    with pytest.raises(grpc.RpcError) as refused:
        usage(ada)
    assert refused.value.code() is EXHAUSTED
    assert "30 a minute" in refused.value.details()
    headers = dict(refused.value.trailing_metadata())
    assert (headers[LIMIT], headers[REMAINING]) == ("30", "0")
    assert 1 <= int(headers["retry-after"]) <= 60
    by_type = details(refused.value)
    assert by_type["ErrorInfo"].reason == "RATE_LIMITED"
    seconds = int(headers["retry-after"])
    assert (
        seconds <= by_type["RetryInfo"].retry_delay.ToTimedelta().total_seconds() <= 1.5 * seconds
    )
    # Another account at the same address has its own limit.
    usage(limited.newcomer())


def test_of_a_hundred_concurrent_requests_exactly_the_limit_passes(limited: Server):
    ada = limited.newcomer()
    key = ada.keys.CreateApiKey(
        api_key_pb2.CreateApiKeyRequest(name="k"), metadata=ada.metadata
    ).key
    # A key and a JWT of one account share its count. To create the key took one request.
    credentials = (ada.metadata, (("x-api-key", key),))
    calls = [
        ada.account.GetUsage.future(account_pb2.GetUsageRequest(), metadata=credentials[n % 2])
        for n in range(100)
    ]
    codes = Counter(call.code() for call in calls)
    assert codes == {grpc.StatusCode.OK: 29, EXHAUSTED: 71}


def test_a_watch_costs_one_request(limited: Server):
    ada = limited.newcomer()
    job = ada.run(ASYMMETRIC, backend="local_simulator")
    watch = ada.watch(job)
    assert dict(watch.initial_metadata())[REMAINING] == "28"
    assert len(list(watch)) == 7
    _, done = usage(ada)
    assert dict(done.initial_metadata())[REMAINING] == "27"


def test_a_tier_without_a_limit_gets_no_limit_headers(limited: Server):
    _, done = usage(limited.api("enterprise"))
    assert LIMIT not in dict(done.initial_metadata())


def anonymous(server: Server, number: int, headers: Any = ()) -> Counter[grpc.StatusCode]:
    stub = Api(server.channel, server.rest, "").status
    calls = [
        stub.GetStatus.future(status_pb2.GetStatusRequest(), metadata=headers(n) if headers else ())
        for n in range(number)
    ]
    return Counter(call.code() for call in calls)


def test_anonymous_callers_are_limited_by_an_address_that_they_cannot_forge(limited: Server):
    config = (limited.data_dir / "envoy.yaml").read_text()
    assert "&proxy_secret unset" not in config
    codes = anonymous(limited, STRANGERS // 2)
    codes += anonymous(
        limited,
        STRANGERS,
        lambda n: (
            ("x-forwarded-for", f"10.0.0.{n}"),
            ("x-real-ip", f"10.0.0.{n}"),
            ("x-quantcloud-proxy-secret", ("unset", "", "x" * 43)[n % 3]),
        ),
    )
    assert codes == {grpc.StatusCode.OK: STRANGERS, EXHAUSTED: STRANGERS // 2}
    reflection = reflection_pb2_grpc.ServerReflectionStub(limited.channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    with pytest.raises(grpc.RpcError) as refused:
        next(reflection.ServerReflectionInfo(iter([request])))
    assert refused.value.code() is EXHAUSTED
    # Health checks still see it serve, and accounts can still call.
    health = health_pb2_grpc.HealthStub(limited.channel)
    for _ in range(2 * STRANGERS):
        assert health.Check(health_pb2.HealthCheckRequest()).status == 1
    status = Api(limited.channel, limited.rest, "").status
    assert status.GetHealth(status_pb2.GetHealthRequest()).status == "healthy"
    usage(limited.newcomer())


def test_failed_logins_are_limited_and_successful_ones_are_not(limited: Server):
    ada = limited.api("developer")
    calls = [
        ada.account.GetUsage.future(
            account_pb2.GetUsageRequest(), metadata=(("x-api-key", f"qc_live_{n:040}"),)
        )
        for n in range(2 * STRANGERS)
    ]
    codes = Counter(call.code() for call in calls)
    assert codes == {grpc.StatusCode.UNAUTHENTICATED: STRANGERS, EXHAUSTED: STRANGERS}
    usage(ada)


def test_of_fifty_concurrent_keys_for_one_place_one_is_created(limited: Server):
    ada = limited.api("developer")
    for number in range(19):
        ada.keys.CreateApiKey(
            api_key_pb2.CreateApiKeyRequest(name=f"{number}"), metadata=ada.metadata
        )
    calls = [
        ada.keys.CreateApiKey.future(
            api_key_pb2.CreateApiKeyRequest(name="last"), metadata=ada.metadata
        )
        for _ in range(50)
    ]
    assert Counter(call.code() for call in calls) == {grpc.StatusCode.OK: 1, DENIED: 49}


def test_waiting_jobs_are_limited_and_do_not_delay_another_accounts_first(limited: Server):
    ada, bob = limited.api("developer"), limited.newcomer()
    first = ada.run(slow(), backend="aer_simulator", shots=1)
    ada.until(first, job_pb2.Job.running)
    request = circuit_pb2.RunCircuitRequest(qasm=BELL, backend="aer_simulator")

    def submit(number: int) -> list[Any]:
        calls = [
            ada.circuits.RunCircuit.future(request, metadata=ada.metadata) for _ in range(number)
        ]
        assert all(call.code() for call in calls)
        return calls

    assert {call.code() for call in submit(MOST - 1)} == {grpc.StatusCode.OK}
    last = submit(50)
    assert Counter(call.code() for call in last) == {grpc.StatusCode.OK: 1, DENIED: 49}
    refused = next(call.exception() for call in last if call.code() is DENIED)
    by_type = details(refused)
    assert dict(by_type["ErrorInfo"].metadata) == {
        "limit": "max_waiting_jobs", "maximum": f"{MOST}", "used": f"{MOST}", "requested": "1",
    }  # fmt: skip
    (violation,) = by_type["QuotaFailure"].violations
    assert violation.description == refused.details()
    assert f"max_waiting_jobs: {MOST} jobs are waiting" in violation.description
    # Ada may run one job at a time, so Bob's job is next although all of hers came before it.
    assert bob.finish(bob.run(BELL)).result.counts
    waiting = job_pb2.ListJobsRequest(status=[job_pb2.Job.queued])
    assert ada.jobs.ListJobs(waiting, metadata=ada.metadata).total == MOST
    running = job_pb2.ListJobsRequest(status=[job_pb2.Job.running])
    assert ada.jobs.ListJobs(running, metadata=ada.metadata).total == 1
