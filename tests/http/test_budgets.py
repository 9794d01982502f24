"""Limits of concurrent requests in Envoy: streams and REST calls have separate budgets."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from support.api import Api
from support.circuits import BELL
from support.server import Server
from thequantcloud.v1 import job_pb2

MOST = 5


def test_calls_that_never_send_their_request_take_no_budget(tmp_path: Path):
    """Anonymous calls are refused at once, or wait in Envoy if they need no credentials."""
    done = threading.Event()

    def never() -> Iterator[bytes]:
        done.wait()
        yield from ()

    with Server(tmp_path / "data", QUANTCLOUD_MAX_REQUESTS=str(MOST)) as server:
        address = server.endpoints.http.removeprefix("http://")
        with grpc.insecure_channel(address) as channel:
            begun = [
                channel.stream_unary(f"/{method}").future(never())
                for method in (
                    "thequantcloud.v1.JobService/WatchJobs",
                    "thequantcloud.v1.CircuitService/RunAndWatch",
                    "thequantcloud.v1.AccountService/GetProfile",
                    "grpc.health.v1.Health/Watch",
                )
                for _ in range(MOST)
            ]
            ada = Api(channel, server.rest, server.token())
            job = ada.run(BELL)
            assert ada.finish(job).job.status == job_pb2.Job.completed
            ended = [call.code() for call in begun[: 3 * MOST]]
            # Envoy refuses more calls while all of these wait for their refusal.
            assert set(ended) <= {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE}
            assert not any(call.done() for call in begun[3 * MOST :])
            for call in begun:
                call.cancel()
            done.set()


def test_open_watches_of_an_account_are_limited_over_http_too(tmp_path: Path):
    with Server(tmp_path / "data", QUANTCLOUD_MAX_WATCHES="2") as server:
        ada, bob = server.api(), server.api()
        with ExitStack() as stack:
            # A watch is closed when its lines are garbage collected.
            watches = [
                stack.enter_context(
                    server.rest.stream("GET", "/v1/jobs/events", headers=ada.headers)
                ).iter_lines()
                for _ in range(2)
            ]
            for watch in watches:
                assert next(watch).startswith("id:")
            for method, path, body in (
                ("GET", "/v1/jobs/events", None),
                ("POST", "/v1/circuits/run-and-watch", {"qasm": BELL}),
            ):
                refused = ada.rest(method, path, body)
                assert refused.status_code == 429
                assert refused.json()["detail"] == (
                    "too many watches of this account: 2 may be open at once; close some"
                )
                assert refused.json()["details"][0]["reason"] == "TOO_MANY_STREAMS"
            # Refused submissions were not run, and another account has its own limit.
            assert ada.rest("GET", "/v1/jobs").json()["total"] == 0
            with server.rest.stream("GET", "/v1/jobs/events", headers=bob.headers) as bobs:
                assert bobs.status_code == 200


def test_endless_streams_do_not_block_rest_calls(tmp_path: Path):
    with Server(tmp_path / "data", QUANTCLOUD_MAX_REQUESTS=str(MOST)) as server:
        address = server.endpoints.http.removeprefix("http://")
        with grpc.insecure_channel(address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest()
            watches = [health.Watch(request) for _ in range(MOST)]
            for watch in watches:
                assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
            # The budget of streams is used up.
            refused = health.Watch(request)
            try:
                next(refused)
                raise AssertionError("more streams than allowed")
            except grpc.RpcError as error:
                assert error.code() is grpc.StatusCode.UNAVAILABLE
            with closing(HTTPConnection(address, timeout=10)) as rest:
                rest.request("GET", "/health")
                assert rest.getresponse().status == 200
            for watch in watches:
                watch.cancel()
