"""Old jobs may be removed with their rows; the number of those is kept for each account."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the number; so far none was removed."""
    op.add_column(
        "removed_events", sa.Column("jobs", sa.BigInteger, nullable=False, server_default="0")
    )
