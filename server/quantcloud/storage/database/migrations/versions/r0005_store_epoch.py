"""A database has an id, its epoch."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the table of the epoch; the first start fills it."""
    op.create_table(
        "store_epoch",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.LargeBinary, nullable=False),
    )
