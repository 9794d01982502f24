"""Jobs may have several points, whose results are written in blocks."""

from alembic import op
from sqlalchemy import (
    CHAR,
    Column,
    Double,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
)

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns and the table of blocks; existing jobs have no points."""
    op.add_column("jobs", Column("points", Integer))
    op.add_column("job_circuits", Column("sweep", LargeBinary))
    op.create_table(
        "sweep_blocks",
        Column("job_id", CHAR(36), nullable=False),
        Column("first", Integer, nullable=False),
        Column("points", Integer, nullable=False),
        Column("seconds", Double, nullable=False),
        Column("data", LargeBinary, nullable=False),
        PrimaryKeyConstraint("job_id", "first", name="pk_sweep_blocks"),
        ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_sweep_blocks_job_id"),
    )
