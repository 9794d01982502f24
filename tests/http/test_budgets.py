"""Requests at once through Envoy: streams and REST calls do not take each other's place."""

from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from support.server import Server

MOST = 5


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
