"""Old jobs may be removed with their rows; the number of those is kept for each account."""

from alembic import op
from sqlalchemy import BigInteger, Column

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the number; so far none was removed."""
    op.add_column("removed_events", Column("jobs", BigInteger, nullable=False, server_default="0"))
