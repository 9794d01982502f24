"""Packs and unpacks a job's circuit and result, in another thread if they are large."""

import asyncio
from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.job import JobResult
from quantcloud.storage.database import codec
from quantcloud.storage.database.interface import AnyRow
from quantcloud.storage.job_record import NewJob
from quantcloud.storage.jobs.claims import Claim, packed_method
from quantcloud.storage.jobs.writes import Packed

T = TypeVar("T")

# The number of counts, amplitudes and shots above which another thread packs a result.
LARGE_RESULT = 1000
_ANALYSIS = tuple(field.name for field in fields(Analysis))


def is_large_job(new: NewJob) -> bool:
    """Whether a new job needs another thread to pack it."""
    return len(new.qasm) >= codec.LARGE or (new.result is not None and is_large(new.result))


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
    in_thread = len(circuit.qasm) >= codec.COMPRESS_FROM
    return await _run(codec.unpack_text, circuit.qasm, in_thread=in_thread), Analysis(**known)


def is_large(result: JobResult) -> bool:
    """Whether a result needs another thread to pack it."""
    amplitudes = len(result.statevector.real) if result.statevector else 0
    return len(result.counts) + amplitudes + codec.weight(result.metadata) > LARGE_RESULT


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
