"""Alembic runs this module; the connection, in its transaction, comes from `migrate`."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
context.run_migrations()
