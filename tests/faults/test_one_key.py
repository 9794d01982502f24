"""Many submissions at once with one idempotency key make one job, and get the same answer."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from support.api import Api
from support.chaos.deployments import Deployment
from support.circuits import ASYMMETRIC, BELL
from support.external.postgres import Postgres, installations
from thequantcloud.v1 import account_pb2, circuit_pb2, circuit_pb2_grpc, job_pb2

_SUBMISSIONS = 50
_STORES = ["sqlite", *(["postgres"] if installations() else [])]


@pytest.mark.parametrize("kind", _STORES)
def test_fifty_concurrent_submissions_are_one_job(tmp_path: Path, kind: str):
    postgres = None
    if kind == "postgres":
        postgres = Postgres(installations()[max(installations())])
    with Deployment(
        tmp_path, postgres=postgres, servers=1 if postgres is None else 2
    ) as deployment:
        api = deployment.api()
        channels = [grpc.insecure_channel(target) for target in deployment.targets]
        stubs = [circuit_pb2_grpc.CircuitServiceStub(channel) for channel in channels]
        metadata = (*api.metadata, ("idempotency-key", "fifty"))
        request = circuit_pb2.RunCircuitRequest(qasm=ASYMMETRIC, shots=10)

        def submit(place: int) -> bytes:
            stub = stubs[place % len(stubs)]
            return stub.RunCircuit(request, metadata=metadata, timeout=60).SerializeToString(
                deterministic=True
            )

        with ThreadPoolExecutor(_SUBMISSIONS) as pool:
            answers = list(pool.map(submit, range(_SUBMISSIONS)))
        assert len(set(answers)) == 1
        job = circuit_pb2.RunCircuitResponse.FromString(answers[0]).job_id
        assert dict(api.finish(job).result.counts) == {"001": 10}
        assert submit(0) == answers[0]
        page = api.jobs.ListJobs(job_pb2.ListJobsRequest(), metadata=api.metadata)
        assert [found.job_id for found in page.jobs] == [job]
        usage = api.account.GetUsage(account_pb2.GetUsageRequest(), metadata=api.metadata)
        assert usage.current_month.total_jobs == 1
        _another_body_is_refused(api, stubs[-1], metadata, job)
        for channel in channels:
            channel.close()


def _another_body_is_refused(api: Api, stub, metadata, job: str) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        stub.RunCircuit(circuit_pb2.RunCircuitRequest(qasm=BELL), metadata=metadata)
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert job in refused.value.details()
    answer = api.rest(
        "POST", "/v1/circuits/run", {"qasm": BELL}, headers={"Idempotency-Key": "fifty"}
    )
    assert answer.status_code == 409
    assert job in answer.text
