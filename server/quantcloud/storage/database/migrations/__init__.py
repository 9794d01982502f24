"""Migrations, run by Alembic at start.

A new one is a module in `versions` that names the one before it in `down_revision`; `HEAD` then
becomes its revision. A released one is never changed. They go forward only.
"""

HEAD = "0005"
