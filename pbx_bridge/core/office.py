"""An office's settings, as the policy needs them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta, tzinfo
from enum import StrEnum

from pbx_bridge.core.burst import BurstRules
from pbx_bridge.core.call import Reason
from pbx_bridge.core.hours import ALWAYS_OPEN, Hours
from pbx_bridge.core.limits import NO_BUDGET, NO_LIMITS, Budget, Limits
from pbx_bridge.core.number import normalise
from pbx_bridge.core.pricing import NO_PRICES, PriceList
from pbx_bridge.core.quiet import QuietHours
from pbx_bridge.core.rules import EVERYBODY, Rule
from pbx_bridge.core.sequence import TEXT_NOW
from pbx_bridge.core.sequence import Sequence as Plan
from pbx_bridge.core.wording import Wording


class Moment(StrEnum):
    """On which sight of a call to act, for calls that go to voicemail."""

    VOICEMAIL_ENTERED = "voicemail_entered"
    CALL_ENDED = "call_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonRule:
    """What to do about calls of one `Reason`."""

    text: bool
    template: str
    delay: timedelta
    act_on: Moment = Moment.CALL_ENDED
    translations: Mapping[str, str] = field(default_factory=dict)  #: the template by language

    def template_in(self, language: str) -> str:
        return self.translations.get(language, self.template)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRules:
    """What is different for calls to one line."""

    name: str  #: as the office calls it; may be empty
    route: tuple[str, ...]  #: gateways, in the order in which to try them
    language: str = ""  #: of its callers; empty: as for every line


@dataclass(frozen=True, slots=True)
class Holdout:
    """The share of callers who are not written to, to learn what difference that makes."""

    percent: float
    sticks_for: timedelta  #: a caller stays on one side for so long
    salt: str  #: of the office: who is held out here is not held out everywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """An office's settings, as the policy needs them."""

    office: str
    country: str  #: ISO 3166 code by which national numbers are read
    allowed_countries: frozenset[str]  #: ISO 3166 codes; empty: every country
    own_numbers: frozenset[str]  #: E.164
    blocked_numbers: frozenset[str]  #: E.164
    route: tuple[str, ...]  #: gateways, in the order in which to try them
    last_resort: str | None  #: the gateway to use when none of the others can be reached
    lines: Mapping[str, LineRules]  #: by E.164, or by what the PBX calls the line
    shadow: bool
    cooldown: timedelta  #: per caller and line
    expires_after: timedelta  #: after the end of the call
    min_ring: timedelta  #: a caller who hangs up sooner did not mean it
    max_per_hour: int
    max_per_day: int
    reasons: Mapping[Reason, ReasonRule]
    wording: Wording = field(default_factory=Wording)
    zone: tzinfo = UTC  #: the office's
    quiet: QuietHours | None = None
    limits: Limits = NO_LIMITS
    burst: BurstRules | None = None
    budget: Budget = NO_BUDGET
    prices: Mapping[str, PriceList] = field(default_factory=dict)  #: by gateway
    hours: Hours = ALWAYS_OPEN
    rulebook: Sequence[Rule] = (EVERYBODY,)  #: the first that matches wins
    sequences: Mapping[str, Plan] = field(default_factory=lambda: {TEXT_NOW.name: TEXT_NOW})
    #: Reasons that a rule names, which are so followed up even where texts are off for them.
    named_reasons: frozenset[Reason] = frozenset()
    mail_route: tuple[str, ...] = ()  #: gateways for e-mails to callers; empty: none are sent
    min_conversation: timedelta = timedelta(seconds=20)  #: a call back that ends sooner is none
    holdout: Holdout | None = None
    task_due_in: timedelta = timedelta(hours=2)
    task_expires_after: timedelta = timedelta(days=7)

    def line(self, called: str) -> LineRules | None:
        """Give what is different for calls to a line, as the PBX names it."""
        return self.lines.get(called) or self.lines.get(normalise(called, self.country) or "")

    def e164(self, called: str) -> str:
        """Give a line's number in E.164; empty if the PBX calls it by something else."""
        return normalise(called, self.country) or ""

    def route_for(self, called: str) -> tuple[str, ...]:
        """Name the gateways for texts about a line, the last resort at the end."""
        own = self.line(called)
        route = own.route if own is not None else self.route
        if self.last_resort is None or self.last_resort in route:
            return route
        return (*route, self.last_resort)

    def price(self, gateway: str, region: str, parts: int) -> int:
        """Give what a text is expected to cost, in micros; 0 if nobody said a price."""
        return self.prices.get(gateway, NO_PRICES).of(region, parts)
