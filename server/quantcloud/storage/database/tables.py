"""The tables after the newest migration.

Times are microseconds since 1970 in UTC. The same tables serve SQLite and PostgreSQL.
"""

from sqlalchemy import (
    CHAR,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from quantcloud.storage.database.columns import Cursor, JsonText, UtcDatetime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _partial_index(name: str, where: str, *columns: Column[object], unique: bool = False) -> Index:
    condition = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


accounts = Table(
    "accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tier", Text, nullable=False),
    Column("created_at", UtcDatetime, nullable=False),
    Column("email", Text),
    Column("name", Text),
    # Accounts take turns: the account that was served longest ago has the lowest number.
    Column("turn", BigInteger, nullable=False),
)
Index("ix_accounts_turn", accounts.c.turn)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", CHAR(36), primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at", UtcDatetime, nullable=False),
    Column("last_used_at", UtcDatetime),
    Column("revoked_at", UtcDatetime),
    UniqueConstraint("digest"),
)
Index("ix_api_keys_account", api_keys.c.account_id, api_keys.c.created_at, api_keys.c.id)

saved_circuits = Table(
    "saved_circuits",
    metadata,
    Column("id", CHAR(36), primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", UtcDatetime, nullable=False),
    Column("updated_at", UtcDatetime, nullable=False),
    Column("code", LargeBinary),
    Column("qasm", LargeBinary),
    Column("num_qubits", Integer),
    Column("metadata", JsonText, nullable=False),
)
Index(
    "ix_saved_circuits_account",
    saved_circuits.c.account_id,
    saved_circuits.c.created_at,
    saved_circuits.c.id,
)

monthly_usage = Table(
    "monthly_usage",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.id"), primary_key=True),
    # The calendar month in UTC, such as 2025-01.
    Column("month", CHAR(7), primary_key=True),
    Column("simulator_seconds", Double, nullable=False),
    Column("qpu_tasks", Integer, nullable=False),
    Column("total_jobs", Integer, nullable=False),
    Column("total_cost_usd", Double, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", CHAR(36), primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("submitted_at", UtcDatetime, nullable=False),
    Column("shots", Integer, nullable=False),
    Column("optimize_for", Text, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("requested_backend", Text),
    Column("max_cost_usd", Double),
    Column("min_fidelity", Double),
    Column("options", JsonText, nullable=False),
    Column("reserved_qpu_tasks", Integer, nullable=False),
    Column("reserved_cost_usd", Double, nullable=False),
    # How long the router expected the run to take.
    Column("predicted_seconds", Double),
    # The submission of several circuits that the job belongs to, if any.
    Column("batch_id", CHAR(36)),
    # The number of points of a sweep; NULL for an ordinary job.
    Column("points", Integer),
    Column("name", Text),
    # A JSON list; NULL without tags. `job_tags` has the same, to find jobs by.
    Column("tags", Text),
    # The columns from here on change during a job's life.
    Column("status", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("backend", Text),
    Column("method", Text),
    Column("queued_at", UtcDatetime),
    Column("started_at", UtcDatetime),
    Column("completed_at", UtcDatetime),
    Column("error_message", Text),
    Column("metadata", JsonText, nullable=False),
    Column("metadata_sequence", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    # The time of the latest event; NULL in jobs that had ended before this column existed.
    Column("changed_at", UtcDatetime),
    Column("losses", Integer, nullable=False),
    Column("metered", Boolean, nullable=False),
    Column("lease_owner", Text),
    Column("lease_token", Text),
    CheckConstraint(
        "(status IN ('dispatched', 'running')) = (lease_token IS NOT NULL)", name="lease"
    ),
    CheckConstraint(
        "(status IN ('completed', 'failed', 'timeout', 'cancelled')) = (completed_at IS NOT NULL)",
        name="terminal",
    ),
)
Index("ix_jobs_account", jobs.c.account_id, jobs.c.submitted_at, jobs.c.id)
Index("ix_jobs_account_status", jobs.c.account_id, jobs.c.status, jobs.c.submitted_at, jobs.c.id)
# SQLite uses a partial index only for a query that repeats its condition literally.
_partial_index("ix_jobs_active", "completed_at IS NULL", jobs.c.status, jobs.c.account_id)
_partial_index("ix_jobs_queue", "status = 'queued'", jobs.c.account_id, jobs.c.queued_at, jobs.c.id)
_partial_index(
    "ix_jobs_backend_queue", "status = 'queued'", jobs.c.backend, jobs.c.queued_at, jobs.c.id
)
_partial_index("ix_jobs_begun", "started_at IS NOT NULL", jobs.c.backend, jobs.c.started_at)
_partial_index("ix_jobs_ended", "completed_at IS NOT NULL", jobs.c.completed_at, jobs.c.id)

_partial_index(
    "ix_jobs_named", "name IS NOT NULL", jobs.c.account_id, jobs.c.submitted_at, jobs.c.id
)
_partial_index("ix_jobs_batch", "batch_id IS NOT NULL", jobs.c.batch_id)

# The primary key is in the order of a listing.
job_tags = Table(
    "job_tags",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("tag", Text, primary_key=True),
    Column("submitted_at", UtcDatetime, primary_key=True),
    Column("job_id", CHAR(36), ForeignKey("jobs.id"), primary_key=True),
    sqlite_with_rowid=False,
)
# For the deletion of jobs.
Index("ix_job_tags_job", job_tags.c.job_id)

# The circuit's text has its own table, because the job's row is read and written often.
job_circuits = Table(
    "job_circuits",
    metadata,
    Column("job_id", CHAR(36), ForeignKey("jobs.id"), primary_key=True),
    Column("qasm", LargeBinary, nullable=False),
    Column("analysis", JsonText, nullable=False),
    # What the request asked for beyond counts at one point; see `rows.sweeps`.
    Column("sweep", LargeBinary),
)

# The primary key ensures that a job has at most one result.
job_results = Table(
    "job_results",
    metadata,
    Column("job_id", CHAR(36), ForeignKey("jobs.id"), primary_key=True),
    Column("backend", Text, nullable=False),
    Column("execution_time_ms", Double, nullable=False),
    Column("counts", LargeBinary, nullable=False),
    Column("statevector", LargeBinary),
    Column("metadata", LargeBinary, nullable=False),
)

# The results of the points of a sweep: those from `first` on. A run writes them while it goes on.
sweep_blocks = Table(
    "sweep_blocks",
    metadata,
    Column("job_id", CHAR(36), ForeignKey("jobs.id"), primary_key=True),
    Column("first", Integer, primary_key=True, autoincrement=False),
    Column("points", Integer, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

# Each row holds the job's changing fields after the event. Events of one job that are written
# together share one row, that of the last event.
job_events = Table(
    "job_events",
    metadata,
    Column("cursor", Cursor, primary_key=True, autoincrement=True),
    Column("job_id", CHAR(36), ForeignKey("jobs.id"), nullable=False),
    Column("account_id", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("occurred_at", UtcDatetime, nullable=False),
    Column("status", Text, nullable=False),
    Column("backend", Text),
    Column("method", Text),
    Column("queued_at", UtcDatetime),
    Column("started_at", UtcDatetime),
    Column("completed_at", UtcDatetime),
    Column("error_message", Text),
    # NULL if it did not change; then the row that `metadata_sequence` names has it. Also NULL if
    # the job ended with this event; then the job's row has it, and it never changes again.
    Column("metadata", JsonText),
    Column("metadata_sequence", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    # The events written together with this one, just before it: a list, see `event_rows.events_of`.
    # Their sequences and cursors are those just below this row's, without gaps.
    Column("earlier", Text),
    UniqueConstraint("job_id", "sequence"),
    # No cursor is assigned twice, even if the newest events are removed.
    sqlite_autoincrement=True,
)
Index("ix_job_events_account", job_events.c.account_id, job_events.c.cursor)
_partial_index(
    "ix_job_events_terminal",
    "completed_at IS NOT NULL",
    job_events.c.job_id,
    unique=True,
)

# The owners of leases, by the name in the leases. An owner's leases are valid until `expires_at`,
# which its heartbeats extend.
lease_owners = Table(
    "lease_owners",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("expires_at", UtcDatetime, nullable=False),
)

# The jobs of a submission with an idempotency key: the first job, the cursor of its first event,
# and the number of jobs.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("job_id", CHAR(36), ForeignKey("jobs.id"), nullable=False),
    Column("first_cursor", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("created_at", UtcDatetime, nullable=False),
)
Index("ix_idempotency_keys_created_at", idempotency_keys.c.created_at)

# The cursor up to which an account's events may have been removed, and how many of its jobs were
# removed with all their events.
removed_events = Table(
    "removed_events",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.id"), primary_key=True),
    Column("cursor", BigInteger, nullable=False),
    Column("jobs", BigInteger, nullable=False, server_default="0"),
)

# The last job, in the order of completion, whose history was removed. One row.
retention_progress = Table(
    "retention_progress",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("completed_at", UtcDatetime, nullable=False),
    Column("job_id", CHAR(36), nullable=False),
)

# The id of this database, which its cursors contain. One row, written by the first start. A backup
# must not contain it: the restored database assigns cursors again that events after the backup had.
store_epoch = Table(
    "store_epoch",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", LargeBinary, nullable=False),
)
