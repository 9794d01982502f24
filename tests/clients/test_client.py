"""`quantcloud.Client` and `AsyncClient` against a real server."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
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
    transport,
)
from support.circuits import ASYMMETRIC, BELL, slow
from support.clients.relay import Relay
from support.server import Server

CHANGES = ["submitted", "analyzing", "routing", "queued", "dispatched", "running", "completed"]
# A statevector simulator needs about a second.
SECONDS = slow(18, 40)


@pytest.fixture(params=["grpc", "envoy"])
def client(server: Server, request) -> Iterator[Client]:
    address = server.endpoints.grpc if request.param == "grpc" else server.endpoints.http
    with Client(address, server.token(tier="enterprise")) as client:
        yield client


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
    with pytest.raises(InvalidRequest, match="'done' is unknown; known are submitted"):
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


TURN = """OPENQASM 3.0;
include "stdgates.inc";
input float[64] theta;
input array[float[64], 2] w;
qubit[2] q;
ry(theta) q[0];
ry(w[0] + w[1]) q[1];
"""


def test_estimate_gives_values_and_gradients(client: Client):
    parameters = {"theta": [0, 0.5, 1], "w": [0.25, 0.75]}
    observables = [{"ZI": 1, "Z0": -0.5}, "00", {"Z1": 2}]
    found = client.estimate(TURN, observables, parameters, gradient=True, variances=True)
    theta = np.array([0, 0.5, 1])
    first = np.cos(1) - 0.5 * np.cos(theta)
    ground = np.cos(0.5) ** 2 * np.cos(theta / 2) ** 2
    want = np.stack([first, ground, np.full(3, 2 * np.cos(1))], axis=1)
    assert found.expectation_values == pytest.approx(want)
    assert found.gradients["theta"].shape == (3, 3, 1)
    assert found.gradients["w"].shape == (3, 3, 2)
    assert found.gradients["theta"][:, 0, 0] == pytest.approx(0.5 * np.sin(theta))
    assert found.variances.shape == (3, 3)
    zipped = client.estimate(TURN, ["ZI", "IZ", "ZZ"], parameters, pairing="zip", precision=0.1)
    assert zipped.expectation_values.shape == zipped.standard_errors.shape == (3, 1)
    plain = client.estimate(BELL.partition("measure")[0], "ZZ")
    assert plain.expectation_values == pytest.approx(1)
    with pytest.raises(InvalidRequest, match="numbers"):
        client.estimate(TURN, "ZI", {"theta": ["x"], "w": [0, 0]})


def test_sweep_gives_counts_at_each_point(client: Client):
    rows = np.stack([np.linspace(0, np.pi, 50), np.zeros(50)], axis=1)
    found = client.sweep(TURN, {"theta": 0, "w": rows}, shots=20)
    assert (len(found), found.points_total) == (50, 50)
    assert found.counts[0] == {"00": 20}
    assert found.counts[-1] == {"10": 20}
    job = client.submit(TURN, parameters={"theta": 0, "w": rows}, packed=True, shots=9)
    packed = job.result(timeout=30)
    assert packed.sweep.registers["meas"][0] == 2
    assert len(packed.sweep.registers["meas"][1]) == 50 * 9
    again = job.rerun().result(timeout=30)
    assert again.sweep.registers == packed.sweep.registers
    assert len(job.partial_result().sweep.registers["meas"][1]) == 50 * 9


def test_a_sweep_with_many_pages_is_whole(client: Client):
    points = np.linspace(0, 1, 700)
    found = client.sweep(TURN.replace("qubit[2]", "qubit[10]"), {"theta": points, "w": [0, 0]},
                         probabilities=True)  # fmt: skip
    assert found.probabilities.shape == (700, 1024)
    assert found.probabilities[:, 1] == pytest.approx(np.sin(points / 2) ** 2)


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


async def test_the_blocking_client_works_while_a_loop_runs(server: Server):
    # As in a notebook.
    with Client(server.endpoints.grpc, server.token()) as client:
        assert client.run(BELL, shots=3).shots == 3
        assert len([*client.submit(BELL).events()]) == 7


class Restarted(Server):
    """A server that keeps its gRPC port."""

    def start(self) -> None:
        super().start()
        self._options = (*self._options, "--grpc-port", self.endpoints.grpc.rpartition(":")[2])


def test_a_client_that_is_closed_says_so(server: Server):
    with Client(server.endpoints.grpc, server.token()) as client:
        job = client.submit(BELL)
    for call in (client.usage, job.result, lambda: client.run(BELL), lambda: [*client.jobs()]):
        with pytest.raises(NotPossible, match="the client is closed"):
            call()

    async def closed() -> None:
        async with AsyncClient(server.endpoints.grpc, server.token()) as client:
            job = await client.submit(BELL)
        with pytest.raises(NotPossible, match="the client is closed"):
            await job.result()

    asyncio.run(closed())


def test_an_asynchronous_client_runs_in_one_loop_after_the_other(server: Server):
    client = AsyncClient(server.endpoints.grpc, server.token())
    assert [asyncio.run(client.run(BELL, shots=shots)).shots for shots in (3, 4)] == [3, 4]


@pytest.mark.parametrize("kind", ["wait", "stream"])
def test_a_wait_survives_that_the_server_is_killed(tmp_path: Path, kind: str):
    with (
        Restarted(tmp_path / "data", "--workers", "1") as server,
        Client(server.endpoints.grpc, server.token(tier="enterprise")) as client,
    ):
        found: list[Result] = []
        fields = {"backend": "aer_simulator", "shots": 9}

        def wait() -> None:
            if kind == "wait":
                found.append(client.run(SECONDS, **fields))
                return
            with client.stream(**fields) as stream:
                stream.send(SECONDS)
                found.append(stream.receive().value())

        thread = threading.Thread(target=wait)
        thread.start()
        with Client(server.endpoints.grpc, client.connection.token) as other:
            while not (jobs := [*other.jobs()]):
                pass
            next(event for event in jobs[0].events() if event.status == "running")
        server.kill()
        server.start()
        thread.join(60)
        assert [each.shots for each in found] == [9]
        assert len([*client.jobs()]) == 1


@pytest.mark.parametrize("way", ["cut", "stall"])
def test_a_wait_survives_a_network_that_is_cut_or_silent(server: Server, monkeypatch, way: str):
    monkeypatch.setattr(transport, "_KEEPALIVE_MS", 5_000)
    monkeypatch.setattr(transport, "_PING_TIMEOUT_MS", 500)
    breaks: list[str] = []
    with (
        Relay(server.endpoints.grpc) as relay,
        Client(
            relay.url,
            server.token(tier="enterprise"),
            on_wait=lambda error, _: breaks.append(str(error)),
        ) as client,
    ):
        job = client.submit(SECONDS, backend="aer_simulator", shots=9)
        seen = []

        def progress(event) -> None:
            seen.append((event.sequence, event.status))
            if len(seen) == 1:
                getattr(relay, way)()

        assert job.result(timeout=60, progress=progress).shots == 9
        assert len({*seen}) == len(seen)
        assert seen[-1] == (7, "completed")
        assert any(("ping timeout" in each) is (way == "stall") for each in breaks)


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
