"""Requests at once through Envoy: streams and REST calls do not take each other's place."""

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


def test_calls_that_are_begun_and_never_sent_take_no_place(tmp_path: Path):
    """Strangers' calls are refused at once, or wait in Envoy where they are open to anyone."""
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
            # Envoy has no place for one more while all wait for their refusal.
            assert set(ended) <= {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE}
            assert not any(call.done() for call in begun[3 * MOST :])
            for call in begun:
                call.cancel()
            done.set()


def test_an_account_has_a_limit_of_open_watches_over_http_too(tmp_path: Path):
    with Server(tmp_path / "data", QUANTCLOUD_MAX_WATCHES="2") as server:
        ada, bob = server.api(), server.api()
        with ExitStack() as stack:
            # A watch is closed when nobody has its lines any more.
            watches = [
                stack.enter_context(
                    server.rest.stream("GET", "/v1/jobs/events", headers=ada.headers)
                ).iter_lines()
                for _ in range(2)
            ]
            for watch in watches:
                assert next(watch).startswith("data:")
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
            # Nothing of what was refused was run, and another account has its own.
            assert ada.rest("GET", "/v1/jobs").json()["total"] == 0
            with server.rest.stream("GET", "/v1/jobs/events", headers=bob.headers) as bobs:
                assert bobs.status_code == 200


def test_streams_that_nobody_ends_keep_no_rest_call_out(tmp_path: Path):
    with Server(tmp_path / "data", QUANTCLOUD_MAX_REQUESTS=str(MOST)) as server:
        address = server.endpoints.http.removeprefix("http://")
        with grpc.insecure_channel(address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest()
            watches = [health.Watch(request) for _ in range(MOST)]
            for watch in watches:
                assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
            # There is no place for one more of them.
            refused = health.Watch(request)
            try:
                next(refused)
                raise AssertionError("more streams than may be")
            except grpc.RpcError as error:
                assert error.code() is grpc.StatusCode.UNAVAILABLE
            with closing(HTTPConnection(address, timeout=10)) as rest:
                rest.request("GET", "/health")
                assert rest.getresponse().status == 200
            for watch in watches:
                watch.cancel()
