"""The database stops and starts again: nothing crashes, and no run is lost."""

import json
import subprocess
import time

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from support.circuits import BELL, slow
from support.external.postgres import Postgres, installations
from support.server import Server, quantcloud
from thequantcloud.v1 import job_pb2

pytestmark = pytest.mark.skipif(not installations(), reason="PostgreSQL is not installed")


def details(error: grpc.RpcError) -> dict[str, object]:
    status = rpc_status.from_call(error)
    found = {}
    for packed in status.details:
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.RetryInfo):
            if packed.Is(kind.DESCRIPTOR):
                packed.Unpack(message := kind())
                found[kind.__name__] = message
    return found


def test_a_server_survives_a_restart_of_its_database(tmp_path):
    with (
        Postgres([*installations().values()][-1], durable=True) as postgres,
        Server(
            tmp_path / "data", "--workers", "1",
            QUANTCLOUD_DATABASE_URL=postgres.url(), QUANTCLOUD_DATABASE_POLL_SECONDS="0.2",
        ) as server,
    ):  # fmt: skip
        api = server.api()
        running = api.run(slow(20, 25), backend="aer_simulator", shots=9)
        api.until(running, job_pb2.Job.running)
        waiting = api.run(BELL, backend="aer_simulator")
        watch = api.watch(running)
        next(watch)
        postgres.stop()

        with pytest.raises(grpc.RpcError) as ended:
            list(watch)
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        with pytest.raises(grpc.RpcError) as refused:
            api.run(BELL)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        by_type = details(refused.value)
        assert by_type["ErrorInfo"].reason == "STORE_UNAVAILABLE"
        assert by_type["RetryInfo"].retry_delay.seconds == 1
        answer = api.rest("POST", "/v1/circuits/run", {"qasm": BELL})
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        deadline = time.monotonic() + 10
        while server.get("/health").json()["status"] == "healthy":
            assert time.monotonic() < deadline
        said = subprocess.run(
            quantcloud("doctor", "--server", server.endpoints.grpc, "--json"),
            capture_output=True, text=True, check=False,
            env={**server._environment, "QUANTCLOUD_TOKEN": api.credential},
        )  # fmt: skip
        found = {each["check"]: each for each in json.loads(said.stdout)}
        assert found["database"]["state"] == "bad"
        assert found["database"]["advice"] == "see the log of the server"

        postgres.start()
        # The run continued meanwhile. It is neither lost nor repeated.
        events = list(api.watch(running, with_result=True))
        assert [event.job.status for event in events].count(job_pb2.Job.dispatched) == 1
        assert sum(events[-1].result.counts.values()) == 9
        assert sum(api.finish(waiting).result.counts.values()) == 1024
        assert sum(api.finish(api.run(BELL)).result.counts.values()) == 1024
        assert server.process.poll() is None
