"""Events of one job that are written together share one row."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column for the earlier events of a row; existing events keep their own rows."""
    op.add_column("job_events", sa.Column("earlier", sa.Text))
