"""Events of one job that are written together have one row."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add what a row says of the events before its own; those that there are have their rows."""
    op.add_column("job_events", Column("earlier", Text))
