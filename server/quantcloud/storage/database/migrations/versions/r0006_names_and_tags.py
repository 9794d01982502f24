"""Jobs have a name and tags, by which a listing finds them."""

import sqlalchemy as sa
from alembic import op

from quantcloud.storage.database.migrations.indexes import create_partial_index

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns, the table of tags, and the index of named jobs; existing jobs have none."""
    op.add_column("jobs", sa.Column("name", sa.Text))
    op.add_column("jobs", sa.Column("tags", sa.Text))
    create_partial_index(
        "ix_jobs_named", "jobs", ["account_id", "submitted_at", "id"], "name IS NOT NULL"
    )
    op.create_table(
        "job_tags",
        sa.Column("account_id", sa.Text, primary_key=True),
        sa.Column("tag", sa.Text, primary_key=True),
        sa.Column("submitted_at", sa.BigInteger, primary_key=True),
        sa.Column("job_id", sa.CHAR(36), sa.ForeignKey("jobs.id"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_job_tags_job", "job_tags", ["job_id"])
