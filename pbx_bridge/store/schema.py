"""The tables. `migrations/` brings a file to this state; a test proves that the two agree."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator, TypeEngine


class UtcTime(TypeDecorator[datetime]):
    """An instant: aware in Python, and in SQLite text such as `2026-11-23T15:04:05.123456Z`.

    Such text is read by people and sorts as the instants do. Elsewhere it is a `timestamptz`.
    """

    impl = String(27)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(27))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse a naive time: nobody could say which instant it means."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone cannot be stored: {value!r}")
        instant = value.astimezone(UTC)
        if dialect.name != "sqlite":
            return instant
        return instant.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name != "sqlite":
            instant: datetime = value
            return instant.astimezone(UTC)
        return datetime.fromisoformat(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

pbx = Table(
    "pbx",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("boot", String(128), nullable=False),
    Column("feed", String(16), nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    comment="A phone system that is watched, and how its feed stands",
)

gap = Table(
    "gap",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("pbx", String(64), nullable=False),
    Column("began", UtcTime, nullable=False),
    Column("ended", UtcTime),
    Column("reason", Text, nullable=False),
    Index(None, "pbx", "began"),
    comment="A time in which nothing was seen",
)

call = Table(
    "call",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("pbx", String(64), nullable=False),
    Column("boot", String(128), nullable=False),
    Column("call_id", String(150), nullable=False),
    Column("began", UtcTime, nullable=False),
    Column("answered_at", UtcTime),
    Column("ended", UtcTime),
    Column("disposition", String(16), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("caller_raw", Text, nullable=False),
    Column("caller_e164", String(20)),
    Column("caller_name", Text, nullable=False),
    Column("withheld", Boolean, nullable=False),
    Column("line", Text, nullable=False),
    Column("trunk", Text, nullable=False),
    Column("answered_by", Text, nullable=False),
    Column("hung_up_by", String(16), nullable=False),
    Column("ring_seconds", Float, nullable=False),
    Column("voicemail_seconds", Float, nullable=False),
    Column("mailbox", Text, nullable=False),
    Column("queue", Text),
    Column("queue_position", Integer),
    Column("queue_wait_seconds", Float),
    Column("rung", JSON, nullable=False),
    Column("source", String(16), nullable=False),
    UniqueConstraint("pbx", "boot", "call_id"),
    Index(None, "began"),
    Index(None, "call_id"),
    Index(None, "caller_e164", "began"),
    Index(None, "pbx", "ended"),
    comment="An inbound external call; `ended` is NULL while it lives",
)

step = Table(
    "step",
    metadata,
    Column("call", ForeignKey("call.id", ondelete="CASCADE"), nullable=False),
    Column("n", Integer, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("kind", String(24), nullable=False),
    Column("who", Text, nullable=False),
    Column("detail", Text, nullable=False),
    PrimaryKeyConstraint("call", "n"),
    comment="One piece of evidence in a call's timeline",
)

outbound_call = Table(
    "outbound_call",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("pbx", String(64), nullable=False),
    Column("boot", String(128), nullable=False),
    Column("call_id", String(150), nullable=False),
    Column("dialled", Text, nullable=False),
    Column("began", UtcTime, nullable=False),
    Column("answered_at", UtcTime),
    Column("ended", UtcTime),
    UniqueConstraint("pbx", "boot", "call_id"),
    Index(None, "began"),
    Index(None, "answered_at"),
    Index(None, "ended"),
    comment="Somebody here rang an outside number",
)

decision = Table(
    "decision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("call", ForeignKey("call.id", ondelete="CASCADE"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("moment", String(24), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("rule", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("checks", JSON, nullable=False),
    Index(None, "call"),
    comment="Whether to text, and why not",
)

message = Table(
    "message",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("call", ForeignKey("call.id", ondelete="SET NULL")),
    Column("step", String(32), nullable=False),
    Column("key", String(64), nullable=False),
    Column("to_e164", String(20), nullable=False),
    Column("body", Text, nullable=False),
    Column("gateway", String(64), nullable=False),
    Column("line", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("ask_at", UtcTime),
    Column("state", String(16), nullable=False),
    Column("shadow", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lookups", Integer, nullable=False),
    Column("gateway_ref", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("code", String(32), nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("key"),
    UniqueConstraint("call", "step"),
    Index(None, "state", "due_at"),
    Index(None, "state", "ask_at"),
    Index(None, "to_e164", "created_at"),
    Index(None, "created_at"),
    comment="A text on its way; `ask_at` is when to ask the gateway about its unknown fate",
)

attempt = Table(
    "attempt",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("message", ForeignKey("message.id", ondelete="CASCADE"), nullable=False),
    Column("n", Integer, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("code", String(32), nullable=False),
    Column("gateway_ref", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Index(None, "message"),
    comment="One request to a gateway, and its answer",
)
