"""Who wants no texts: the list, and the evidence for every change of it."""

from datetime import datetime

from pydantic import Field
from sqlalchemy import Connection

from pbx_bridge.core.roles import Role
from pbx_bridge.objects.messages import consent_object, opt_out_object
from pbx_bridge.store import consents
from pbx_bridge.store.consents import ConsentKind, ConsentSource
from pbx_bridge.web.api import cursors
from pbx_bridge.web.api.doing import change, e164
from pbx_bridge.web.api.messages import Consent
from pbx_bridge.web.api.operation import operation
from pbx_bridge.web.api.shapes import Asked, Given, Line, PageAsked
from pbx_bridge.web.consent import write_down
from pbx_bridge.web.frame import Visit


class OptOut(Given):
    """Somebody who wants no texts."""

    number: str
    since: datetime
    source: ConsentSource
    evidence: str = Field(description="the customer's words, or who of the staff says so")


class OptOutPage(Given):
    """Who wants no texts, the newest first."""

    items: list[OptOut]
    next: str | None = Field(description="`cursor` of the page that follows; null: there is none")


class ConsentList(Given):
    """All that was ever said about texts to a number, the oldest first. The last one counts."""

    number: str
    opted_out: bool
    items: list[Consent]


class Evidence(Asked):
    """Whose wish it is, and how that is known."""

    number: Line = Field(description="a telephone number", examples=["+12125550143"])
    evidence: str = Field(
        min_length=1,
        max_length=1000,
        pattern=r"\S",
        description="who asked for it, and how; the law may ask for it",
        examples=["asked on the phone"],
    )


class WhoseConsent(Asked):
    """Whose number."""

    number: Line = Field(description="a telephone number", examples=["+12125550143"])


@operation("GET", "/opt-outs", Role.VIEWER, tag="opt-outs", refuses=(422,))
async def opt_outs(visit: Visit, query: PageAsked) -> OptOutPage:
    """List who wants no texts, the newest first."""
    below = cursors.row(query.cursor)
    found = await visit.inside.db.read(
        lambda tx: consents.everyone(tx, limit=query.limit + 1, below=below)
    )
    shown, following = cursors.cut(found, query.limit, lambda one: one.row_id or 0)
    return OptOutPage(
        items=[OptOut.model_validate(opt_out_object(one)) for one in shown],
        next=following,
    )


@operation("GET", "/opt-outs/{number}", Role.VIEWER, tag="opt-outs", refuses=(422,))
async def opt_out(visit: Visit, path: WhoseConsent) -> ConsentList:
    """Tell whether a number may be texted, and all that was said about it."""
    number = e164(visit, path.number, "path.number")
    return await visit.inside.db.read(lambda tx: _list(tx, number))


@operation("POST", "/opt-outs", Role.AGENT, tag="opt-outs", refuses=(422,))
async def add_opt_out(visit: Visit, body: Evidence) -> ConsentList:
    """Put a number on the list, and cancel what waits for it.

    A number that is on it already stays as it is.
    """
    return await _said(visit, body, ConsentKind.OPT_OUT)


@operation("POST", "/opt-ins", Role.AGENT, tag="opt-outs", refuses=(422,))
async def add_opt_in(visit: Visit, body: Evidence) -> ConsentList:
    """Take a number off the list: its owner wants texts again.

    Nothing is removed: that the owner wants them again is evidence like any other.
    """
    return await _said(visit, body, ConsentKind.OPT_IN)


async def _said(visit: Visit, body: Evidence, kind: ConsentKind) -> ConsentList:
    number = e164(visit, body.number, "body.number")

    def write(tx: Connection, now: datetime) -> ConsentList:
        endings, by = visit.inside.endings, visit.who.name
        write_down(tx, endings, number, kind, body.evidence, now=now, by=by)
        return _list(tx, number)

    found = await change(visit, f"{kind.value}.add", number, write)
    visit.inside.told()
    return found


def _list(tx: Connection, number: str) -> ConsentList:
    return ConsentList(
        number=number,
        opted_out=consents.opted_out(tx, number) is not None,
        items=[Consent.model_validate(consent_object(one)) for one in consents.history(tx, number)],
    )


OPERATIONS = (opt_outs, opt_out, add_opt_out, add_opt_in)
