"""Alembic runs this module; `migrate` passes the connection, which is in a transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
context.run_migrations()
