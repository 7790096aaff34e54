"""Consents that a key gave in a call; what was put into a PBX's AstDB."""

import sqlalchemy as sa
from alembic import op

from pbx_bridge.store.schema import UtcTime

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("consent", sa.Column("call", sa.Integer(), nullable=True))
    op.create_index("ix_consent_call", "consent", ["call"])
    op.create_table(
        "astdb",
        sa.Column("pbx", sa.String(64), nullable=False),
        sa.Column("family", sa.String(32), nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("is_put", sa.Boolean(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("pbx", "family", "key", name="pk_astdb"),
    )
