"""`quantcloud demo`: a temporary server, a Bell circuit over REST, a GHZ circuit over gRPC."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from quantcloud.cli.failure import Failure
from quantcloud.cli.remote.follow import follow, show_result
from quantcloud.cli.remote.histogram import histogram
from quantcloud.cli.remote.session import Session
from quantcloud.endpoints import READY, Endpoints, read_endpoints

BELL = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[2];
creg c[2];
h q[0];
cx q[0],q[1];
measure q -> c;
"""

GHZ = """OPENQASM 3.0;
include "stdgates.inc";
qubit[5] q;
bit[5] c;
h q[0];
for int i in [0:3] { cx q[i], q[i + 1]; }
c = measure q;
"""

_FREE_PORTS = ("--http-port", "0", "--grpc-port", "0", "--admin-port", "0")
_STOP_SECONDS = 20
_REQUEST_SECONDS = 30


def demo() -> None:
    """Run two circuits on a temporary server, then remove it. Raises `Failure`."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="quantcloud-demo-") as folder:
        console.print("[bold]Starting[/bold] server, workers and Envoy on free ports ...")
        with _server(Path(folder)) as endpoints:
            console.print(f"  REST and gRPC-Web  {endpoints.http}")
            console.print(f"  gRPC               {endpoints.grpc}")
            token = _quantcloud("token", "--user", "demo", "--data-dir", folder)
            console.print("\n[bold]A Bell circuit over REST[/bold], on aer_simulator")
            _bell_over_rest(console, endpoints, token)
            console.print("\n[bold]A GHZ circuit over gRPC[/bold], the backend left to QuantRouter")
            _ghz_over_grpc(endpoints, token)
            console.print("\n[bold]Stopping[/bold]")


def _bell_over_rest(console: Console, endpoints: Endpoints, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    body = {"qasm": BELL, "backend": "aer_simulator", "shots": 1024}
    with httpx.Client(base_url=endpoints.http, headers=headers, timeout=_REQUEST_SECONDS) as rest:
        job = _checked(rest.post("/v1/circuits/run", json=body))
        console.print(f"[dim]POST /v1/circuits/run: 202, job {job['job_id']}[/dim]")
        with rest.stream("GET", f"/v1/jobs/{job['job_id']}/events?after_sequence=0") as events:
            for line in events.iter_lines():
                if line.startswith("data:"):
                    console.print(f"  {_status_of(line)}")
        result = _checked(rest.get(f"/v1/jobs/{job['job_id']}/result"))
        console.print()
        console.print(histogram(result["counts"]))
    if set(result["counts"]) - {"00", "11"}:
        raise Failure(f"a Bell circuit gave {result['counts']}")


def _ghz_over_grpc(endpoints: Endpoints, token: str) -> None:
    with Session(endpoints.grpc, token, as_json=False, quiet=False) as session:
        show_result(session, follow(session, session.client.submit(GHZ)), None)


def _status_of(line: str) -> str:
    event: Mapping[str, Any] = json.loads(line.removeprefix("data:"))
    return event["job"]["status"]


def _checked(response: httpx.Response) -> Mapping[str, Any]:
    if response.is_error:
        raise Failure(f"{response.request.url.path}: {response.status_code} {response.text}")
    return response.json()


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "quantcloud", *arguments]


def _quantcloud(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603  # our own program
        _command(*arguments), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Failure(done.stderr.strip())
    return done.stdout.strip()


@contextmanager
def _server(folder: Path) -> Generator[Endpoints]:
    """Run a server on free ports, with its state in `folder`."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("QUANTCLOUD_")}
    process = subprocess.Popen(  # noqa: S603  # our own program
        _command("serve", "--data-dir", str(folder), *_FREE_PORTS),
        stdout=subprocess.PIPE,
        text=True,
        env={
            **environment,
            "QUANTCLOUD_LOG_LEVEL": "warning",
            "QUANTCLOUD_ROUTER_CALIBRATE": "false",
        },
    )
    try:
        endpoints = read_endpoints(process.stdout or ())
        if endpoints is None:
            raise Failure(f"the server ended before it printed {READY!r}")
        yield endpoints
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failure("the server did not stop") from None
