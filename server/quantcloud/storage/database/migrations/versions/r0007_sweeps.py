"""Jobs may have several points, whose results are written in blocks."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns and the table of blocks; existing jobs have no points."""
    op.add_column("jobs", sa.Column("points", sa.Integer))
    op.add_column("job_circuits", sa.Column("sweep", sa.LargeBinary))
    op.create_table(
        "sweep_blocks",
        sa.Column("job_id", sa.CHAR(36), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("first", sa.Integer, primary_key=True),
        sa.Column("points", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
