"""A colleague has the PBX call a customer back: each such call, and what came of it."""

import sqlalchemy as sa
from alembic import op

from pbx_bridge.store.schema import UtcTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "call_back",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("pbx", sa.String(64), nullable=False),
        sa.Column("task", sa.Integer(), nullable=True),
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("extension", sa.String(32), nullable=False),
        sa.Column("wanted_at", UtcTime(), nullable=False),
        sa.Column("answered_at", UtcTime(), nullable=True),
        sa.Column("rang_at", UtcTime(), nullable=True),
        sa.Column("talking_at", UtcTime(), nullable=True),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(24), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["task"], ["task.id"], name="fk_call_back_task", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_call_back"),
        sa.UniqueConstraint("key", name="uq_call_back_key"),
        sa.UniqueConstraint("token", name="uq_call_back_token"),
    )
    op.create_index("ix_call_back_number_wanted_at", "call_back", ["number", "wanted_at"])
    op.create_index("ix_call_back_state", "call_back", ["state"])
    op.create_index("ix_call_back_task", "call_back", ["task"])
    op.create_index("ix_call_back_wanted_at", "call_back", ["wanted_at"])
