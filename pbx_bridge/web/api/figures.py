"""Figures: whether following up on missed calls wins callers back."""

from datetime import UTC, datetime, timedelta

from pydantic import Field
from sqlalchemy import Connection

from pbx_bridge.core.recovery import GroupedBy, Report, report, slices
from pbx_bridge.core.roles import Role
from pbx_bridge.objects.figures import comparison_object, figures_object
from pbx_bridge.store import figures as stored
from pbx_bridge.web.api.operation import operation
from pbx_bridge.web.api.problems import Refusal
from pbx_bridge.web.api.shapes import Asked, Given, Instant
from pbx_bridge.web.frame import Visit

_USUAL_SPAN = timedelta(days=30)
#: Further back it takes longer than somebody waits.
LONGEST_SPAN = timedelta(days=400)
#: Nobody was missed before this; the calendar of computers begins not long before.
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


class Ways(Given):
    """By what first callers were won back."""

    conversation: int
    reply: int
    booking: int


class Group(Given):
    """What came of some missed callers."""

    callers: int
    recovered: int
    recovered_share: float
    recovered_interval: tuple[float, float] = Field(description="with 95 % confidence")
    by: Ways
    may_yet: int = Field(description="their time is not over")
    texted: int
    replied: int
    opted_out: int
    seconds_to_text_p50: float | None
    seconds_to_text_p95: float | None


class NamedGroup(Group):
    """What came of the missed callers of one line, reason or hour."""

    group: str


class Side(Given):
    callers: int
    count: int


class Compared(Given):
    """Callers who were followed up on, and callers who were held out."""

    treated: Side
    held_out: Side
    difference: float
    difference_interval: tuple[float, float] = Field(description="with 95 % confidence")
    enough: bool = Field(description="whether there are enough callers to say so")
    in_words: str


class FiguresShown(Given):
    """What came of the callers who were missed in some time."""

    since: datetime
    until: datetime
    definition: str = Field(description="what counts as recovered")
    total: Group
    groups: list[NamedGroup]
    compared: Compared | None = Field(description="null: nobody is held out")
    compared_without_replies: Compared | None


class FiguresAsked(Asked):
    """Of which time, in which groups."""

    since: Instant | None = Field(default=None, description="left out: 30 days before `until`")
    until: Instant | None = Field(default=None, description="left out: now")
    by: GroupedBy | None = Field(default=None, description="in groups")


@operation("GET", "/figures", Role.VIEWER, tag="figures", refuses=(422,))
async def figures(visit: Visit, query: FiguresAsked) -> FiguresShown:
    """Tell how many missed callers were won back, by what, and how sure that is."""
    until = max(min(query.until or visit.now, visit.now), BEGINNING)
    since = max(query.since or until - _USUAL_SPAN, BEGINNING)
    if since > until:
        raise Refusal(422, "query.since: after the end; a time before `until` and now is wanted")
    if until - since > LONGEST_SPAN:
        raise Refusal(422, f"query.since: too long ago; at most {LONGEST_SPAN.days} days")
    definition = visit.inside.config().recovery.definition()

    def read(tx: Connection) -> Report:
        sliced = slices(since, until, query.by, visit.office_zone)
        cohorts = stored.cohorts(tx, sliced.cuts, visit.now, definition)
        return report(cohorts, by=query.by, of=sliced)

    told = await visit.inside.db.survey(read)
    compares = bool(told.comparison.held_out.of)
    return FiguresShown(
        since=since,
        until=until,
        definition=str(definition),
        total=Group.model_validate(figures_object(told.total)),
        groups=[
            NamedGroup.model_validate({"group": name, **figures_object(group)})
            for name, group in told.groups
        ],
        compared=Compared.model_validate(comparison_object(told.comparison)) if compares else None,
        compared_without_replies=Compared.model_validate(comparison_object(told.replies_aside))
        if compares
        else None,
    )


OPERATIONS = (figures,)
