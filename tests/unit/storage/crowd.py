"""A database with 200,000 jobs, written directly."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import asyncpg

from quantcloud.storage.database import codec
from unit.storage.builders import ANALYSIS, QASM, T0, at

JOBS = 200_000
ACCOUNTS = 1_000
BACKENDS = ("aer_simulator", "cirq_simulator", "local_simulator")
# The number of newest jobs that have not ended.
ACTIVE = 1_000

Row = tuple[Any, ...]


def job_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-{number:012x}"


def _microseconds(seconds: float) -> int:
    return int((at(seconds) - T0).total_seconds() * 1e6) + 1_743_465_598_123_457


def _jobs() -> Iterator[dict[str, Any]]:
    for number in range(JOBS):
        active = number >= JOBS - ACTIVE
        status = ("queued", "running", "queued", "submitted")[number % 4] if active else "completed"
        started = status in {"running", "completed"}
        yield {
            "id": job_id(number),
            "account_id": f"user-{number % ACCOUNTS}",
            "submitted_at": _microseconds(number),
            "shots": 1024,
            "optimize_for": "balanced",
            "seed": number,
            "options": "{}",
            "reserved_qpu_tasks": 0,
            "reserved_cost_usd": 0.0,
            "status": status,
            "sequence": 7,
            "backend": None if status == "submitted" else BACKENDS[number % 3],
            "method": "statevector",
            "queued_at": None if status == "submitted" else _microseconds(number),
            "started_at": _microseconds(number + 1) if started else None,
            "completed_at": _microseconds(number + 2) if status == "completed" else None,
            "metadata": "{}",
            "metadata_sequence": 1,
            "attempt": int(started),
            "losses": 0,
            "metered": status == "completed",
            "lease_owner": "dead" if status == "running" else None,
            "lease_token": "token" if status == "running" else None,
        }


def _events(jobs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    copied = ("account_id", "status", "sequence", "backend", "method", "queued_at", "started_at",
              "completed_at", "metadata_sequence", "attempt")  # fmt: skip
    for job in jobs:
        columns = {name: job[name] for name in copied}
        earlier = None
        if job["status"] == "completed":
            # The row of a job that was written with all its events at once.
            at, backend = job["submitted_at"], job["backend"]
            earlier = json.dumps(
                [
                    [at, status, backend, "statevector", at, None, None, 1, None]
                    for status in ("queued", "dispatched")
                ]
            )
        yield {
            "job_id": job["id"], "occurred_at": job["submitted_at"], "earlier": earlier, **columns
        }  # fmt: skip


def tables() -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each table."""
    jobs = list(_jobs())
    qasm, analysis = codec.pack_text(QASM), json.dumps(asdict(ANALYSIS))
    return {
        "accounts": [
            {"id": f"user-{number}", "tier": "explorer", "created_at": 0, "turn": number}
            for number in range(ACCOUNTS)
        ],
        "jobs": jobs,
        "job_circuits": [{"job_id": j["id"], "qasm": qasm, "analysis": analysis} for j in jobs],
        "job_events": list(_events(jobs)),
        "job_results": [
            {
                "job_id": job["id"],
                "backend": job["backend"],
                "execution_time_ms": 1.0,
                "counts": b"",
                "metadata": b"",
            }
            for job in jobs[::10]
            if job["status"] == "completed"
        ],
    }


def fill_sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    for table, rows in tables().items():
        names = list(rows[0])
        marks = ", ".join("?" * len(names))
        connection.executemany(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",  # noqa: S608  # names from above
            (tuple(row.values()) for row in rows),
        )
    connection.commit()
    connection.close()


async def fill_postgres(url: str) -> None:
    connection = await asyncpg.connect(url)
    for table, rows in tables().items():
        await connection.copy_records_to_table(
            table, columns=list(rows[0]), records=[tuple(row.values()) for row in rows]
        )
    await connection.execute("ANALYZE")
    await connection.close()
