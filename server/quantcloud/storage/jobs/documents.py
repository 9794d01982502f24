"""Packs and unpacks a job's circuit and result, in another thread if that takes long."""

from dataclasses import fields
from typing import Any

from quantcloud.aio import offload
from quantcloud.aio.offload import Work
from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.job import SERVER_VERSION, SIMULATOR_VERSION, Job, JobCircuit, JobResult
from quantcloud.storage.database import codec
from quantcloud.storage.database.interface import AnyRow
from quantcloud.storage.job_record import NewJob
from quantcloud.storage.jobs.claims import Claim, packed_method
from quantcloud.storage.jobs.writes import Packed

_ANALYSIS = tuple(field.name for field in fields(Analysis))


def packing_cost_of(new: NewJob) -> float:
    """Return the microseconds that it takes to pack a new job."""
    result = 0.0 if new.result is None else packing_cost(new.result)
    return Work.PACK_TEXT.cost(len(new.qasm)) + result


def pack_job(new: NewJob) -> Packed:
    """Return a new job with its rows. Raises `ValueError` if a key of the counts is no bitstring.

    Only a job that is still to run needs its analysis.
    """
    figures: dict[str, Any] = {}
    if new.result is None:
        figures = {name: getattr(new.analysis, name) for name in _ANALYSIS}
        figures |= packed_method(new.method)
    circuit = {"job_id": new.job.id, "qasm": codec.pack_text(new.qasm), "analysis": figures}
    return new, circuit, new.result and pack_result(new.result)


async def input_of(claim: Claim) -> tuple[str, Analysis]:
    """Return the circuit of a claimed job. Raises any exception if it cannot be read."""
    if unknown := claim.record.unknown_options:
        raise ValueError(f"unknown options: {', '.join(unknown)}")
    circuit = claim.circuit
    if isinstance(circuit, NewJob):
        return circuit.qasm, circuit.analysis
    # A newer server may have written more fields, and an older one fewer.
    known = {name: circuit.analysis[name] for name in _ANALYSIS if name in circuit.analysis}
    cost = Work.UNPACK_TEXT.cost(codec.most_bytes(circuit.qasm))
    return await offload.run(cost, codec.unpack_text, circuit.qasm), Analysis(**known)


async def unpack_circuit(job: Job, row: AnyRow) -> JobCircuit:
    """Return a job's circuit from its row."""
    cost = Work.UNPACK_TEXT.cost(codec.most_bytes(row.qasm))
    if row.metadata is not None:
        cost += Work.UNPACK_RESULT.cost(codec.most_bytes(row.metadata))
    return await offload.run(cost, _unpack_circuit, job, row)


def _unpack_circuit(job: Job, row: AnyRow) -> JobCircuit:
    about = {} if row.metadata is None else codec.unpack_document(row.metadata)
    versions = [about.get(name) for name in (SERVER_VERSION, SIMULATOR_VERSION)]
    return JobCircuit(job, codec.unpack_text(row.qasm), *(v and str(v) for v in versions))


def packing_cost(result: JobResult) -> float:
    """Return the microseconds that it takes to pack a result."""
    amplitudes = len(result.statevector.real) if result.statevector else 0
    return Work.PACK_RESULT.cost(len(result.counts) + amplitudes + codec.weight(result.metadata))


def is_compressed(row: AnyRow) -> bool:
    """Whether a result's row is compressed."""
    return codec.is_compressed(row.counts) or codec.is_compressed(row.metadata)


async def unpack_result(row: AnyRow) -> JobResult:
    """Return the result of a row."""
    size = len(row.statevector or b"") + sum(map(codec.most_bytes, (row.counts, row.metadata)))
    return await offload.run(Work.UNPACK_RESULT.cost(size), _unpack_result, row)


def pack_result(result: JobResult) -> dict[str, Any]:
    """Return the row of a result. Raises `ValueError` if a key of the counts is no bitstring."""
    vector = result.statevector
    return {
        "job_id": result.job_id,
        "backend": result.backend,
        "execution_time_ms": result.execution_time_ms,
        "counts": codec.pack_counts(result.counts),
        "statevector": codec.pack_statevector(vector) if vector else None,
        "metadata": codec.pack_document(result.metadata),
    }


def _unpack_result(row: AnyRow) -> JobResult:
    return JobResult(
        job_id=row.job_id,
        backend=row.backend,
        counts=codec.unpack_counts(row.counts),
        execution_time_ms=row.execution_time_ms,
        statevector=codec.unpack_statevector(row.statevector) if row.statevector else None,
        metadata=codec.unpack_document(row.metadata),
    )
