"""How Alembic runs here: on the connection that `Database` hands over, inside its transaction."""

from alembic import context

from pbx_bridge.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite can hardly alter a table; Alembic then copies it
)
context.run_migrations()
