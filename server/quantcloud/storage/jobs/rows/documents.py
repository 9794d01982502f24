"""Packs and unpacks a job's circuit, method and result, in another thread if that takes long."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from quantcloud.aio import offload
from quantcloud.aio.offload import Work
from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.job import SERVER_VERSION, SIMULATOR_VERSION, Job, JobCircuit, JobResult
from quantcloud.domain.sweep import Sweep
from quantcloud.routing.method import Method
from quantcloud.storage.database import codec
from quantcloud.storage.database.interface import AnyRow
from quantcloud.storage.job_record import NewJob
from quantcloud.storage.jobs.rows.sweeps import block_row, pack_sweep, unpack_sweep

# Only the check of a request needs to know the inputs.
_ANALYSIS = tuple(field.name for field in fields(Analysis) if field.name != "inputs")
_METHOD = "method"
# A term of an observable has about as many bytes of JSON.
_TERM_BYTES = 50


class PackedResult(NamedTuple):
    """A result with its row, and for a sweep the row of its last block."""

    of: JobResult
    row: dict[str, Any]
    block: dict[str, Any] | None = None

    @property
    def whole(self) -> JobResult | None:
        """The result; None if blocks with its first points were written before."""
        sweep = self.of.sweep
        return self.of if sweep is None or sweep.points.first == 0 else None


class Packed(NamedTuple):
    """A new job with the row of its circuit, and its result, if there is one."""

    new: NewJob
    circuit: dict[str, Any]
    result: PackedResult | None


class StoredCircuit(NamedTuple):
    """The row of a circuit."""

    qasm: bytes
    analysis: Mapping[str, Any]
    sweep: bytes | None


def packing_cost_of(new: NewJob) -> float:
    """Return the microseconds that it takes to pack a new job."""
    result = 0.0 if new.result is None else packing_cost(new.result)
    size = len(new.qasm) + (0 if new.sweep is None else _size(new.sweep))
    return Work.PACK_TEXT.cost(size) + result


def _size(sweep: Sweep) -> int:
    """Return roughly how many bytes a sweep has when it is packed."""
    terms = sum(len(each.terms) for each in sweep.observables)
    return _TERM_BYTES * terms + sum(len(each.values) for each in sweep.parameters)


def pack_job(new: NewJob) -> Packed:
    """Return a new job with its rows. Raises `ValueError` if a key of the counts is no bitstring.

    Only a job that is still to run needs its analysis.
    """
    figures: dict[str, Any] = {}
    if new.result is None:
        figures = {name: getattr(new.analysis, name) for name in _ANALYSIS}
        figures |= pack_method(new.method)
    circuit = {
        "job_id": new.job.id,
        "qasm": codec.pack_text(new.qasm),
        "analysis": figures,
        "sweep": None if new.sweep is None else pack_sweep(new.sweep),
    }
    return Packed(new, circuit, new.result and pack_result(new.result))


def pack_method(method: Method) -> dict[str, Any]:
    """Return what is stored of a job's method beside its analysis."""
    names = ("memory_bytes", "seconds", "cores", "parallel")
    return {_METHOD: {name: getattr(method, name) for name in names}}


def unpack_method(job: Job, circuit: StoredCircuit) -> Method:
    """Return the method by which a job runs."""
    name = job.method or ""
    try:
        stored = circuit.analysis[_METHOD]
        return Method(
            name,
            int(stored["memory_bytes"]),
            float(stored["seconds"]),
            cores=int(stored["cores"]),
            parallel=float(stored.get("parallel", 0.0)),
        )
    except (KeyError, TypeError, ValueError):
        # An older server stored none. If it is damaged, `Jobs.input_of` says so.
        return Method(name, 0, 0.0)


class Input(NamedTuple):
    """The circuit of a job, and what its request asked for beyond counts at one point."""

    qasm: str
    analysis: Analysis
    sweep: Sweep | None


async def input_of(circuit: NewJob | StoredCircuit) -> Input:
    """Return what a claimed job runs. Raises any exception if it cannot be read."""
    if isinstance(circuit, NewJob):
        return Input(circuit.qasm, circuit.analysis, circuit.sweep)
    # A newer server may have written more fields, and an older one fewer.
    known = {name: circuit.analysis[name] for name in _ANALYSIS if name in circuit.analysis}
    size = codec.most_bytes(circuit.qasm) + codec.most_bytes(circuit.sweep)
    read = await offload.run(Work.UNPACK_TEXT.cost(size), _read, circuit.qasm, circuit.sweep)
    return Input(read[0], Analysis(**known), read[1])


def _read(qasm: bytes, sweep: bytes | None) -> tuple[str, Sweep | None]:
    return codec.unpack_text(qasm), None if sweep is None else unpack_sweep(sweep)


async def unpack_circuit(job: Job, row: AnyRow) -> JobCircuit:
    """Return a job's circuit from its row."""
    size = codec.most_bytes(row.qasm) + codec.most_bytes(row.sweep)
    cost = Work.UNPACK_TEXT.cost(size)
    if row.metadata is not None:
        cost += Work.UNPACK_RESULT.cost(codec.most_bytes(row.metadata))
    return await offload.run(cost, _unpack_circuit, job, row)


def _unpack_circuit(job: Job, row: AnyRow) -> JobCircuit:
    about = {} if row.metadata is None else codec.unpack_document(row.metadata)
    versions = [about.get(name) for name in (SERVER_VERSION, SIMULATOR_VERSION)]
    qasm, sweep = _read(row.qasm, row.sweep)
    return JobCircuit(job, qasm, *(v and str(v) for v in versions), sweep=sweep)


def packing_cost(result: JobResult) -> float:
    """Return the microseconds that it takes to pack a result."""
    amplitudes = len(result.statevector.real) if result.statevector else 0
    if result.sweep is not None:
        return Work.PACK_TEXT.cost(result.sweep.points.size)
    return Work.PACK_RESULT.cost(len(result.counts) + amplitudes + codec.weight(result.metadata))


def is_compressed(row: AnyRow) -> bool:
    """Whether a result's row is compressed."""
    return codec.is_compressed(row.counts) or codec.is_compressed(row.metadata)


async def unpack_result(row: AnyRow) -> JobResult:
    """Return the result of a row."""
    size = len(row.statevector or b"") + sum(map(codec.most_bytes, (row.counts, row.metadata)))
    return await offload.run(Work.UNPACK_RESULT.cost(size), _unpack_result, row)


def pack_result(result: JobResult) -> PackedResult:
    """Return a result with its rows. Raises `ValueError` if a key of counts is no bitstring."""
    vector, sweep = result.statevector, result.sweep
    row = {
        "job_id": result.job_id,
        "backend": result.backend,
        "execution_time_ms": result.execution_time_ms,
        "counts": codec.pack_counts(result.counts),
        "statevector": codec.pack_statevector(vector) if vector else None,
        "metadata": codec.pack_document(result.metadata),
    }
    block = None if sweep is None else block_row(result.job_id, sweep.points, sweep.seconds)
    return PackedResult(result, row, block)


def _unpack_result(row: AnyRow) -> JobResult:
    return JobResult(
        job_id=row.job_id,
        backend=row.backend,
        counts=codec.unpack_counts(row.counts),
        execution_time_ms=row.execution_time_ms,
        statevector=codec.unpack_statevector(row.statevector) if row.statevector else None,
        metadata=codec.unpack_document(row.metadata),
    )
