"""Migrations, which Alembic runs at start.

To add one, write a module in `versions` that names the previous revision in `down_revision`, and
set `HEAD` to its revision. Never change a released migration. There are no downgrades.
"""

HEAD = "0010"
