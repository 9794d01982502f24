"""How `quantcloud envoy` stops while it has open requests."""

import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.api import Api
from support.circuits import slow
from support.server import Front, Server
from thequantcloud.v1 import job_pb2


@pytest.fixture
def backend_server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "data", "--workers", "1", "--no-envoy") as running:
        yield running


@pytest.fixture(params=["short", "long" * 25])
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A data folder with a path short enough for a socket, and one with a too long path."""
    with tempfile.TemporaryDirectory() as parent:
        yield Path(parent) / request.param


def front_of(server: Server, folder: Path, **environment: str) -> Front:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return Front(folder, port, [server.endpoints.grpc], **environment)


def wait_until_refused(url: str) -> None:
    """Return when new connections are refused. Responses close those that are accepted."""
    while True:
        try:
            answer = httpx.get(f"{url}/health")
        except httpx.TransportError:
            return
        assert answer.status_code == 200


def test_sigterm_lets_open_requests_finish(backend_server: Server, folder: Path):
    with front_of(backend_server, folder, QUANTCLOUD_DRAIN_SECONDS="600") as front:
        ada = Api(backend_server.channel, front.rest, backend_server.token())
        job = ada.run(slow(), backend="aer_simulator", shots=1)
        watch = ada.events(f"/v1/jobs/{job}/events")
        next(watch)
        front.process.send_signal(signal.SIGTERM)
        wait_until_refused(front.endpoints.http)
        ada.jobs.CancelJob(job_pb2.CancelJobRequest(id=job), metadata=ada.metadata)
        *_, last = watch
        assert last.job.status == job_pb2.Job.cancelled
        assert front.process.wait(30) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_open_watches_are_closed_after_the_drain_time(
    backend_server: Server, tmp_path: Path, number: signal.Signals
):
    drain_seconds = {signal.SIGTERM: "0.2", signal.SIGINT: "600"}[number]
    with front_of(
        backend_server, tmp_path / "front", QUANTCLOUD_DRAIN_SECONDS=drain_seconds
    ) as front:
        ada = Api(backend_server.channel, front.rest, backend_server.token())
        watch = ada.events("/v1/jobs/events")
        next(watch)
        front.process.send_signal(number)
        with pytest.raises(httpx.RemoteProtocolError):
            list(watch)
        assert front.process.wait(30) == 0


def test_a_killed_envoy_leaves_only_its_data_folder(backend_server: Server, tmp_path: Path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with tempfile.TemporaryDirectory() as parent:
        front = front_of(
            backend_server,
            Path(parent) / "front",
            TMPDIR=str(temporary),
            QUANTCLOUD_DRAIN_SECONDS="600",
        )
        with front:
            front.kill()
        assert not [*temporary.iterdir()]
        with front:
            assert front.stop(signal.SIGTERM) == 0
        assert "cannot be drained" not in front.log_path.read_text()
