"""The tables of the first release."""

from alembic import op
from sqlalchemy import (
    CHAR,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    text,
)

revision = "0001"
down_revision = None

_CURSOR = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Create every table."""
    _create_accounts()
    _create_jobs()


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        Column("id", Text, nullable=False),
        Column("tier", Text, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("email", Text),
        Column("name", Text),
        Column("turn", BigInteger, nullable=False),
        PrimaryKeyConstraint("id", name="pk_accounts"),
    )
    op.create_index("ix_accounts_turn", "accounts", ["turn"])
    op.create_table(
        "api_keys",
        Column("id", CHAR(36), nullable=False),
        Column("account_id", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("prefix", Text, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("last_used_at", BigInteger),
        Column("revoked_at", BigInteger),
        PrimaryKeyConstraint("id", name="pk_api_keys"),
        ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_api_keys_account_id"),
        UniqueConstraint("digest", name="uq_api_keys_digest"),
    )
    op.create_index("ix_api_keys_account", "api_keys", ["account_id", "created_at", "id"])
    op.create_table(
        "saved_circuits",
        Column("id", CHAR(36), nullable=False),
        Column("account_id", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
        Column("code", LargeBinary),
        Column("qasm", LargeBinary),
        Column("num_qubits", Integer),
        Column("metadata", Text, nullable=False),
        PrimaryKeyConstraint("id", name="pk_saved_circuits"),
        ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_saved_circuits_account_id"),
    )
    op.create_index(
        "ix_saved_circuits_account", "saved_circuits", ["account_id", "created_at", "id"]
    )
    op.create_table(
        "monthly_usage",
        Column("account_id", Text, nullable=False),
        Column("month", CHAR(7), nullable=False),
        Column("simulator_seconds", Double, nullable=False),
        Column("qpu_tasks", Integer, nullable=False),
        Column("total_jobs", Integer, nullable=False),
        Column("total_cost_usd", Double, nullable=False),
        PrimaryKeyConstraint("account_id", "month", name="pk_monthly_usage"),
        ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_monthly_usage_account_id"),
    )


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        Column("id", CHAR(36), nullable=False),
        Column("account_id", Text, nullable=False),
        Column("submitted_at", BigInteger, nullable=False),
        Column("shots", Integer, nullable=False),
        Column("optimize_for", Text, nullable=False),
        Column("seed", BigInteger, nullable=False),
        Column("requested_backend", Text),
        Column("max_cost_usd", Double),
        Column("min_fidelity", Double),
        Column("options", Text, nullable=False),
        Column("reserved_qpu_tasks", Integer, nullable=False),
        Column("reserved_cost_usd", Double, nullable=False),
        Column("predicted_seconds", Double),
        Column("batch_id", CHAR(36)),
        Column("status", Text, nullable=False),
        Column("sequence", Integer, nullable=False),
        Column("backend", Text),
        Column("method", Text),
        Column("queued_at", BigInteger),
        Column("started_at", BigInteger),
        Column("completed_at", BigInteger),
        Column("error_message", Text),
        Column("metadata", Text, nullable=False),
        Column("metadata_sequence", Integer, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("losses", Integer, nullable=False),
        Column("metered", Boolean, nullable=False),
        Column("lease_owner", Text),
        Column("lease_token", Text),
        PrimaryKeyConstraint("id", name="pk_jobs"),
        CheckConstraint(
            "(status IN ('dispatched', 'running')) = (lease_token IS NOT NULL)",
            name=op.f("ck_jobs_lease"),
        ),
        CheckConstraint(
            "(status IN ('completed', 'failed', 'timeout', 'cancelled'))"
            " = (completed_at IS NOT NULL)",
            name=op.f("ck_jobs_terminal"),
        ),
        ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_jobs_account_id"),
    )
    op.create_index("ix_jobs_account", "jobs", ["account_id", "submitted_at", "id"])
    op.create_index(
        "ix_jobs_account_status", "jobs", ["account_id", "status", "submitted_at", "id"]
    )
    op.create_index(
        "ix_jobs_active",
        "jobs",
        ["status", "account_id"],
        sqlite_where=text("completed_at IS NULL"),
        postgresql_where=text("completed_at IS NULL"),
    )
    op.create_index(
        "ix_jobs_backend_queue",
        "jobs",
        ["backend", "queued_at", "id"],
        sqlite_where=text("status = 'queued'"),
        postgresql_where=text("status = 'queued'"),
    )
    op.create_index(
        "ix_jobs_begun",
        "jobs",
        ["backend", "started_at"],
        sqlite_where=text("started_at IS NOT NULL"),
        postgresql_where=text("started_at IS NOT NULL"),
    )
    op.create_index(
        "ix_jobs_queue",
        "jobs",
        ["account_id", "queued_at", "id"],
        sqlite_where=text("status = 'queued'"),
        postgresql_where=text("status = 'queued'"),
    )
    op.create_table(
        "job_circuits",
        Column("job_id", CHAR(36), nullable=False),
        Column("qasm", LargeBinary, nullable=False),
        Column("analysis", Text, nullable=False),
        PrimaryKeyConstraint("job_id", name="pk_job_circuits"),
        ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_circuits_job_id"),
    )
    op.create_table(
        "job_results",
        Column("job_id", CHAR(36), nullable=False),
        Column("backend", Text, nullable=False),
        Column("execution_time_ms", Double, nullable=False),
        Column("counts", LargeBinary, nullable=False),
        Column("statevector", LargeBinary),
        Column("metadata", LargeBinary, nullable=False),
        PrimaryKeyConstraint("job_id", name="pk_job_results"),
        ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_results_job_id"),
    )
    op.create_table(
        "job_events",
        Column("cursor", _CURSOR, nullable=False),
        Column("job_id", CHAR(36), nullable=False),
        Column("account_id", Text, nullable=False),
        Column("sequence", Integer, nullable=False),
        Column("occurred_at", BigInteger, nullable=False),
        Column("status", Text, nullable=False),
        Column("backend", Text),
        Column("method", Text),
        Column("queued_at", BigInteger),
        Column("started_at", BigInteger),
        Column("completed_at", BigInteger),
        Column("error_message", Text),
        Column("metadata", Text),
        Column("metadata_sequence", Integer, nullable=False),
        Column("attempt", Integer, nullable=False),
        PrimaryKeyConstraint("cursor", name="pk_job_events"),
        ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_events_job_id"),
        UniqueConstraint("job_id", "sequence", name="uq_job_events_job_id_sequence"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_job_events_account", "job_events", ["account_id", "cursor"])
    op.create_index(
        "ix_job_events_terminal",
        "job_events",
        ["job_id"],
        unique=True,
        sqlite_where=text("completed_at IS NOT NULL"),
        postgresql_where=text("completed_at IS NOT NULL"),
    )
