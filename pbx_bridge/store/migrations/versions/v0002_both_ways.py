"""Receipts, replies, opt-outs, gateways in order, alerts.

`message` is altered column by column: were it copied, as SQLite's other changes need, dropping the
old one would take the attempts with it.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from pbx_bridge.store.schema import UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

EMPTY = sa.text("''")


def upgrade() -> None:
    _new_tables()
    _message()
    op.add_column("attempt", _new_column("gateway", sa.String(64)))
    op.execute(
        "UPDATE attempt SET gateway = (SELECT gateway FROM message WHERE id = attempt.message)"
    )


def _message() -> None:
    op.add_column("message", _new_column("recipient", sa.Text()))
    op.execute("UPDATE message SET recipient = to_e164")
    op.drop_index("ix_message_to_e164_created_at", "message")
    op.execute("ALTER TABLE message DROP COLUMN to_e164")
    op.add_column("message", _new_column("channel", sa.String(8), "sms"))
    op.add_column("message", _new_column("purpose", sa.String(16), "follow_up"))
    op.execute("UPDATE message SET purpose = 'test' WHERE step = 'test'")
    op.add_column("message", _new_column("subject", sa.Text()))
    op.add_column("message", sa.Column("reply", sa.Integer(), nullable=True))
    op.add_column("message", _new_column("route", sa.JSON(), "[]"))
    op.execute("UPDATE message SET route = json_array(gateway)")
    op.add_column("message", _new_column("tried", sa.JSON(), "{}"))
    op.add_column("message", _new_column("segments", sa.Integer(), "0"))
    op.add_column("message", _new_column("region", sa.String(3)))
    op.add_column("message", _new_column("stranger", sa.Boolean(), "0"))
    op.add_column("message", _new_column("cost_micros", sa.Integer(), "0"))
    op.add_column("message", _new_column("priced_by", sa.String(8)))
    op.create_index("ix_message_recipient_created_at", "message", ["recipient", "created_at"])
    op.create_index("ix_message_gateway_gateway_ref", "message", ["gateway", "gateway_ref"])


def _new_column(
    name: str, kind: sa.types.TypeEngine[Any], default: str | sa.TextClause = EMPTY
) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, server_default=default)


def _new_tables() -> None:
    op.create_table(
        "reply",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.Column("sent_at", UtcTime(), nullable=True),
        sa.Column("gateway", sa.String(64), nullable=False),
        sa.Column("gateway_ref", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("sender_e164", sa.String(20), nullable=True),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("meaning", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("message", sa.Integer(), nullable=True),
        sa.Column("call", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message"], ["message.id"], name="fk_reply_message", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["call"], ["call.id"], name="fk_reply_call", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_reply"),
        sa.UniqueConstraint("gateway", "gateway_ref", name="uq_reply_gateway_gateway_ref"),
    )
    op.create_index("ix_reply_sender_e164_received_at", "reply", ["sender_e164", "received_at"])
    op.create_index("ix_reply_received_at", "reply", ["received_at"])
    op.create_table(
        "receipt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message", sa.Integer(), nullable=True),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("gateway", sa.String(64), nullable=False),
        sa.Column("gateway_ref", sa.Text(), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("blame", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(
            ["message"], ["message.id"], name="fk_receipt_message", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_receipt"),
        sa.UniqueConstraint(
            "gateway",
            "gateway_ref",
            "key",
            "state",
            "code",
            name="uq_receipt_gateway_gateway_ref_key_state_code",
        ),
    )
    op.create_index("ix_receipt_message", "receipt", ["message"])
    op.create_table(
        "consent",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("reply", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["reply"], ["reply.id"], name="fk_consent_reply", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_consent"),
    )
    op.create_index("ix_consent_address_id", "consent", ["address", "id"])
    op.create_table(
        "correspondent",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("gateway", sa.String(64), nullable=False),
        sa.Column("untextable", sa.Text(), nullable=False),
        sa.Column("muted_until", UtcTime(), nullable=True),
        sa.Column("muted_why", sa.Text(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("address", name="pk_correspondent"),
    )
    op.create_table(
        "standing",
        sa.Column("gateway", sa.String(64), nullable=False),
        sa.Column("circuit", sa.String(16), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("until", UtcTime(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("gateway", name="pk_standing"),
    )
    op.create_table(
        "guard",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.Column("until", UtcTime(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_guard"),
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcTime(), nullable=True),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.Column("told_at", UtcTime(), nullable=True),
        sa.Column("acknowledged_at", UtcTime(), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("reply", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["reply"], ["reply.id"], name="fk_alert_reply", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_alert"),
    )
    op.create_index("ix_alert_due_at", "alert", ["due_at"])
    op.create_index("ix_alert_kind_subject_at", "alert", ["kind", "subject", "at"])
