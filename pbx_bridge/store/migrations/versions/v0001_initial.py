"""The first tables."""

import sqlalchemy as sa
from alembic import op

from pbx_bridge.store.schema import UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "call",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pbx", sa.String(length=64), nullable=False),
        sa.Column("boot", sa.String(length=128), nullable=False),
        sa.Column("call_id", sa.String(length=150), nullable=False),
        sa.Column("began", UtcTime(), nullable=False),
        sa.Column("answered_at", UtcTime(), nullable=True),
        sa.Column("ended", UtcTime(), nullable=True),
        sa.Column("disposition", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("caller_raw", sa.Text(), nullable=False),
        sa.Column("caller_e164", sa.String(length=20), nullable=True),
        sa.Column("caller_name", sa.Text(), nullable=False),
        sa.Column("withheld", sa.Boolean(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("trunk", sa.Text(), nullable=False),
        sa.Column("answered_by", sa.Text(), nullable=False),
        sa.Column("hung_up_by", sa.String(length=16), nullable=False),
        sa.Column("ring_seconds", sa.Float(), nullable=False),
        sa.Column("voicemail_seconds", sa.Float(), nullable=False),
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=True),
        sa.Column("queue_position", sa.Integer(), nullable=True),
        sa.Column("queue_wait_seconds", sa.Float(), nullable=True),
        sa.Column("rung", sa.JSON(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call")),
        sa.UniqueConstraint("pbx", "boot", "call_id", name=op.f("uq_call_pbx_boot_call_id")),
        comment="An inbound external call; `ended` is NULL while it lives",
    )
    with op.batch_alter_table("call") as batch_op:
        batch_op.create_index(batch_op.f("ix_call_began"), ["began"])
        batch_op.create_index(batch_op.f("ix_call_call_id"), ["call_id"])
        batch_op.create_index(batch_op.f("ix_call_caller_e164_began"), ["caller_e164", "began"])
        batch_op.create_index(batch_op.f("ix_call_pbx_ended"), ["pbx", "ended"])

    op.create_table(
        "gap",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pbx", sa.String(length=64), nullable=False),
        sa.Column("began", UtcTime(), nullable=False),
        sa.Column("ended", UtcTime(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gap")),
        comment="A time in which nothing was seen",
    )
    with op.batch_alter_table("gap") as batch_op:
        batch_op.create_index(batch_op.f("ix_gap_pbx_began"), ["pbx", "began"])

    op.create_table(
        "outbound_call",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pbx", sa.String(length=64), nullable=False),
        sa.Column("boot", sa.String(length=128), nullable=False),
        sa.Column("call_id", sa.String(length=150), nullable=False),
        sa.Column("dialled", sa.Text(), nullable=False),
        sa.Column("began", UtcTime(), nullable=False),
        sa.Column("answered_at", UtcTime(), nullable=True),
        sa.Column("ended", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbound_call")),
        sa.UniqueConstraint(
            "pbx", "boot", "call_id", name=op.f("uq_outbound_call_pbx_boot_call_id")
        ),
        comment="Somebody here rang an outside number",
    )
    with op.batch_alter_table("outbound_call") as batch_op:
        batch_op.create_index(batch_op.f("ix_outbound_call_answered_at"), ["answered_at"])
        batch_op.create_index(batch_op.f("ix_outbound_call_began"), ["began"])
        batch_op.create_index(batch_op.f("ix_outbound_call_ended"), ["ended"])

    op.create_table(
        "pbx",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("boot", sa.String(length=128), nullable=False),
        sa.Column("feed", sa.String(length=16), nullable=False),
        sa.Column("seen_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pbx")),
        comment="A phone system that is watched, and how its feed stands",
    )
    op.create_table(
        "decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("call", sa.Integer(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("moment", sa.String(length=24), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("checks", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["call"], ["call.id"], name=op.f("fk_decision_call"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
        comment="Whether to text, and why not",
    )
    with op.batch_alter_table("decision") as batch_op:
        batch_op.create_index(batch_op.f("ix_decision_call"), ["call"])

    op.create_table(
        "message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("call", sa.Integer(), nullable=True),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("to_e164", sa.String(length=20), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("gateway", sa.String(length=64), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("due_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("ask_at", UtcTime(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("shadow", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lookups", sa.Integer(), nullable=False),
        sa.Column("gateway_ref", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["call"], ["call.id"], name=op.f("fk_message_call"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("call", "step", name=op.f("uq_message_call_step")),
        sa.UniqueConstraint("key", name=op.f("uq_message_key")),
        comment="A text on its way; `ask_at` is when to ask the gateway about its unknown fate",
    )
    with op.batch_alter_table("message") as batch_op:
        batch_op.create_index(batch_op.f("ix_message_created_at"), ["created_at"])
        batch_op.create_index(batch_op.f("ix_message_state_ask_at"), ["state", "ask_at"])
        batch_op.create_index(batch_op.f("ix_message_state_due_at"), ["state", "due_at"])
        batch_op.create_index(
            batch_op.f("ix_message_to_e164_created_at"), ["to_e164", "created_at"]
        )

    op.create_table(
        "step",
        sa.Column("call", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["call"], ["call.id"], name=op.f("fk_step_call"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("call", "n", name=op.f("pk_step")),
        comment="One piece of evidence in a call's timeline",
    )
    op.create_table(
        "attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("gateway_ref", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message"], ["message.id"], name=op.f("fk_attempt_message"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
        comment="One request to a gateway, and its answer",
    )
    with op.batch_alter_table("attempt") as batch_op:
        batch_op.create_index(batch_op.f("ix_attempt_message"), ["message"])
