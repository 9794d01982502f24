"""`quantcloud run`: a gRPC client that submits a circuit and follows it to its counts."""

import sys
from pathlib import Path

import grpc
from rich.console import Console

from quantcloud.cli.failure import Failure
from quantcloud.cli.histogram import histogram
from thequantcloud.v1 import circuit_pb2, circuit_pb2_grpc, job_pb2, job_pb2_grpc

_ENDED_WELL = job_pb2.Job.completed
_MAXIMUM_ANSWER_BYTES = -1  # no limit: results can be large

Metadata = tuple[tuple[str, str], ...]


def run_file(
    file: Path, backend: str | None, shots: int | None, server: str, token: str | None
) -> None:
    """Submit the circuit in `file` and print each status as it comes, then the histogram.

    Raises `Failure`.
    """
    if not token:
        raise Failure(
            "no token: pass --token or set QUANTCLOUD_TOKEN; on the server's machine "
            "`quantcloud token --user NAME` prints one"
        )
    try:
        source = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        qasm = source.decode()
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Failure(f"{file} is not a text in UTF-8") from error
    metadata: Metadata = (("authorization", f"Bearer {token}"),)
    options = (("grpc.max_receive_message_length", _MAXIMUM_ANSWER_BYTES),)
    with grpc.insecure_channel(server, options=options) as channel:
        try:
            request = circuit_pb2.RunCircuitRequest(qasm=qasm, backend=backend, shots=shots)
            circuits = circuit_pb2_grpc.CircuitServiceStub(channel)
            job_id = circuits.RunCircuit(request, metadata=metadata).job_id
            follow(channel, job_id, metadata, Console())
        except grpc.RpcError as error:
            raise Failure(_explain(error, server)) from error


def follow(channel: grpc.Channel, job_id: str, metadata: Metadata, console: Console) -> None:
    """Print a job's statuses as they come, then its histogram. Raises `Failure`."""
    console.print(f"[dim]job {job_id}[/dim]")
    request = job_pb2.WatchJobRequest(id=job_id, after_sequence=0, with_result=True)
    began = 0.0
    for event in job_pb2_grpc.JobServiceStub(channel).WatchJob(request, metadata=metadata):
        if event.checkpoint:
            continue
        at = event.occurred_at.ToNanoseconds() / 1e6
        began = began or at
        console.print(f"{at - began:10.1f} ms  {_describe(event)}")
        if event.HasField("result"):
            console.print()
            console.print(histogram(event.result.counts))
        elif event.job.HasField("completed_at") and event.job.status != _ENDED_WELL:
            raise Failure(
                f"the job ended as {job_pb2.Job.Status.Name(event.job.status)}"
                + (f": {event.job.error_message}" if event.job.error_message else "")
            )


def _describe(event: job_pb2.JobEvent) -> str:
    text = f"[bold]{job_pb2.Job.Status.Name(event.job.status)}[/bold]"
    if event.HasField("queue_position"):
        text += f" on {event.job.backend}, position {event.queue_position}"
    elif event.HasField("result"):
        result = event.result
        text += f" on {result.backend}, {result.execution_time_ms:.2f} ms of execution"
    return text


def _explain(error: grpc.RpcError, server: str) -> str:
    if not isinstance(error, grpc.Call):
        return str(error)
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return f"no server answers at {server}: {error.details()}"
    return f"{error.details()}"
