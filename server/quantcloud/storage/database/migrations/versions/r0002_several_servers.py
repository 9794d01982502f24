"""Expiring leases, idempotency keys, removal of history, notifications."""

import sqlalchemy as sa
from alembic import op

from quantcloud.storage.database.migrations.indexes import create_partial_index

revision = "0002"
down_revision = "0001"

# PostgreSQL delivers the notification to the listeners after the commit.
_NOTIFY = """
CREATE FUNCTION quantcloud_notify_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('quantcloud_events', '');
    RETURN NULL;
END
$$
"""
_TRIGGER = """
CREATE TRIGGER job_events_notify AFTER INSERT ON job_events
FOR EACH STATEMENT EXECUTE FUNCTION quantcloud_notify_events()
"""


def upgrade() -> None:
    """Add the tables for several servers on one database and for the removal of history."""
    op.create_table(
        "lease_owners",
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("job_id", sa.CHAR(36), sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("first_cursor", sa.BigInteger, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "removed_events",
        sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
        sa.Column("cursor", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "retention_progress",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("completed_at", sa.BigInteger, nullable=False),
        sa.Column("job_id", sa.CHAR(36), nullable=False),
    )
    create_partial_index(
        "ix_jobs_ended", "jobs", ["completed_at", "id"], "completed_at IS NOT NULL"
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_NOTIFY)
        op.execute(_TRIGGER)
