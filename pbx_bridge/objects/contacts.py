"""Contacts, and what we had to do with them."""

from pbx_bridge.objects.calls import call_object
from pbx_bridge.objects.messages import consent_object, message_object, reply_object
from pbx_bridge.store.contact_history import History
from pbx_bridge.store.contacts import ContactRecord


def contact_object(record: ContactRecord) -> dict[str, object]:
    contact = record.contact
    return {
        "id": record.row_id,
        "name": contact.name,
        "company": contact.company,
        "kind": contact.kind,
        "tags": sorted(contact.tags),
        "language": contact.language,
        "zone": contact.zone,
        "email": contact.email,
        "owner": contact.owner,
        "notes": contact.notes,
        "numbers": dict(contact.numbers),
        "edited": dict(record.edited),
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }


def history_object(past: History) -> dict[str, object]:
    last = {"last_spoken": past.last_spoken, "last_written": past.last_written}
    return {
        name: None if one is None else {"at": one.at, "direction": one.direction, "by": one.by}
        for name, one in last.items()
    } | {
        "calls": [call_object(one) for one in past.calls],
        "messages": [message_object(one) for one in past.messages],
        "replies": [reply_object(one) for one in past.replies],
        "consents": [consent_object(one) for one in past.consents],
    }
