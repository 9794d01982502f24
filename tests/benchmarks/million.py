"""Fills the server's SQLite database with finished jobs, much faster than jobs can be run.

They are copies of one finished job, each with its own id and times, its circuit, its result and its
last row of events. All belong to the job's account and the year before it. The circuit's analysis
and the router's explanation are left out.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

_STEP_MICROSECONDS = 31_000_000
_TIMES = ("submitted_at", "queued_at", "started_at", "completed_at", "occurred_at")
_FAST = (
    "PRAGMA journal_mode=OFF",
    "PRAGMA synchronous=OFF",
    "PRAGMA cache_size=-400000",
    "PRAGMA temp_store=MEMORY",
)
_IDS = """
CREATE TEMP TABLE ids AS
WITH RECURSIVE
    numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :number),
    drawn(place, at, h) AS MATERIALIZED (
        SELECT :number - n, submitted_at - :step * (1 + :number - n), lower(hex(randomblob(8)))
        FROM numbers CROSS JOIN (SELECT submitted_at FROM jobs LIMIT 1)
    )
SELECT
    printf('%08x-%04x-7', at / 1000 >> 16, at / 1000 & 65535) || substr(h, 1, 3) || '-a' ||
        substr(h, 2, 3) || '-' || substr(h, 5, 12) AS id,
    place
FROM drawn
"""
_USAGE = """
INSERT INTO monthly_usage (account_id, month, simulator_seconds, qpu_tasks, total_jobs,
                           total_cost_usd)
SELECT account_id, strftime('%Y-%m', submitted_at / 1000000, 'unixepoch') AS of_month, 0, 0,
       count(*), 0
FROM jobs WHERE id IN (SELECT id FROM ids) GROUP BY account_id, of_month
ON CONFLICT DO UPDATE SET total_jobs = total_jobs + excluded.total_jobs
"""


def fill(path: Path, number: int) -> None:
    """Copy the job in the database at `path`, which no server may have open."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in _FAST:
            connection.execute(pragma)
        # Built at once at the end.
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
            "AND tbl_name LIKE 'job%'"
        ).fetchall()
        connection.execute(_IDS, {"number": number, "step": _STEP_MICROSECONDS})
        connection.execute("BEGIN")
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        for table in ("jobs", "job_circuits", "job_results", "job_events"):
            _copy(connection, table)
        for _, sql in indexes:
            connection.execute(sql)
        connection.execute(_USAGE)
        connection.execute("COMMIT")


def _copy(connection: sqlite3.Connection, table: str) -> None:
    values: dict[str, str] = {}
    for _, name, *_ in connection.execute(f"PRAGMA table_info({table})"):
        values[name] = f"model.{name}"
        if name in _TIMES:
            values[name] += f" - {_STEP_MICROSECONDS} * (1 + place)"
    values["id" if table == "jobs" else "job_id"] = "ids.id"
    for name in ("metadata", "analysis"):
        if name in values and table != "job_results":
            values[name] = "'{}'"
    last = ""
    if table == "job_events":
        last = "WHERE model.completed_at IS NOT NULL"
        (cursor,) = connection.execute("SELECT max(cursor) FROM job_events").fetchone()
        # The row also holds the cursors of its earlier events.
        values["cursor"] = f"{cursor} + model.sequence * (1 + place)"
    # Names of our own tables and columns.
    connection.execute(
        f"INSERT INTO {table} ({', '.join(values)}) SELECT {', '.join(values.values())} "  # noqa: S608
        f"FROM ids CROSS JOIN (SELECT * FROM {table} AS model {last} LIMIT 1) AS model"
    )
