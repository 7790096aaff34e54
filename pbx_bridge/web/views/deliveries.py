"""Deliveries: how gateways stand, what waits or failed, why, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge import history, writing
from pbx_bridge.core.advice import Advice, Situation, advice
from pbx_bridge.core.delivery import State
from pbx_bridge.core.limits import Spent
from pbx_bridge.core.outcomes import words
from pbx_bridge.core.pricing import from_micros
from pbx_bridge.core.roles import Role
from pbx_bridge.core.routing import SOUND, Circuit, Standing
from pbx_bridge.core.saying import say
from pbx_bridge.store import deliveries as stored
from pbx_bridge.store import messages, outbox, receipts, standings
from pbx_bridge.store.deliveries import LastRequests, Queue
from pbx_bridge.store.messages import AttemptRecord, MessageRecord, Traffic
from pbx_bridge.store.paging import Mark
from pbx_bridge.store.receipts import ReceiptRecord
from pbx_bridge.web.evidence import ANSWERS
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get, post
from pbx_bridge.web.words import STATES
from pbx_bridge.writing import NotAgain, Refused

PAGE = 25
_PATH = "/deliveries"
_MESSAGE = r"/deliveries/messages/{message:\d{1,18}}"
_DAY = timedelta(days=1)
#: What can be looked at, by name: states of messages.
_TABS: Mapping[str, frozenset[State]] = {
    "waiting": frozenset({State.QUEUED, State.SENDING}),
    "failed": frozenset({State.FAILED, State.UNDELIVERED, State.EXPIRED}),
    "uncertain": frozenset({State.UNCERTAIN}),
    "all": frozenset(State),
}
#: Can still be kept from going.
CANCELLABLE = frozenset({State.QUEUED, State.UNCERTAIN})


@dataclass(frozen=True, slots=True)
class _Gateway:
    """A gateway as it is shown."""

    name: str
    kind: str
    standing: Standing
    traffic: Traffic
    queue: Queue
    last: LastRequests

    @property
    def is_used(self) -> bool:
        return self.standing.circuit is Circuit.CLOSED

    @property
    def cost(self) -> float:
        return float(from_micros(self.traffic.cost_micros))


@dataclass(frozen=True, slots=True)
class _Shown:
    """A message with what can be done about it."""

    row: MessageRecord
    advice: Advice


@dataclass(frozen=True, slots=True)
class _Whole:
    """All that is known of one message."""

    row: MessageRecord
    attempts: list[AttemptRecord]
    receipts: list[ReceiptRecord]
    situation: Situation
    may_go_again: bool


async def index(visit: Visit) -> web.Response:
    """Show gateways, and messages that wait, failed or are uncertain."""
    tab = visit.query.get("show", "waiting")
    if tab not in _TABS:
        raise web.HTTPNotFound
    mark = _mark(visit.query.get("before", ""))
    rules, config = visit.inside.rules(), visit.inside.config()

    def read(
        tx: Connection,
    ) -> tuple[list[_Gateway], Spent, dict[State, int], list[_Shown], bool]:
        standing, traffic = standings.everyone(tx), messages.traffic(tx, visit.now - _DAY)
        queues, last = stored.queues(tx), stored.last_requests(tx)
        gateways = [
            _Gateway(
                name,
                configured.kind,
                standing.get(name, SOUND),
                traffic.get(name, Traffic()),
                queues.get(name, Queue()),
                last.get(name, LastRequests()),
            )
            for name, configured in config.gateways.items()
        ]
        rows = stored.in_states(tx, _TABS[tab], limit=PAGE + 1, mark=mark)
        shown = [_Shown(row, advice(stored.situation(tx, row))) for row in rows[:PAGE]]
        spent = history.spending(tx, rules, visit.now)
        return gateways, spent, stored.counts(tx), shown, len(rows) > PAGE

    gateways, spent, counts, shown, has_more = await visit.inside.db.read(read)
    budget = rules.budget
    after = None
    if has_more:
        last_row = shown[-1].row
        before = f"{last_row.created_at.isoformat()}~{last_row.message_id}"
        after = visit.url(f"{_PATH}?{urlencode({'show': tab, 'before': before})}")
    return visit.page(
        "deliveries.html",
        title=visit.gettext("Deliveries"),
        gateways=gateways,
        spending=[
            (visit.gettext("24 hours"), spent.day, budget.per_day),
            (visit.gettext("This month"), spent.month, budget.per_month),
        ],
        amount=lambda micros: float(from_micros(micros)),
        currency=config.spending.currency,
        shadow=rules.shadow,
        tabs=_tabs(visit, counts),
        tab=tab,
        shown=shown,
        states=_states(visit),
        advised=_advised(visit),
        said=partial(said, visit),
        newest=visit.url(f"{_PATH}?show={tab}") if mark is not None else None,
        after=after,
        here=visit.url(
            f"{_PATH}?{urlencode({'show': tab, 'before': visit.query.get('before', '')})}"
        ),
    )


async def show(visit: Visit) -> web.Response:
    """Show one message: every request to a gateway about it, and every receipt."""
    row_id = _row(visit)

    def read(tx: Connection) -> _Whole:
        row = _existing(tx, row_id)
        return _Whole(
            row,
            messages.attempts_of(tx, [row_id]),
            receipts.of_messages(tx, [row_id]),
            stored.situation(tx, row),
            row_id in writing.may_go_again(tx, [row]),
        )

    whole = await visit.inside.db.read(read)
    row = whole.row
    return visit.page(
        "delivery.html",
        title=visit.gettext("Message %d") % row_id,
        row=row,
        attempts=whole.attempts,
        receipts=whole.receipts,
        advice=advice(whole.situation),
        advised=_advised(visit),
        states=_states(visit),
        said=partial(said, visit),
        outcomes=_outcomes(visit),
        cost=float(from_micros(row.cost_micros)),
        currency=visit.inside.config().spending.currency,
        can_cancel=row.state in CANCELLABLE,
        can_go_again=whole.may_go_again,
    )


async def cancel(visit: Visit) -> web.Response:
    """Keep a message from going, or from being asked about."""
    row_id = _row(visit)

    def write(tx: Connection) -> bool:
        row = _existing(tx, row_id)
        by = say("cancelled by {who}", who=visit.who.name)
        done = outbox.cancel(tx, row_id, visit.now, "by_hand", by)
        if done:
            visit.audit(tx, "message.cancel", row.to, f"message {row_id}")
        return done

    done = await visit.inside.db.run(write)
    return visit.to(
        f"{_PATH}/messages/{row_id}",
        notice=visit.gettext("Cancelled: it will not be sent.")
        if done
        else visit.gettext("Too late: it does not wait any more."),
    )


async def again(visit: Visit) -> web.Response:
    """Send a text that failed once more: a message of its own, which is shown."""
    row_id = _row(visit)
    rules, by = visit.inside.rules(), visit.who.name

    def write(tx: Connection) -> int:
        failed = _existing(tx, row_id)
        made = writing.again(tx, rules, row_id, visit.now, by=by)
        visit.audit(tx, "message.again", failed.to, f"message {row_id} as {made}")
        return made

    try:
        made = await visit.inside.db.run(write)
    except NotAgain:
        notice = visit.gettext("That text cannot be sent again, or was already.")
        return visit.to(f"{_PATH}/messages/{row_id}", notice=notice)
    except Refused as refused:
        notice = visit.gettext("It may not go now: %s") % visit.told(str(refused))
        return visit.to(f"{_PATH}/messages/{row_id}", notice=notice)
    visit.inside.queued()
    notice = visit.gettext("This is the new attempt, a message of its own.")
    return visit.to(f"{_PATH}/messages/{made}", notice=notice)


async def use_again(visit: Visit) -> web.Response:
    """Use a gateway again now: it was mended. What waits for it is tried at once."""
    name = (await visit.form())["gateway"]
    if name not in visit.inside.config().gateways:
        raise web.HTTPNotFound

    def write(tx: Connection) -> None:
        standings.save(tx, name, SOUND, visit.now)
        outbox.circuit_closed(tx, visit.now)
        visit.audit(tx, "gateway.use", name)

    await visit.inside.db.run(write)
    visit.inside.queued()
    return visit.to(_PATH, notice=visit.gettext("%s is used again.") % name)


ROUTES = (
    get(_PATH, index),
    get(_MESSAGE, show),
    post(f"{_MESSAGE}/cancel", cancel),
    post(f"{_MESSAGE}/again", again),
    post(f"{_PATH}/gateways/use", use_again, Role.ADMIN),
)


# -------------------------------------------------------------------------------------------


def said(visit: Visit, row: MessageRecord) -> str:
    """Say in plain words how it came to be as it is."""
    told = (words(row.code), row.detail) if row.state is State.CANCELLED else (row.detail,)
    return ": ".join(visit.told(one) for one in told if one)


def _row(visit: Visit) -> int:
    return int(visit.request.match_info["message"])


def _existing(tx: Connection, row_id: int) -> MessageRecord:
    row = messages.get(tx, row_id)
    if row is None:
        raise web.HTTPNotFound
    return row


def _mark(text: str) -> Mark | None:
    at, _, row = text.partition("~")
    try:
        return Mark(datetime.fromisoformat(at).astimezone(UTC), int(row[:18])) if text else None
    except (ValueError, OverflowError):
        raise web.HTTPBadRequest from None


def _tabs(visit: Visit, counts: Mapping[State, int]) -> list[tuple[str, str, int]]:
    names = {
        "waiting": visit.gettext("Waiting"),
        "failed": visit.gettext("Failed"),
        "uncertain": visit.gettext("Uncertain"),
        "all": visit.gettext("All"),
    }
    return [
        (tab, names[tab], sum(counts.get(state, 0) for state in states))
        for tab, states in _TABS.items()
    ]


def _states(visit: Visit) -> dict[State, tuple[str, str]]:
    """Give the kind of badge and the words for each state."""
    return {state: (kind, visit.gettext(word)) for state, (kind, word) in STATES.items()}


def _outcomes(visit: Visit) -> dict[str, str]:
    return {answer: visit.gettext(word) for answer, word in ANSWERS.items()}


def _advised(visit: Visit) -> dict[Advice, str]:
    return {
        Advice.NOTHING: "",
        Advice.WAIT: visit.gettext("Nothing to do: it goes by itself."),
        Advice.CIRCUIT: visit.gettext(
            "It goes as soon as the gateway is used again; see there what has to be mended."
        ),
        Advice.ASKED: visit.gettext("Nothing to do: the gateway will be asked whether it has it."),
        Advice.PERHAPS: visit.gettext(
            "It was perhaps sent, and is never sent again by itself. Look it up at the provider, or"
            " call the customer."
        ),
        Advice.CALL: visit.gettext("This number can get no texts: call instead."),
        Advice.STOPPED: visit.gettext(
            "The recipient wants no texts. Only they can change that, by writing START."
        ),
        Advice.WORDS: visit.gettext(
            "A carrier took it for spam: look at the words of the template, links above all."
        ),
        Advice.MACHINE: visit.gettext("A machine answers there; it gets no texts for a day."),
        Advice.GATEWAY: visit.gettext(
            "Mend account, registration or credentials at the provider, then use the gateway again."
        ),
        Advice.TOO_LATE: visit.gettext(
            "It was not sent before it was of no use any more: call the customer."
        ),
        Advice.REFUSED: visit.gettext(
            "The gateway refused this one; the reason stands beside it. Call, or write anew."
        ),
    }
