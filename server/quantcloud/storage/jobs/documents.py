"""Packs and unpacks a job's circuit and result, in another thread if that takes long."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from quantcloud.aio import offload
from quantcloud.aio.offload import Work
from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.job import JobResult
from quantcloud.storage.database import codec
from quantcloud.storage.database.interface import AnyRow
from quantcloud.storage.job_record import JobRecord
from quantcloud.storage.jobs.claims import Claim, ClaimedJobs, Taken
from quantcloud.storage.unit_of_work.transaction import Added

_ANALYSIS = tuple(field.name for field in fields(Analysis))


async def pack_circuit(job_id: str, qasm: str, analysis: Analysis | None) -> dict[str, Any]:
    """Return the row of a job's circuit; it needs the analysis only if the job is still to run."""
    figures = analysis and {name: getattr(analysis, name) for name in _ANALYSIS}
    return {
        "job_id": job_id,
        "qasm": await offload.run(Work.PACK_TEXT.cost(len(qasm)), codec.pack_text, qasm),
        "analysis": figures or {},
    }


def unpacking_cost(taken: Sequence[Taken]) -> float:
    """Return the microseconds that it takes at most to unpack the circuits of claims."""
    packed = (each.circuit.qasm for each in taken if not isinstance(each.circuit, Added))
    return Work.UNPACK_TEXT.cost(sum(map(codec.most_bytes, packed)))


async def unpack_claims(taken: Sequence[Taken], *, left: bool) -> ClaimedJobs:
    """Return claims with their circuits unpacked."""
    return await offload.run(unpacking_cost(taken), unpack_now, taken, left)


def unpack_now(taken: Sequence[Taken], left: bool) -> ClaimedJobs:  # noqa: FBT001  # see `run`
    """Like `unpack_claims`, in the calling thread."""
    claims: list[Claim] = []
    unreadable: list[tuple[JobRecord, Exception]] = []
    for each in taken:
        try:
            claims.append(_claim(each))
        except Exception as error:  # noqa: BLE001  # the other jobs must still run
            unreadable.append((each.record, error))
    return ClaimedJobs(claims, left=left, unreadable=unreadable)


def _claim(taken: Taken) -> Claim:
    if unknown := taken.record.unknown_options:
        raise ValueError(f"unknown options: {', '.join(unknown)}")
    circuit = taken.circuit
    if isinstance(circuit, Added):
        qasm, analysis = circuit.qasm, circuit.analysis
    else:
        # A newer server may have written more fields, and an older one fewer.
        stored = circuit.analysis
        known = {name: stored[name] for name in _ANALYSIS if name in stored}
        qasm, analysis = codec.unpack_text(circuit.qasm), Analysis(**known)
    return Claim(taken.record, qasm, analysis, taken.tier, taken.event, taken.used)


def packing_cost(result: JobResult) -> float:
    """Return the microseconds that it takes to pack a result."""
    amplitudes = len(result.statevector.real) if result.statevector else 0
    return Work.PACK_RESULT.cost(len(result.counts) + amplitudes + codec.weight(result.metadata))


async def pack_result(result: JobResult) -> dict[str, Any]:
    """Return the row of a result. Raises `ValueError` if a key of the counts is no bitstring."""
    return await offload.run(packing_cost(result), _pack_result, result)


def is_compressed(row: AnyRow) -> bool:
    """Whether a result's row is compressed."""
    return codec.is_compressed(row.counts) or codec.is_compressed(row.metadata)


async def unpack_result(row: AnyRow) -> JobResult:
    """Return the result of a row."""
    size = len(row.statevector or b"") + sum(map(codec.most_bytes, (row.counts, row.metadata)))
    return await offload.run(Work.UNPACK_RESULT.cost(size), _unpack_result, row)


def _pack_result(result: JobResult) -> dict[str, Any]:
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
