"""Jobs record their last change, so that no later event of theirs gets an earlier time."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# Jobs that have ended do not change any more.
_FILL = """
UPDATE jobs SET changed_at = (
    SELECT MAX(occurred_at) FROM job_events WHERE job_events.job_id = jobs.id
) WHERE completed_at IS NULL
"""


def upgrade() -> None:
    """Add the time of the latest event to the jobs that can still change."""
    op.add_column("jobs", sa.Column("changed_at", sa.BigInteger))
    op.execute(_FILL)
