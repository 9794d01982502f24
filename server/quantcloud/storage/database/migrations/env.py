"""Alembic runs this module; `migrate` passes the connection, which is in a transaction."""

from alembic import context

from quantcloud.storage.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    # Its naming convention names the constraints.
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
