"""The costs by which the server decides between its event loop and a thread, on this machine.

Each kind of work is done once at the largest size that the event loop takes. The figure is the
processor time of that, as a share of the budget.
"""

import math
import random
import sqlite3
import time
from collections.abc import Callable, Mapping

from benchmarks.figures import Finding, Target, spread
from quantcloud.aio.offload import BUDGET, Work
from quantcloud.api.convert import idempotency
from quantcloud.api.convert import jobs as convert
from quantcloud.api.convert import sweeps as convert_sweeps
from quantcloud.backends.simulation.sweep.groups import grouped
from quantcloud.domain.execution import Outcome
from quantcloud.domain.job import JobResult
from quantcloud.engine.pool import messages
from quantcloud.openqasm import examine
from quantcloud.services.sweeps import _read
from quantcloud.storage.database import codec
from quantcloud.storage.database.columns import rows_as_json
from thequantcloud.v1 import circuit_pb2, sweep_pb2

WIDTH = 64


def _examined(size: int) -> Callable[[], object]:
    source = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[20]; '
    # "h q;" has 4 characters and stands for 20 operations.
    source += "h q;" * max(1, (size - len(source)) // 24)
    return lambda: examine(source)


def _counts(number: int) -> dict[str, int]:
    return {format(random.getrandbits(WIDTH), f"0{WIDTH}b"): 1 for _ in range(number)}


def _result(number: int) -> JobResult:
    return JobResult("job", "local_simulator", _counts(number), 1.0, None, {})


def _answered(size: int) -> Callable[[], object]:
    # One outcome is a line of its bits and a count of 8 bytes.
    answer = messages.encode_outcome(Outcome(_counts(size // (WIDTH + 9)), 1.0, metadata={}))
    return lambda: messages.decode_outcome(answer)


def _unpacked_text(size: int) -> Callable[[], object]:
    packed = codec.pack_text("x q;" * (size // 4))
    return lambda: codec.unpack_text(packed)


def _unpacked_result(size: int) -> Callable[[], object]:
    packed = codec.pack_counts(_counts(size // (WIDTH // 8 + 4)))
    return lambda: codec.unpack_counts(packed)


def _text(size: int) -> str:
    return "".join(random.choices("0123456789.;()[],", k=size))


def _packed_text(size: int) -> Callable[[], object]:
    text = _text(size)
    return lambda: codec.pack_text(text)


def _packed_result(size: int) -> Callable[[], object]:
    counts = _counts(size)
    return lambda: codec.pack_counts(counts)


def _converted(size: int) -> Callable[[], object]:
    result = _result(size)
    return lambda: convert.small_result(result).SerializeToString()


def _read_values(size: int) -> Callable[[], object]:
    values = sweep_pb2.ParameterValues(values=[random.random() for _ in range(size)])
    request = circuit_pb2.RunCircuitRequest(parameters={"w": values})
    return lambda: convert_sweeps._wanted(request)


def _sums(number: int) -> list[sweep_pb2.Observable]:
    """Return an observable with random terms on 20 qubits."""
    words = ["".join(random.choices("IXYZ", k=20)) for _ in range(number)]
    return [sweep_pb2.Observable(terms=[sweep_pb2.Term(pauli=word) for word in words])]


def _read_terms(size: int) -> Callable[[], object]:
    observables = _sums(size)
    return lambda: _read(convert_sweeps._read(observables), 20)


def _compared_terms(size: int) -> Callable[[], object]:
    observables = _read(convert_sweeps._read(_sums(math.isqrt(size))), 20)
    return lambda: grouped(observables)


def _digested(size: int) -> Callable[[], object]:
    request = circuit_pb2.RunCircuitRequest(qasm="x" * size)
    return lambda: idempotency._digest(request)


def _copied(size: int) -> Callable[[], object]:
    parts = [bytes(size // 4)] * 4
    return lambda: b"".join(parts)


def _looked_up(size: int) -> Callable[[], object]:
    database = _table()
    return lambda: [
        database.execute("SELECT * FROM t WHERE id = ?", (i,)).fetchall() for i in range(size)
    ]


def _stored(size: int) -> Callable[[], object]:
    database = _table()
    # The rows of one job: its own, its circuit's, its result's, its events' and its usage's.
    rows = [(None, "x" * 500)] * 5 * size
    return lambda: database.executemany("INSERT INTO t VALUES (?, ?)", rows)


def _stored_data(size: int) -> Callable[[], object]:
    database = _table()
    return lambda: database.execute("INSERT INTO t VALUES (NULL, ?)", (bytes(size),))


def _drafted_rows(size: int) -> Callable[[], object]:
    # As many columns as a row of a job has.
    row = {f"column_{i}": i if i % 3 else "x" * 36 for i in range(36)}
    rows = [row] * size
    return lambda: rows_as_json(rows)


def _drafted_data(size: int) -> Callable[[], object]:
    rows = [{"data": random.randbytes(size)}]
    return lambda: rows_as_json(rows)


def _table() -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
    database.executemany("INSERT INTO t VALUES (?, ?)", ((i, "x" * 500) for i in range(1000)))
    return database


MEASURED: Mapping[Work, Callable[[int], Callable[[], object]]] = {
    Work.EXAMINE: _examined,
    Work.ANSWER: _answered,
    Work.PACK_TEXT: _packed_text,
    Work.UNPACK_TEXT: _unpacked_text,
    Work.PACK_RESULT: _packed_result,
    Work.UNPACK_RESULT: _unpacked_result,
    Work.READ_VALUES: _read_values,
    Work.READ_TERMS: _read_terms,
    Work.COMPARE_TERMS: _compared_terms,
    Work.CONVERT_RESULT: _converted,
    Work.DIGEST: _digested,
    Work.COPY: _copied,
    Work.LOOK_UP: _looked_up,
    Work.STORE_JOB: _stored,
    Work.STORE_DATA: _stored_data,
    Work.DRAFT_ROWS: _drafted_rows,
    Work.DRAFT_DATA: _drafted_data,
}


async def run(rounds: int) -> list[Finding]:
    return [
        Finding(
            f"costs {work.name.lower()}",
            f"{work.most} {work.unit}: share of the event loop's budget of {BUDGET / 1e3:g} ms",
            spread([_share(prepare(work.most)) for _ in range(rounds)]),
            Target("<=", 1.0),
        )
        for work, prepare in MEASURED.items()
    ]


def _share(work: Callable[[], object]) -> float:
    work()
    began = time.thread_time()
    work()
    return (time.thread_time() - began) * 1e6 / BUDGET
