"""How Alembic runs here: on the connection that `Database` hands over, inside its transaction."""

from collections.abc import Collection, Mapping
from typing import Any

import structlog
from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo

from pbx_bridge.store.schema import metadata

log = structlog.get_logger()


def _tell(
    ctx: MigrationContext,  # noqa: ARG001 - alembic's signature
    step: MigrationInfo,
    heads: Collection[Any],  # noqa: ARG001
    run_args: Mapping[str, Any],  # noqa: ARG001
) -> None:
    """Say how far a migration is, but for the making of a new database."""
    if step.down_revision_ids and context.config.attributes.get("told"):
        log.info("migration_step", tables=step.up_revision_id)


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    on_version_apply=_tell,
    render_as_batch=True,  # SQLite can hardly alter a table; Alembic then copies it
)
context.run_migrations()
