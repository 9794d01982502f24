"""A database has an id, its epoch."""

from alembic import op
from sqlalchemy import Column, Integer, LargeBinary, PrimaryKeyConstraint

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the table of the epoch; the first start fills it."""
    op.create_table(
        "store_epoch",
        Column("id", Integer, nullable=False, autoincrement=False),
        Column("epoch", LargeBinary, nullable=False),
        PrimaryKeyConstraint("id", name="pk_store_epoch"),
    )
