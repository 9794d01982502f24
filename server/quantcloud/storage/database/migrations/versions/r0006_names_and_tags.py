"""Jobs have a name and tags, by which a listing finds them."""

from alembic import op
from sqlalchemy import (
    CHAR,
    BigInteger,
    Column,
    ForeignKeyConstraint,
    PrimaryKeyConstraint,
    Text,
    text,
)

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns, the table of tags, and the index of named jobs; existing jobs have none."""
    op.add_column("jobs", Column("name", Text))
    op.add_column("jobs", Column("tags", Text))
    op.create_index(
        "ix_jobs_named",
        "jobs",
        ["account_id", "submitted_at", "id"],
        sqlite_where=text("name IS NOT NULL"),
        postgresql_where=text("name IS NOT NULL"),
    )
    op.create_table(
        "job_tags",
        Column("account_id", Text, nullable=False),
        Column("tag", Text, nullable=False),
        Column("submitted_at", BigInteger, nullable=False),
        Column("job_id", CHAR(36), nullable=False),
        PrimaryKeyConstraint("account_id", "tag", "submitted_at", "job_id", name="pk_job_tags"),
        ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_tags_job_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_job_tags_job", "job_tags", ["job_id"])
