"""Packs and unpacks a job's circuit and result, in another thread if they are large."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.job import JobResult
from quantcloud.storage.database import codec
from quantcloud.storage.database.interface import AnyRow
from quantcloud.storage.job_record import JobRecord
from quantcloud.storage.jobs.claims import Claim, ClaimedJobs, Taken
from quantcloud.storage.unit_of_work.transaction import Added

T = TypeVar("T")

# The number of counts, amplitudes and shots above which another thread packs a result.
LARGE_RESULT = 1000
_ANALYSIS = tuple(field.name for field in fields(Analysis))


async def pack_circuit(job_id: str, qasm: str, analysis: Analysis | None) -> dict[str, Any]:
    """Return the row of a job's circuit; it needs the analysis only if the job is still to run."""
    figures = analysis and {name: getattr(analysis, name) for name in _ANALYSIS}
    return {
        "job_id": job_id,
        "qasm": await _run(codec.pack_text, qasm, in_thread=len(qasm) >= codec.LARGE),
        "analysis": figures or {},
    }


def is_quick(taken: Sequence[Taken]) -> bool:
    """Whether no circuit needs another thread to unpack it."""
    return all(
        isinstance(each.circuit, Added) or len(each.circuit.qasm) < codec.COMPRESS_FROM
        for each in taken
    )


async def unpack_claims(taken: Sequence[Taken], *, left: bool) -> ClaimedJobs:
    """Return claims with their circuits unpacked."""
    return await _run(unpack_quickly, taken, left, in_thread=not is_quick(taken))


def unpack_quickly(taken: Sequence[Taken], left: bool) -> ClaimedJobs:  # noqa: FBT001  # see `_run`
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


def is_large(result: JobResult) -> bool:
    """Whether a result needs another thread to pack it."""
    amplitudes = len(result.statevector.real) if result.statevector else 0
    return len(result.counts) + amplitudes + codec.weight(result.metadata) > LARGE_RESULT


async def pack_result(result: JobResult) -> dict[str, Any]:
    """Return the row of a result. Raises `ValueError` if a key of the counts is no bitstring."""
    return await _run(_pack_result, result, in_thread=is_large(result))


def is_compressed(row: AnyRow) -> bool:
    """Whether a result's row is compressed."""
    return codec.is_compressed(row.counts) or codec.is_compressed(row.metadata)


async def unpack_result(row: AnyRow) -> JobResult:
    """Return the result of a row."""
    size = len(row.counts) + len(row.statevector or b"") + len(row.metadata)
    in_thread = size >= codec.COMPRESS_FROM or is_compressed(row)
    return await _run(_unpack_result, row, in_thread=in_thread)


async def _run(work: Callable[..., T], *values: Any, in_thread: bool) -> T:
    return await asyncio.to_thread(work, *values) if in_thread else work(*values)


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
