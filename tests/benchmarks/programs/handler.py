"""An HTTP server as users write one around a simulator: FastAPI, Qiskit and Aer.

Its handler parses, runs and answers each circuit in the event loop and stores nothing. It prints
its URL first and ends when its standard input ends.
"""

import asyncio
import socket
import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.programs.contestant import qiskit_runner

app = FastAPI()
run = qiskit_runner()


class Circuit(BaseModel):
    """The body of a request."""

    qasm: str
    shots: int


class Result(BaseModel):
    """The body of a response."""

    counts: dict[str, int]


@app.post("/run")
async def run_circuit(circuit: Circuit) -> Result:
    """Run a circuit."""
    return Result(counts=run(circuit.qasm, circuit.shots))


async def _serve(config: uvicorn.Config) -> None:
    server = uvicorn.Server(config)
    # asyncio sets TCP_NODELAY only if the socket names its protocol. Without it, a response on a
    # quiet connection takes 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        serving = asyncio.create_task(server.serve([listener]))
        sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}/run\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        server.should_exit = True
        await serving


if __name__ == "__main__":
    chosen = uvicorn.Config(app, log_level="warning", access_log=False)
    with asyncio.Runner(loop_factory=chosen.get_loop_factory()) as runner:
        runner.run(_serve(chosen))
