"""`quantcloud.Client` and `AsyncClient` against a real server."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from quantcloud import AsyncClient, Client
from quantcloud.client import (
    CircuitError,
    InvalidRequest,
    JobCancelled,
    NotFound,
    NotPossible,
    Result,
    Unauthenticated,
    Unavailable,
    WaitTimeout,
)
from support.circuits import ASYMMETRIC, BELL, slow
from support.server import Server

CHANGES = ["submitted", "analyzing", "routing", "queued", "dispatched", "running", "completed"]


def test_run_returns_the_counts_and_calls_back(client: Client):
    seen = []
    result = client.run(ASYMMETRIC, shots=50, seed=3, statevector=True, memory=True,
                        backend="local_simulator", name="x", tags=["a"],
                        progress=lambda event: seen.append(event.status))  # fmt: skip
    assert (result.counts, result.probabilities, result.shots) == ({"001": 50}, {"001": 1.0}, 50)
    assert result.memory == ["001"] * 50
    assert result.statevector.tolist() == [0, 1, 0, 0, 0, 0, 0, 0]
    assert result.metadata["seed"] == 3
    assert seen[-1] == "completed"
    job = client.job(result.job_id)
    assert (job.status, job.backend, job.name, job.tags) == (
        "completed", "local_simulator", "x", ["a"],
    )  # fmt: skip
    assert json.loads(json.dumps(result.to_dict()))["counts"] == {"001": 50}


def test_a_circuit_is_drawn(client: Client):
    drawing = client.draw(BELL)
    assert "┤ H ├" in str(drawing)
    assert drawing._repr_svg_().startswith("<svg")
    assert drawing.message.analysis.circuit_depth == 3
    with pytest.raises(CircuitError) as refused:
        client.draw("OPENQASM 2.0; qreg q[1]; hh q[0];")
    assert (refused.value.line, refused.value.column) == (1, 26)


def test_a_job_is_watched_and_run_again(client: Client):
    job = client.submit(BELL, shots=99)
    first = job.result(timeout=30)
    assert job.is_done
    assert [event.status for event in job.events()] == CHANGES
    assert [event.status for event in job.events(after_sequence=6)] == ["completed"]
    again = job.rerun()
    assert again.id != job.id
    assert again.result(timeout=30).counts == first.counts


def test_a_job_without_a_result_raises_how_it_ended(client: Client):
    job = client.submit(slow())
    job.cancel()
    assert job.status == "cancelled"
    with pytest.raises(JobCancelled) as cancelled:
        job.result(timeout=30)
    assert cancelled.value.job_id == job.id
    done = client.submit(BELL)
    done.result(timeout=30)
    with pytest.raises(NotPossible):
        done.cancel()


def test_a_wait_that_is_too_long_ends_and_the_job_goes_on(client: Client):
    job = client.submit(slow())
    with pytest.raises(WaitTimeout) as late:
        job.result(timeout=0.5)
    assert isinstance(late.value, TimeoutError)
    assert not job.refresh().is_done
    job.cancel()


def test_a_batch_shares_arguments(client: Client):
    seen = []
    batch = client.batch([BELL, {"circuit": ASYMMETRIC, "shots": 5}, *[BELL] * 98], shots=7)
    results = batch.results(timeout=60, progress=seen.append)
    assert [each.shots for each in results] == [7, 5, *[7] * 98]
    assert results[1].counts == {"001": 5}
    assert len([event for event in seen if event.is_last]) == 100
    assert {job.batch_id for job in batch} == {batch.id}
    with pytest.raises(InvalidRequest) as wrong:
        client.batch([BELL, "qreg q[1]"])
    assert wrong.value.field == "circuits[1].qasm"
    outcomes = client.batch([BELL, {"circuit": slow(), "timeout_seconds": 0.2}]).outcomes(
        timeout=60
    )
    assert isinstance(outcomes[0], Result)
    assert outcomes[1].status == "timeout"


def test_jobs_pages_by_itself(client: Client):
    client.batch([BELL] * 130, tags=["many"]).results(timeout=60)
    assert len({job.id for job in client.jobs(tag="many")}) == 130
    assert len([*client.jobs(tag="many", limit=110)]) == 110
    assert [*client.jobs(status=["failed", "queued"])] == []
    with pytest.raises(InvalidRequest, match=r"must be one of submitted, .* is 'done'"):
        next(client.jobs(status="done"))


def test_a_stream_runs_in_order_and_refuses_single_circuits(client: Client):
    with client.stream(shots=10) as stream:
        assert stream.run(ASYMMETRIC).counts == {"001": 10}
        assert [each.shots for each in stream.map([BELL] * 200, shots=3)] == [3] * 200
        number = stream.send("qreg q[1]")
        answer = stream.receive()
        assert answer.number == number
        with pytest.raises(CircuitError):
            answer.value()
        assert stream.run(ASYMMETRIC).counts == {"001": 10}


def test_the_other_resources(client: Client):
    assert client.plan(BELL).backend
    assert "aer_simulator" in [each.name for each in client.backends()]
    assert client.usage().current_month.total_jobs == 0
    assert client.health().status == "healthy"
    assert "aer_simulator" in client.status().backends
    key = client.create_key("one")
    (found,) = client.keys()
    assert found.name == "one"
    client.revoke_key(key.id)
    assert client.keys() == []
    saved = client.save_circuit("bell", BELL, metadata={"a": [1]})
    client.update_circuit(saved.id, name="renamed")
    assert [each.name for each in client.circuits()] == ["renamed"]
    assert client.circuit(saved.id).qasm == BELL
    client.delete_circuit(saved.id)
    with pytest.raises(NotFound):
        client.circuit(saved.id)


def test_errors_are_typed(client: Client, server: Server, tmp_path: Path):
    with pytest.raises(CircuitError) as wrong:
        client.run("OPENQASM 2.0;\nqreg q[1]\n")
    error = wrong.value
    assert (error.reason, error.field, error.line, error.column) == (
        "INVALID_CIRCUIT", "qasm", 2, 10,
    )  # fmt: skip
    with pytest.raises(InvalidRequest) as wrong:
        client.run(BELL, backend="nope")
    assert (wrong.value.field, wrong.value.hint) == (
        "backend", "Use the name of a listed backend, or no name.",
    )  # fmt: skip
    with pytest.raises(InvalidRequest) as wrong:
        client.run(BELL, shots="many")  # pyright: ignore[reportArgumentType]
    assert wrong.value.field == "shots"
    with pytest.raises(TypeError, match="is one text"):
        client.batch(BELL)
    with pytest.raises(TypeError, match="did you mean 'shots'"):
        client.run(BELL, shot=1)  # pyright: ignore[reportCallIssue]
    with pytest.raises(Unauthenticated) as wrong, Client(server.endpoints.grpc, "x.y.z") as other:
        other.usage()
    assert wrong.value.reason == "INVALID_TOKEN"
    with pytest.raises(Unavailable) as wrong, Client("127.0.0.1:1", "t") as nobody:
        nobody.usage()
    assert "127.0.0.1:1" in str(wrong.value)
    (tmp_path / "bell.qasm").write_text(BELL)
    assert client.run(tmp_path / "bell.qasm", shots=4).shots == 4


async def test_the_asynchronous_client_does_the_same(server: Server):
    async with AsyncClient(server.endpoints.grpc, server.token(tier="enterprise")) as client:
        results = await asyncio.gather(*(client.run(BELL, shots=10) for _ in range(5)))
        assert [each.shots for each in results] == [10] * 5
        job = await client.submit(BELL)
        assert [event.status async for event in job.events()] == CHANGES
        batch = await client.batch([BELL] * 3)
        assert len(await batch.results(timeout=30)) == 3
        async with client.stream(shots=3) as stream:
            assert [each.shots async for each in stream.map([BELL] * 200)] == [3] * 200
        assert len([each async for each in client.jobs(limit=7)]) == 7
        with pytest.raises(CircuitError):
            await client.plan("qreg q[1]")


def test_an_import_is_quick_and_brings_no_part_of_a_server():
    program = (
        "import sys, time; start = time.perf_counter(); from quantcloud import Client\n"
        "import quantcloud; Client('localhost:1', 't')\n"
        "print(*[n for n in sys.modules if n.startswith('quantcloud.')], file=sys.stderr)\n"
        "print(*{n.partition('.')[0] for n in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          check=True)  # fmt: skip
    parts = {name.split(".")[1] for name in done.stderr.split()}
    assert parts == {"client"}
    heavy = {"numpy", "matplotlib", "platformdirs", "rich", "typer", "sqlalchemy", "httpx"}
    assert heavy.isdisjoint(done.stdout.split())
