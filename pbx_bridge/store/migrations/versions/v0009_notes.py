"""Notes about customers; who wrote a text by hand; tasks that ended, in the order they did."""

import sqlalchemy as sa
from alembic import op

from pbx_bridge.store.schema import UtcTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("contact", sa.Integer(), nullable=True),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact"], ["contact.id"], name="fk_note_contact", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_note"),
    )
    op.create_index("ix_note_number_at", "note", ["number", "at"])
    op.create_index("ix_note_contact_at", "note", ["contact", "at"])
    op.create_index("ix_note_at", "note", ["at"])
    op.add_column(
        "message", sa.Column("author", sa.Text(), nullable=False, server_default=sa.text("''"))
    )
    op.create_index("ix_task_closed_at", "task", ["closed_at"])
