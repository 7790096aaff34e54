"""By what clock the times in it were written, and when that was set."""

import sqlalchemy as sa
from alembic import op

from pbx_bridge.store.schema import UtcTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "clock",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("boot", sa.String(64), nullable=False),
        sa.Column("origin", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_clock"),
    )
    op.create_table(
        "jump",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("since", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_jump"),
    )
