"""The main loop of a worker process: it serves requests until the server closes the socket."""

import os
import pickle
import resource
import select
import socket
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from quantcloud.backends.base import Backend, Executor
from quantcloud.backends.packages import with_versions
from quantcloud.backends.points import with_points
from quantcloud.backends.sweeps import circuit_of
from quantcloud.backends.sweeps import run as run_circuit
from quantcloud.backends.warm_up import FirstRuns
from quantcloud.circuits import analyse, expanded, with_measurements
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.execution import Execution, Outcome
from quantcloud.drawing import draw
from quantcloud.engine.pool import messages, start_tokens
from quantcloud.engine.pool.failure import describe, is_about_memory
from quantcloud.engine.pool.threads import with_threads
from quantcloud.engine.sandbox.confinement import Confinement, confine
from quantcloud.openqasm import examine, parse
from quantcloud.quantsdk import read
from quantcloud.routing.readable import binary_size


def _drawn(text: str) -> bytes:
    circuit = parse(text)
    return messages.encode_drawing(analyse(circuit), draw(circuit))


_LOOKS: Mapping[bytes, Callable[[str], bytes]] = {
    messages.EXAMINE: lambda text: messages.encode_analysis(examine(text)),
    messages.READ_PROGRAM: lambda text: messages.encode_program(read(text)),
    messages.DRAW: _drawn,
}


class Worker:
    """Serves requests on `connection`. Each needs a start token from the socket `tokens`.

    `warm` names the backends whose modules are imported already. Their executors are made before
    the first request, unless one is waiting. Any other executor is made, and its simulator
    imported, by the first run on that backend.
    """

    def __init__(
        self,
        connection: socket.socket,
        tokens: socket.socket,
        backends: Mapping[str, Backend],
        warm: Sequence[str],
        memory_limit: int,
    ) -> None:
        self._first_limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
        self._connection = connection
        # Buffered, so that a small request takes one system call.
        self._requests = connection.makefile("rb")
        self._tokens = tokens
        self._backends = backends
        self._warm = [name for name in warm if name in backends]
        self._memory_limit = memory_limit
        self._executors: dict[str, Executor] = {}
        self._first_runs = FirstRuns(wide=True)

    def serve(self) -> None:
        """Answer requests until the server closes the connection."""
        self._warm_up()
        self._connection.sendall(messages.frame(messages.READY))
        while (request := self._next_request()) is not None:
            if not start_tokens.take(self._tokens):
                answer = messages.frame(messages.NOT_BEGUN)
            elif request.kind in (messages.EXECUTE, messages.PREPARE_AND_EXECUTE):
                prepare = request.kind == messages.PREPARE_AND_EXECUTE
                answer = self._execute(request.payload, prepare=prepare)
            else:
                answer = self._look_at(request)
            self._connection.sendall(answer)
            if answer.startswith(messages.OUT_OF_MEMORY):
                return  # the next run might not get enough memory

    def _warm_up(self) -> None:
        """Make executors until a request comes."""
        for name in self._warm:
            if select.select([self._connection], [], [], 0)[0]:
                return
            # A backend that cannot start here reports that to each run on it.
            with suppress(Exception):
                self._executor(name)

    def _next_request(self) -> messages.Frame | None:
        header = self._requests.read(messages.HEADER.size)
        if len(header) < messages.HEADER.size:
            return None
        kind, length = messages.HEADER.unpack(header)
        payload = self._requests.read(length)
        return None if len(payload) < length else messages.Frame(kind, payload)

    def _execute(self, payload: bytes, *, prepare: bool) -> bytes:
        try:
            execution: Execution = pickle.loads(payload)  # noqa: S301 (from the server)
            executor = self._executor(execution.backend)
            self._first_runs.before(executor, execution)
            if prepare:
                self._connection.sendall(messages.frame(messages.PREPARED))
            backend = self._backends[execution.backend]
            outcome = with_versions(_run(executor, backend, execution), backend.info.packages)
            answer = messages.encode_outcome(outcome)
        except BaseException as error:  # noqa: BLE001 (a simulator may raise anything)
            return self._failure(error)
        if len(answer) > messages.MAX_ANSWER:
            largest = binary_size(messages.MAX_ANSWER)
            return self._failure(
                ValueError(f"the result is larger than {largest}; send fewer shots")
            )
        return messages.frame(messages.OUTCOME, answer)

    def _look_at(self, request: messages.Frame) -> bytes:
        try:
            text = request.payload.decode("utf-8", "surrogatepass")
            return messages.frame(messages.OUTCOME, _LOOKS[request.kind](text))
        except InvalidArgument as error:
            return messages.frame(messages.INVALID, messages.encode_invalid(error))
        except BaseException as error:  # noqa: BLE001 (every error is an answer)
            return self._failure(error)

    def _failure(self, error: BaseException) -> bytes:
        details = "".join(traceback.format_exception(error))[-messages.MAX_DETAILS :]
        if is_about_memory(error):
            # The server may have raised the limit for this run.
            raised = resource.getrlimit(resource.RLIMIT_DATA)[0] - self._first_limit
            limit = binary_size(self._memory_limit + raised)
            message = f"needs more memory than the {limit} that it may use"
            return messages.frame(messages.OUT_OF_MEMORY, messages.encode_failure(message, details))
        return messages.frame(messages.FAILED, messages.encode_failure(describe(error), details))

    def _executor(self, name: str) -> Executor:
        if name not in self._executors:
            if name not in self._backends:
                raise LookupError(f"there is no backend {name!r}")
            self._executors[name] = self._backends[name].executor()
        return self._executors[name]


def _run(executor: Executor, backend: Backend, execution: Execution) -> Outcome:
    if execution.sweep is None:
        circuit = expanded(with_measurements(parse(execution.qasm)))
    else:
        circuit = circuit_of(execution.qasm)

    def run() -> Outcome:
        return with_points(run_circuit(executor, backend, circuit, execution), execution)

    if execution.threads == 1:
        return run()
    return with_threads(execution.threads, execution.backend, run)


def run(
    connection: socket.socket,
    tokens: socket.socket,
    backends: Mapping[str, Backend],
    warm: Sequence[str],
    confinement: Confinement,
) -> None:
    """Be a worker: confine this process and serve. Return when the server closes the connection."""
    low, high = sorted((connection.fileno(), tokens.fileno()))
    os.closerange(3, low)
    os.closerange(low + 1, high)
    os.closerange(high + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    confine(confinement)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    os.close(null)
    with suppress(ConnectionError):
        Worker(connection, tokens, backends, warm, confinement.memory_limit).serve()
