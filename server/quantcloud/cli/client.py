"""`quantcloud run` and `rerun`: a gRPC client that submits a circuit and watches its job."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from rich.console import Console
from rich.markup import escape

from quantcloud.cli.failure import Failure
from quantcloud.cli.histogram import histogram
from quantcloud.cli.stream import TERMINAL, Metadata, explain, job_events
from thequantcloud.v1 import circuit_pb2, circuit_pb2_grpc, job_pb2, job_pb2_grpc

_UNLIMITED = -1  # results can be large


@contextmanager
def connect(server: str, token: str | None) -> Generator[tuple[grpc.Channel, Metadata]]:
    """Open a channel to `server`; yield it with the caller's metadata. Raises `Failure`."""
    if not token:
        raise Failure(
            "no token: pass --token or set QUANTCLOUD_TOKEN; on the server's machine "
            "`quantcloud token --user NAME` prints one"
        )
    if not (token.isascii() and token.isprintable()):
        raise Failure("the token is neither a JWT nor an API key")
    if server.startswith(("http://", "https://")):
        raise Failure(f"--server must be HOST:PORT, such as localhost:50051, is {server}")
    options = (("grpc.max_receive_message_length", _UNLIMITED),)
    with grpc.insecure_channel(server, options=options) as channel:
        yield channel, (("authorization", f"Bearer {token}"),)


def run_file(
    file: Path, backend: str | None, shots: int | None, server: str, token: str | None
) -> None:
    """Submit the circuit in `file` and print each status as it comes, then the histogram.

    Raises `Failure`.
    """
    with connect(server, token) as (channel, metadata):
        request = circuit_pb2.RunCircuitRequest(qasm=_read(file), backend=backend, shots=shots)
        _submit(channel, request, metadata)


def rerun(job_id: str, server: str, token: str | None) -> None:
    """Submit a job's circuit again, on the same backend with the same seed, and show it like a run.

    Say it if the counts may differ, because something else ran the circuit. Raises `Failure`.
    """
    with connect(server, token) as (channel, metadata):
        first = _circuit(channel, job_id, metadata)
        request = circuit_pb2.RunCircuitRequest(
            qasm=first.qasm,
            # A precision stands for shots, and exact values need none.
            shots=None if first.sweep.HasField("precision") else first.shots or None,
            options=first.options,
            optimize_for=first.optimize_for,
            backend=_given(first, "backend") or _given(first, "requested_backend"),
            max_cost_usd=_given(first, "max_cost_usd"),
            min_fidelity=_given(first, "min_fidelity"),
            name=_given(first, "name"),
            tags=first.tags,
            **{field.name: value for field, value in first.sweep.ListFields()},
        )
        again = _circuit(channel, _submit(channel, request, metadata), metadata)
        for field in ("backend", "method", "simulator_version", "server_version"):
            then, now = _given(first, field), _given(again, field)
            if then is not None and then != now:
                what = field.replace("_", " ")
                sys.stderr.write(f"counts may differ: the {what} was {then}, and is {now}\n")


def _circuit(channel: grpc.Channel, job_id: str, metadata: Metadata) -> job_pb2.JobCircuit:
    request = job_pb2.GetJobCircuitRequest(id=job_id)
    try:
        return job_pb2_grpc.JobServiceStub(channel).GetJobCircuit(request, metadata=metadata)
    except grpc.RpcError as error:
        raise Failure(explain(error)) from error


def _given(circuit: job_pb2.JobCircuit, field: str) -> Any:
    return getattr(circuit, field) if circuit.HasField(field) else None


def _submit(
    channel: grpc.Channel, request: circuit_pb2.RunCircuitRequest, metadata: Metadata
) -> str:
    """Submit a circuit, follow its job to its end, and return the job's id. Raises `Failure`."""
    try:
        stub = circuit_pb2_grpc.CircuitServiceStub(channel)
        job_id = stub.RunCircuit(request, metadata=metadata).job_id
    except grpc.RpcError as error:
        raise Failure(explain(error)) from error
    follow(channel, job_id, metadata, Console())
    return job_id


def _read(file: Path) -> str:
    try:
        source = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return source.decode()
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Failure(f"{file} is not UTF-8 text") from error


def follow(channel: grpc.Channel, job_id: str, metadata: Metadata, console: Console) -> None:
    """Print a job's statuses as they come, then its histogram. Raises `Failure`."""
    console.print(f"[dim]job {job_id}[/dim]")
    began = 0.0
    for event in job_events(channel, job_id, metadata):
        if event.checkpoint:
            continue
        at = event.occurred_at.ToNanoseconds() / 1e6
        began = began or at
        console.print(f"{at - began:10.1f} ms  {describe(event)}")
        if event.HasField("result"):
            console.print()
            if event.result.HasField("sweep"):
                console.print(f"{event.result.sweep.points_done} points")
            else:
                console.print(histogram(event.result.counts))
        elif event.job.status in TERMINAL:
            raise Failure(f"the job ended as {_status(event)}")


def describe(event: job_pb2.JobEvent) -> str:
    """Describe an event in a few words, with Rich's markup."""
    text = f"[bold]{escape(_status(event))}[/bold]"
    if event.HasField("queue_position"):
        text += f" on {event.job.backend}, position {event.queue_position}"
    elif event.HasField("result"):
        result = event.result
        text += f" on {result.backend}, {result.execution_time_ms:.2f} ms of execution"
    elif event.job.status == job_pb2.Job.running and "sweep" in event.job.metadata:
        points = event.job.metadata.fields["sweep"].struct_value.fields
        done, total = points["points_done"].number_value, points["points"].number_value
        text += f", {done:.0f} of {total:.0f} points"
    return text


def _status(event: job_pb2.JobEvent) -> str:
    name = job_pb2.Job.Status.Name(event.job.status)
    return f"{name}: {event.job.error_message}" if event.job.error_message else name
