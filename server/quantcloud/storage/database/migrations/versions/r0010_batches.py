"""A watch of a batch finds out whether the batch exists."""

from quantcloud.storage.database.migrations.indexes import create_partial_index

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the index of the jobs of batches."""
    create_partial_index("ix_jobs_batch", "jobs", ["batch_id"], "batch_id IS NOT NULL")
