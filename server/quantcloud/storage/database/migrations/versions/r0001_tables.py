"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op

from quantcloud.storage.database.migrations.indexes import create_partial_index

revision = "0001"
down_revision = None

_CURSOR = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table."""
    _create_accounts()
    _create_jobs()


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tier", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("name", sa.Text),
        sa.Column("turn", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_accounts_turn", "accounts", ["turn"])
    op.create_table(
        "api_keys",
        sa.Column("id", sa.CHAR(36), primary_key=True),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.UniqueConstraint("digest"),
    )
    op.create_index("ix_api_keys_account", "api_keys", ["account_id", "created_at", "id"])
    op.create_table(
        "saved_circuits",
        sa.Column("id", sa.CHAR(36), primary_key=True),
        sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("code", sa.LargeBinary),
        sa.Column("qasm", sa.LargeBinary),
        sa.Column("num_qubits", sa.Integer),
        sa.Column("metadata", sa.Text, nullable=False),
    )
    op.create_index(
        "ix_saved_circuits_account", "saved_circuits", ["account_id", "created_at", "id"]
    )
    op.create_table(
        "monthly_usage",
        sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
        sa.Column("month", sa.CHAR(7), primary_key=True),
        sa.Column("simulator_seconds", sa.Double, nullable=False),
        sa.Column("qpu_tasks", sa.Integer, nullable=False),
        sa.Column("total_jobs", sa.Integer, nullable=False),
        sa.Column("total_cost_usd", sa.Double, nullable=False),
    )


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.CHAR(36), primary_key=True),
        sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("submitted_at", sa.BigInteger, nullable=False),
        sa.Column("shots", sa.Integer, nullable=False),
        sa.Column("optimize_for", sa.Text, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("requested_backend", sa.Text),
        sa.Column("max_cost_usd", sa.Double),
        sa.Column("min_fidelity", sa.Double),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("reserved_qpu_tasks", sa.Integer, nullable=False),
        sa.Column("reserved_cost_usd", sa.Double, nullable=False),
        sa.Column("predicted_seconds", sa.Double),
        sa.Column("batch_id", sa.CHAR(36)),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("backend", sa.Text),
        sa.Column("method", sa.Text),
        sa.Column("queued_at", sa.BigInteger),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("completed_at", sa.BigInteger),
        sa.Column("error_message", sa.Text),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("metadata_sequence", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("losses", sa.Integer, nullable=False),
        sa.Column("metered", sa.Boolean, nullable=False),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_token", sa.Text),
        sa.CheckConstraint(
            "(status IN ('dispatched', 'running')) = (lease_token IS NOT NULL)",
            name="lease",
        ),
        sa.CheckConstraint(
            "(status IN ('completed', 'failed', 'timeout', 'cancelled'))"
            " = (completed_at IS NOT NULL)",
            name="terminal",
        ),
    )
    op.create_index("ix_jobs_account", "jobs", ["account_id", "submitted_at", "id"])
    op.create_index(
        "ix_jobs_account_status", "jobs", ["account_id", "status", "submitted_at", "id"]
    )
    create_partial_index("ix_jobs_active", "jobs", ["status", "account_id"], "completed_at IS NULL")
    create_partial_index(
        "ix_jobs_backend_queue", "jobs", ["backend", "queued_at", "id"], "status = 'queued'"
    )
    create_partial_index(
        "ix_jobs_begun", "jobs", ["backend", "started_at"], "started_at IS NOT NULL"
    )
    create_partial_index(
        "ix_jobs_queue", "jobs", ["account_id", "queued_at", "id"], "status = 'queued'"
    )
    op.create_table(
        "job_circuits",
        sa.Column("job_id", sa.CHAR(36), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("qasm", sa.LargeBinary, nullable=False),
        sa.Column("analysis", sa.Text, nullable=False),
    )
    op.create_table(
        "job_results",
        sa.Column("job_id", sa.CHAR(36), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("backend", sa.Text, nullable=False),
        sa.Column("execution_time_ms", sa.Double, nullable=False),
        sa.Column("counts", sa.LargeBinary, nullable=False),
        sa.Column("statevector", sa.LargeBinary),
        sa.Column("metadata", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "job_events",
        sa.Column("cursor", _CURSOR, primary_key=True),
        sa.Column("job_id", sa.CHAR(36), nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("occurred_at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("backend", sa.Text),
        sa.Column("method", sa.Text),
        sa.Column("queued_at", sa.BigInteger),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("completed_at", sa.BigInteger),
        sa.Column("error_message", sa.Text),
        sa.Column("metadata", sa.Text),
        sa.Column("metadata_sequence", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"]),
        sa.UniqueConstraint("job_id", "sequence"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_job_events_account", "job_events", ["account_id", "cursor"])
    create_partial_index(
        "ix_job_events_terminal", "job_events", ["job_id"], "completed_at IS NOT NULL", unique=True
    )
