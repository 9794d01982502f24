"""Expiring leases, idempotency keys, removal of history, notifications."""

from alembic import op
from sqlalchemy import (
    CHAR,
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    text,
)

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
        Column("owner", Text, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
        PrimaryKeyConstraint("owner", name="pk_lease_owners"),
    )
    op.create_table(
        "idempotency_keys",
        Column("account_id", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("job_id", CHAR(36), nullable=False),
        Column("first_cursor", BigInteger, nullable=False),
        Column("number", Integer, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        PrimaryKeyConstraint("account_id", "key", name="pk_idempotency_keys"),
        ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_idempotency_keys_account_id"
        ),
        ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_idempotency_keys_job_id"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "removed_events",
        Column("account_id", Text, nullable=False),
        Column("cursor", BigInteger, nullable=False),
        PrimaryKeyConstraint("account_id", name="pk_removed_events"),
        ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_removed_events_account_id"),
    )
    op.create_table(
        "retention_progress",
        Column("id", Integer, nullable=False, autoincrement=False),
        Column("completed_at", BigInteger, nullable=False),
        Column("job_id", CHAR(36), nullable=False),
        PrimaryKeyConstraint("id", name="pk_retention_progress"),
    )
    op.create_index(
        "ix_jobs_ended",
        "jobs",
        ["completed_at", "id"],
        sqlite_where=text("completed_at IS NOT NULL"),
        postgresql_where=text("completed_at IS NOT NULL"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_NOTIFY)
        op.execute(_TRIGGER)
