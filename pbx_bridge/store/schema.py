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
    text,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from pbx_bridge.store.reading import instant


def written(at: datetime) -> str:
    """Write an instant as it stands in a column of SQLite."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


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
        at = value.astimezone(UTC)
        if dialect.name != "sqlite":
            return at
        return written(at)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name != "sqlite":
            at: datetime = value
            return at.astimezone(UTC)
        return instant(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: Defaults stand in the database where a column came later than the first tables.
_EMPTY, _FALSE, _NONE, _NO_LIST, _NO_TABLE = text("''"), "0", "0", "[]", "{}"

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
    Column("matched_rule", Text, nullable=False, server_default=_EMPTY),
    Column("sequence", String(64), nullable=False, server_default=_EMPTY),
    Column("track", String(16), nullable=False, server_default=_EMPTY),
    Index(None, "call"),
    comment="Whether to text, and why not; which rule matched, and the sequence that it asks for",
)

message = Table(
    "message",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("call", ForeignKey("call.id", ondelete="SET NULL")),
    Column("step", String(32), nullable=False),
    Column("key", String(64), nullable=False),
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
    Column("recipient", Text, nullable=False, server_default=_EMPTY),
    Column("channel", String(8), nullable=False, server_default="sms"),
    Column("purpose", String(16), nullable=False, server_default="follow_up"),
    Column("subject", Text, nullable=False, server_default=_EMPTY),
    Column("reply", Integer),  # no foreign key: replies refer to messages
    Column("route", JSON, nullable=False, server_default=_NO_LIST),
    Column("tried", JSON, nullable=False, server_default=_NO_TABLE),
    Column("segments", Integer, nullable=False, server_default=_NONE),
    Column("region", String(3), nullable=False, server_default=_EMPTY),
    Column("stranger", Boolean, nullable=False, server_default=_FALSE),
    Column("cost_micros", Integer, nullable=False, server_default=_NONE),
    Column("priced_by", String(8), nullable=False, server_default=_EMPTY),
    Column("follow_up", Integer),  # no foreign key: a plan is forgotten before its messages
    Column("author", Text, nullable=False, server_default=_EMPTY),
    UniqueConstraint("key"),
    UniqueConstraint("call", "step"),
    Index(None, "state", "due_at"),
    Index(None, "state", "ask_at"),
    Index(None, "recipient", "created_at"),
    Index(None, "gateway", "gateway_ref"),
    Index(None, "created_at"),
    Index(None, "follow_up"),
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
    Column("gateway", String(64), nullable=False, server_default=_EMPTY),
    Index(None, "message"),
    comment="One request to a gateway, and its answer",
)

receipt = Table(
    "receipt",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("message", Integer, ForeignKey("message.id", ondelete="CASCADE")),
    Column("at", UtcTime, nullable=False),
    Column("gateway", String(64), nullable=False),
    Column("gateway_ref", Text, nullable=False),
    Column("key", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("code", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("blame", String(16), nullable=False),
    UniqueConstraint("gateway", "gateway_ref", "key", "state", "code"),
    Index(None, "message"),
    comment="What a gateway told later; `message` is NULL while it is not known which one it means",
)

reply = Table(
    "reply",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("received_at", UtcTime, nullable=False),
    Column("sent_at", UtcTime),
    Column("gateway", String(64), nullable=False),
    Column("gateway_ref", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("sender_e164", String(20)),
    Column("recipient", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("meaning", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("message", Integer, ForeignKey("message.id", ondelete="SET NULL")),
    Column("call", Integer, ForeignKey("call.id", ondelete="SET NULL")),
    UniqueConstraint("gateway", "gateway_ref"),
    Index(None, "sender_e164", "received_at"),
    Index(None, "received_at"),
    comment="What a customer wrote, and which of our texts and which call it answers",
)

consent = Table(
    "consent",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("address", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("source", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("reply", Integer, ForeignKey("reply.id", ondelete="SET NULL")),
    Column("call", Integer),  # no foreign key: the evidence outlives the call
    Index(None, "address", "id"),
    Index(None, "call"),
    comment="Who asked to be texted no more, or again, and the evidence; the last one counts",
)

correspondent = Table(
    "correspondent",
    metadata,
    Column("address", Text, primary_key=True),
    Column("gateway", String(64), nullable=False),
    Column("untextable", Text, nullable=False),
    Column("muted_until", UtcTime),
    Column("muted_why", Text, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    comment="What was learned about an address: the gateway it knows us by, that it takes no texts",
)

standing = Table(
    "standing",
    metadata,
    Column("gateway", String(64), primary_key=True),
    Column("circuit", String(16), nullable=False),
    Column("failures", Integer, nullable=False),
    Column("until", UtcTime),
    Column("reason", Text, nullable=False),
    Column("cursor", Text, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    comment="How a gateway stands: its circuit, and how far it has read what it was asked for",
)

guard = Table(
    "guard",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("until", UtcTime),
    Column("detail", Text, nullable=False),
    comment="What stops all texts for a while: the burst breaker",
)

alert = Table(
    "alert",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("kind", String(24), nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("urgent", Boolean, nullable=False),
    Column("times", Integer, nullable=False),
    Column("due_at", UtcTime),
    Column("told", Integer, nullable=False),
    Column("told_at", UtcTime),
    Column("acknowledged_at", UtcTime),
    Column("acknowledged_by", Text, nullable=False),
    Column("problem", Text, nullable=False),
    Column("reply", Integer, ForeignKey("reply.id", ondelete="SET NULL")),
    Column("recording", Integer),  # no foreign key: told or not, the recording is forgotten first
    Index(None, "due_at"),
    Index(None, "kind", "subject", "at"),
    comment="What the office's people are to be told; `due_at` is when next, NULL is never again",
)

follow_up = Table(
    "follow_up",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("call", Integer, ForeignKey("call.id", ondelete="SET NULL")),
    Column("recipient", Text, nullable=False),
    Column("line", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("sequence", String(64), nullable=False),
    Column("calls", Integer, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("last_call_at", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("stopped_at", UtcTime),
    Column("reason", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("held_out", Boolean, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index(None, "recipient", "state"),
    Index(None, "state", "last_call_at"),
    Index(None, "opened_at"),
    Index(None, "call"),
    comment="What is done about the missed calls of one caller, until it ends or is stopped",
)

planned_step = Table(
    "planned_step",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("follow_up", Integer, ForeignKey("follow_up.id", ondelete="CASCADE"), nullable=False),
    Column("n", Integer, nullable=False),
    Column("name", String(32), nullable=False),
    Column("action", String(16), nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("message", Integer),  # no foreign key: a message may be forgotten before its step
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("follow_up", "n"),
    Index(None, "state", "due_at"),
    comment="One step of a follow-up, and what became of it",
)

task = Table(
    "task",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("follow_up", Integer, ForeignKey("follow_up.id", ondelete="SET NULL")),
    Column("call", Integer, ForeignKey("call.id", ondelete="SET NULL")),
    Column("recipient", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("line", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("owner", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("due_at", UtcTime),
    Column("snoozed_until", UtcTime),
    Column("expires_at", UtcTime, nullable=False),
    Column("escalated", Integer, nullable=False),
    Column("escalated_at", UtcTime),
    Column("closed_at", UtcTime),
    Column("closed_by", Text, nullable=False),
    Column("closed_how", String(16), nullable=False),
    Column("note", Text, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index(None, "state", "due_at"),
    Index(None, "recipient", "state"),
    Index(None, "created_at"),
    Index(None, "closed_at"),
    comment="Somebody here is to speak to a caller; open until that was done, or it is too late",
)

contact = Table(
    "contact",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("company", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("tags", JSON, nullable=False),
    Column("language", String(8), nullable=False),
    Column("zone", String(64), nullable=False),
    Column("email", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("notes", Text, nullable=False),
    Column("edited", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index(None, "name"),
    Index(None, "email"),
    comment="Somebody whom the office knows; `edited` names the fields that a person set by hand",
)

contact_number = Table(
    "contact_number",
    metadata,
    Column("number", String(20), primary_key=True),
    Column("contact", Integer, ForeignKey("contact.id", ondelete="CASCADE"), nullable=False),
    Column("label", Text, nullable=False),
    Index(None, "contact"),
    comment="Whose number it is, in E.164; a number belongs to one contact",
)

contact_origin = Table(
    "contact_origin",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("contact", Integer, ForeignKey("contact.id", ondelete="CASCADE"), nullable=False),
    Column("source", String(64), nullable=False),
    Column("uid", Text, nullable=False),
    Column("etag", Text, nullable=False),
    Column("seen", JSON, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("source", "uid"),
    Index(None, "contact"),
    comment="A contact as a source last told it: what both sides' changes are compared with",
)

contact_source = Table(
    "contact_source",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("cursor", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("problem", Text, nullable=False),
    Column("tried_at", UtcTime, nullable=False),
    Column("read_at", UtcTime),
    comment="How the reading of a source of contacts stands",
)

calendar_feed = Table(
    "calendar_feed",
    metadata,
    Column("name", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("etag", Text, nullable=False),
    Column("modified", Text, nullable=False),
    Column("problem", Text, nullable=False),
    Column("tried_at", UtcTime, nullable=False),
    Column("read_at", UtcTime),
    comment="A calendar of closures as it was last read, for when it cannot be",
)

event = Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("number", Text, nullable=False),
    Column("data", JSON, nullable=False),
    UniqueConstraint("key"),
    Index(None, "at"),
    comment="What happened, as webhooks and CRMs are told it",
)

event_delivery = Table(
    "event_delivery",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("event", Integer, ForeignKey("event.id", ondelete="CASCADE"), nullable=False),
    Column("destination", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("wanted_at", UtcTime, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("detail", Text, nullable=False),
    Column("code", String(32), nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("event", "destination"),
    Index(None, "destination", "state", "event"),
    Index(None, "updated_at"),
    comment="An event on its way to one webhook or CRM; `wanted_at` is when it was first to go",
)

destination = Table(
    "destination",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failing_since", UtcTime),
    Column("until", UtcTime),
    Column("told", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    comment="How a webhook or CRM stands that events go to; `until` is before when it gets nothing",
)

crm_contact = Table(
    "crm_contact",
    metadata,
    Column("destination", String(64), nullable=False),
    Column("number", String(20), nullable=False),
    Column("remote_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("checked_at", UtcTime, nullable=False),
    PrimaryKeyConstraint("destination", "number"),
    Index(None, "number"),
    comment="Who a number is in a CRM, and the customer's status there",
)

recording = Table(
    "recording",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("call", Integer, ForeignKey("call.id", ondelete="CASCADE"), nullable=False),
    Column("mailbox", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("left_at", UtcTime, nullable=False),
    Column("path", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("state", String(16), nullable=False),
    Column("transcript", Text, nullable=False),
    Column("language", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcTime),
    Column("tell_at", UtcTime),
    Column("problem", Text, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("call"),
    Index(None, "due_at"),
    Index(None, "tell_at"),
    Index(None, "left_at"),
    comment="A voicemail message that a caller left; `tell_at` is when staff hear of it at last",
)

booking = Table(
    "booking",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False),
    Column("number", String(20), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("starts_at", UtcTime),
    Column("source", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    UniqueConstraint("key"),
    Index(None, "number", "at"),
    comment="Somebody booked an appointment",
)

astdb = Table(
    "astdb",
    metadata,
    Column("pbx", String(64), nullable=False),
    Column("family", String(32), nullable=False),
    Column("key", String(32), nullable=False),
    Column("value", Text, nullable=False),
    Column("is_put", Boolean, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    PrimaryKeyConstraint("pbx", "family", "key"),
    comment="What a PBX's AstDB is to hold of ours; no value: nothing any more, `is_put`: it does",
)

ladder = Table(
    "ladder",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("alert", Integer, nullable=False),  # no foreign key: alerts may be forgotten before
    Column("number", String(20), nullable=False),
    Column("line", Text, nullable=False),
    Column("wrote", Boolean, nullable=False),
    Column("call", Integer, ForeignKey("call.id", ondelete="SET NULL")),
    Column("opened_at", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("taken_by", Text, nullable=False),
    Column("ended_at", UtcTime),
    Column("detail", Text, nullable=False),
    UniqueConstraint("alert"),
    Index(None, "call"),
    Index(None, "state"),
    Index(None, "number", "opened_at"),
    Index(None, "opened_at"),
    comment="Those on call are phoned, one after the other, because of an urgent alert",
)

ladder_leg = Table(
    "ladder_leg",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("ladder", Integer, ForeignKey("ladder.id", ondelete="CASCADE"), nullable=False),
    Column("round", Integer, nullable=False),
    Column("place", Integer, nullable=False),
    Column("person", Text, nullable=False),
    Column("token", String(64), nullable=False),
    Column("placed_at", UtcTime, nullable=False),
    Column("answered_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("outcome", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    UniqueConstraint("token"),
    Index(None, "ladder"),
    comment="One call to one person on call; an empty outcome: under way",
)

web_user = Table(
    "web_user",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False),
    Column("display_name", Text, nullable=False),
    Column("password", Text, nullable=False),
    Column("subject", Text),
    Column("role", String(16), nullable=False),
    Column("extension", String(32), nullable=False),
    Column("language", String(8), nullable=False),
    Column("zone", Text, nullable=False),
    Column("shortcuts", Boolean, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime),
    Column("disabled_at", UtcTime),
    UniqueConstraint("name"),
    UniqueConstraint("subject"),
    comment="Who may use the page; `password` is an argon2 hash, `subject` who it is to an issuer",
)

web_session = Table(
    "web_session",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user", Integer, ForeignKey("web_user.id", ondelete="CASCADE"), nullable=False),
    Column("token", String(64), nullable=False),
    Column("former", String(64)),
    Column("csrf", String(64), nullable=False),
    Column("address", String(64), nullable=False),
    Column("agent", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("rotated_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    UniqueConstraint("token"),
    Index(None, "former"),
    Index(None, "user"),
    Index(None, "expires_at"),
    comment="A browser that is logged in; `token`, and `former` for a moment: hashes of its cookie",
)

web_invite = Table(
    "web_invite",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token", String(64), nullable=False),
    Column("user", Integer, ForeignKey("web_user.id", ondelete="CASCADE")),
    Column("name", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("used_at", UtcTime),
    UniqueConstraint("token"),
    Index(None, "user"),
    comment="A link that makes a user, or sets a user's password, once; `token` is its hash",
)

web_token = Table(
    "web_token",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False),
    Column("token", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("used_at", UtcTime),
    Column("revoked_at", UtcTime),
    UniqueConstraint("token"),
    comment="A program that may use the API; `token` is a hash, `used_at` when it last did",
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("address", String(64), nullable=False),
    Index(None, "at"),
    Index(None, "who", "at"),
    Index(None, "action", "at"),
    Index(None, "subject", "at"),
    comment="Who did what by the page, the API or `pbx-bridge users`, and from where",
)

call_back = Table(
    "call_back",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False),
    Column("token", String(64), nullable=False),
    Column("pbx", String(64), nullable=False),
    Column("task", Integer, ForeignKey("task.id", ondelete="SET NULL")),
    Column("number", String(20), nullable=False),
    Column("name", Text, nullable=False),
    Column("line", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("extension", String(32), nullable=False),
    Column("wanted_at", UtcTime, nullable=False),
    Column("answered_at", UtcTime),
    Column("rang_at", UtcTime),
    Column("talking_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("state", String(16), nullable=False),
    Column("outcome", String(24), nullable=False),
    Column("detail", Text, nullable=False),
    UniqueConstraint("key"),
    UniqueConstraint("token"),
    Index(None, "number", "wanted_at"),
    Index(None, "state"),
    Index(None, "task"),
    Index(None, "wanted_at"),
    comment="The PBX rings a colleague, then the customer; `key` is the form's, `token` the PBX's",
)

note = Table(
    "note",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("contact", Integer, ForeignKey("contact.id", ondelete="SET NULL")),
    Column("number", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("text", Text, nullable=False),
    Index(None, "number", "at"),
    Index(None, "contact", "at"),
    Index(None, "at"),
    comment="What somebody here wrote down about a customer, for the others; number as in task",
)

clock = Table(
    "clock",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("boot", String(64), nullable=False),
    Column("origin", UtcTime, nullable=False),
    comment="By what clock the times here were written: what it showed when the machine started",
)

jump = Table(
    "jump",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),  # what the clock showed just before
    Column("seconds", Float, nullable=False),  # how far it was set forward
    Column("since", UtcTime),
    comment="When the clock was set, the last few times; by these the PBX's records are dated",
)
