"""Those on call are phoned: ladders, and each call to a person."""

import sqlalchemy as sa
from alembic import op

from pbx_bridge.store.schema import UtcTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ladder",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alert", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("wrote", sa.Boolean(), nullable=False),
        sa.Column("call", sa.Integer(), nullable=True),
        sa.Column("opened_at", UtcTime(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("taken_by", sa.Text(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["call"], ["call.id"], name="fk_ladder_call", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_ladder"),
        sa.UniqueConstraint("alert", name="uq_ladder_alert"),
    )
    op.create_index("ix_ladder_call", "ladder", ["call"])
    op.create_index("ix_ladder_state", "ladder", ["state"])
    op.create_index("ix_ladder_number_opened_at", "ladder", ["number", "opened_at"])
    op.create_index("ix_ladder_opened_at", "ladder", ["opened_at"])
    op.create_table(
        "ladder_leg",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ladder", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("placed_at", UtcTime(), nullable=False),
        sa.Column("answered_at", UtcTime(), nullable=True),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ladder"], ["ladder.id"], name="fk_ladder_leg_ladder", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_ladder_leg"),
        sa.UniqueConstraint("token", name="uq_ladder_leg_token"),
    )
    op.create_index("ix_ladder_leg_ladder", "ladder_leg", ["ladder"])
