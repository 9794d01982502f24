"""The client's loops and connections: closed, cut, silent, and of a killed server."""

import asyncio
import threading
from pathlib import Path

import pytest

from quantcloud import AsyncClient, Client
from quantcloud.client import NotPossible, Result
from quantcloud.client.network import transport
from support.circuits import BELL, slow
from support.clients.relay import Relay
from support.server import Server

# A statevector simulator needs about a second.
SECONDS = slow(18, 40)


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
