"""Sweeps: what a request asked for, and the results of its points in blocks.

The blocks of a job follow each other without gaps, and a block that was written never changes.
"""

import json
import struct
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, insert, select

from quantcloud.domain.job import Change, JobEvent, Lease
from quantcloud.domain.points import PAGE_BYTES, Points, joined
from quantcloud.domain.sweep import Observable, Parameter, Sweep
from quantcloud.storage.database import codec
from quantcloud.storage.database.interface import Connection
from quantcloud.storage.database.tables import job_circuits, sweep_blocks
from quantcloud.storage.jobs.rows import job_rows
from quantcloud.storage.unit_of_work.transaction import Transaction

_FLAGS = ("zipped", "exact", "gradient", "variances", "probabilities", "packed")
_LENGTH = struct.Struct("<Q")
# How long the text is that is kept to be found again.
_KEPT_BYTES = 32 << 10

_INSERT = insert(sweep_blocks)
_OF_JOB = sweep_blocks.c.job_id == bindparam("job_id")
_BLOCK = select(sweep_blocks.c.first).where(_OF_JOB, sweep_blocks.c.first == bindparam("first"))
_PROGRESS = select(
    func.coalesce(func.sum(sweep_blocks.c.points), 0).label("done"),
    func.coalesce(func.sum(sweep_blocks.c.seconds), 0.0).label("seconds"),
).where(_OF_JOB)
_NEXT = (
    select(sweep_blocks.c.data)
    .where(_OF_JOB, sweep_blocks.c.first + sweep_blocks.c.points > bindparam("offset"))
    .order_by(sweep_blocks.c.first)
    .limit(1)
)
_IS_KEPT = select(job_circuits.c.job_id).where(job_circuits.c.job_id == bindparam("job_id"))


class Progress(NamedTuple):
    """How many points of a job are done, and how long their runs took."""

    done: int = 0
    seconds: float = 0.0


def pack_sweep(sweep: Sweep) -> bytes:
    """Return what a request asked for as bytes: lines of JSON, then the parameters' values."""
    parameters = [[each.name, each.size, len(each.values)] for each in sweep.parameters]
    head = {
        "points": sweep.points,
        "parameters": parameters,
        "precision": sweep.precision,
        **{name: True for name in _FLAGS if getattr(sweep, name)},
    }
    lines = [codec.compact_json(head).encode(), *[each.data for each in sweep.observables]]
    values = b"".join([each.values for each in sweep.parameters])
    text = b"\n".join(lines)
    packed = _packed(text) if len(text) <= _KEPT_BYTES else codec.pack(text)
    # The values look like random bytes, which become no shorter.
    return b"".join((packed, values, _LENGTH.pack(len(values))))


# An optimiser asks for the same with other values again and again.
_packed = lru_cache(maxsize=32)(codec.pack)


def unpack_sweep(packed: bytes) -> Sweep:
    """Undo `pack_sweep`. Reads also the former format: one JSON object, then the values."""
    (length,) = _LENGTH.unpack_from(packed, len(packed) - _LENGTH.size)
    end = len(packed) - _LENGTH.size - length
    # The former format ends with no length, and what stands there is mostly a huge number.
    text = codec.unpack(packed[:end] if end > 0 else packed)
    head: dict[str, Any] = json.loads(text.partition(b"\n")[0])
    if "observables" in head:
        values = codec.unpack(packed).partition(b"\n")[2]
        observables = [codec.compact_json(terms).encode() for terms in head["observables"]]
    else:
        values = packed[end : end + length]
        observables = text.split(b"\n")[1:]
    parameters: list[Parameter] = []
    at = 0
    for name, size, length in head["parameters"]:
        parameters.append(Parameter(name, size, values[at : at + length]))
        at += length
    return Sweep(
        points=head["points"],
        last=head["points"],
        parameters=tuple(parameters),
        observables=tuple([Observable.of(each) for each in observables]),
        precision=head["precision"],
        **{name: head.get(name, False) for name in _FLAGS},
    )


def block_row(job_id: str, points: Points, seconds: float) -> dict[str, Any]:
    """Return the row of some points, whose run took `seconds`."""
    return {
        "job_id": job_id,
        "first": points.first,
        "points": len(points.sizes),
        "seconds": seconds,
        "data": codec.pack(points.to_bytes()),
    }


def add_block(
    tx: Transaction, lease: Lease, row: dict[str, Any], change: Change | None
) -> JobEvent | None:
    """Write a block under the lease of its job, and tell the progress if there is a `change`."""
    record = job_rows.load_leased(tx, row["job_id"], lease)
    if tx.read(_BLOCK, row).one_or_none() is not None:
        return None  # an earlier try succeeded, and only its answer was lost
    tx.write(_INSERT, row)
    if change is None:
        return None
    _, (event,) = job_rows.advance(tx, record, [change])
    return event


def progress(connection: Connection, job_id: str) -> Progress:
    """Return how much of a job is done."""
    row = connection.execute(_PROGRESS, {"job_id": job_id}).one()
    return Progress(int(row.done), float(row.seconds))


def is_kept(connection: Connection, job_id: str) -> bool:
    """Return whether the history of a job has not been removed."""
    return connection.execute(_IS_KEPT, {"job_id": job_id}).one_or_none() is not None


def page(connection: Connection, job_id: str, offset: int, limit: int | None) -> Points:
    """Return points from `offset` on: at most `limit` and 1 MiB, and at least one that is done."""
    parts: list[Points] = []
    at, size = offset, 0
    last = None if limit is None else offset + limit
    while (last is None or at < last) and size < PAGE_BYTES:
        row = connection.execute(_NEXT, {"job_id": job_id, "offset": at}).one_or_none()
        if row is None:
            break
        block = Points.from_bytes(codec.unpack(row.data))
        wanted = block.last if last is None else min(last, block.last)
        # The first point of a page may be larger.
        part = block.page(at, wanted, PAGE_BYTES - size)
        if parts and size + part.size > PAGE_BYTES:
            break
        parts.append(part)
        at, size = part.last, size + part.size
        if at < wanted:
            break
    return joined(parts) if parts else Points.none(offset)
