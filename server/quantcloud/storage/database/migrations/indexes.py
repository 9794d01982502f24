"""The partial indexes of migrations."""

from collections.abc import Sequence

from alembic import op
from sqlalchemy import text


def create_partial_index(
    name: str, table: str, columns: Sequence[str], where: str, *, unique: bool = False
) -> None:
    """Create an index of the rows that fulfil the condition `where`, on either database."""
    condition = text(where)
    op.create_index(
        name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition
    )
