"""What can be configured: one class for each section of the file.

Descriptions and examples of the fields are what mistakes are explained with.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    InstanceOf,
    ValidationInfo,
    field_validator,
)

from pbx_bridge import gateways, ports
from pbx_bridge.calendar_feed import NO_CLOSURES, Closures, Feed
from pbx_bridge.call_back import Settings as CallingBack
from pbx_bridge.certificates import OptionalTls
from pbx_bridge.clock import utc_now
from pbx_bridge.config.alerting import Alerts
from pbx_bridge.config.announcing import Announcing
from pbx_bridge.config.call_back import CallBackSettings
from pbx_bridge.config.connectors import ConfiguredConnector
from pbx_bridge.config.contacts import Contacts
from pbx_bridge.config.dialplan import DialplanSettings
from pbx_bridge.config.hours import (
    Openings,
    Site,
    feed_name,
    feeds,
    schedule,
    unknown_holiday,
)
from pbx_bridge.config.ladder import LadderSettings
from pbx_bridge.config.limits import BurstSettings, LimitSettings, QuietHoursSettings
from pbx_bridge.config.opening import OpeningHours
from pbx_bridge.config.recovery import BookingSettings, Recovery
from pbx_bridge.config.rules import NOTHING, RuleTables, SequenceTables, all_sequences, rulebook
from pbx_bridge.config.tasks import DigestSettings, Tasks
from pbx_bridge.config.values import (
    Age,
    Amount,
    BackupCount,
    BackupInterval,
    Count,
    Country,
    Currency,
    Duration,
    FilePath,
    Interval,
    Language,
    Name,
    Pattern,
    PingInterval,
    Port,
    Switch,
    TelephoneNumber,
    Template,
    TimeZone,
    did_you_mean,
    misplaced,
    not_empty,
    spell,
)
from pbx_bridge.config.voicemail import TranscriberSettings, VoicemailSettings
from pbx_bridge.config.web import Web
from pbx_bridge.config.webhooks import ConfiguredWebhook
from pbx_bridge.config.wording import Replies, Translation, Variables, our_text
from pbx_bridge.core import number
from pbx_bridge.core.call import Reason
from pbx_bridge.core.delivery import Channel
from pbx_bridge.core.happening import Listeners
from pbx_bridge.core.hours import Hours, Schedule
from pbx_bridge.core.languages import LANGUAGES
from pbx_bridge.core.limits import Budget
from pbx_bridge.core.office import LineRules, Moment, ReasonRule, Rules
from pbx_bridge.core.pricing import PriceList, to_micros
from pbx_bridge.core.rules import SILENT_REASONS, USUAL_REASONS, Rule
from pbx_bridge.core.sequence import Sequence
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.core.wording import Wording
from pbx_bridge.crm import Looked
from pbx_bridge.hooks import HookSettings
from pbx_bridge.ladder import Settings as Phoning
from pbx_bridge.reminder import Reminding
from pbx_bridge.secret import Secret
from pbx_bridge.sender import Terms
from pbx_bridge.sources.ami.source import AmiAccess
from pbx_bridge.sources.records import RecordFiles
from pbx_bridge.urgent import Urgency
from pbx_bridge.voicemail.collector import Settings as Collecting

DEFAULT_TEMPLATE = LANGUAGES["en"].first_text
#: What counts as inbound unless the file says otherwise.
_INBOUND = Inbound()


class Section(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Office(Section):
    name: Name = Field(
        description="how the office calls itself to its callers", examples=["Miller & Sons"]
    )
    country: Country = Field(
        description="the country by which numbers are read, two letters (ISO 3166)",
        examples=["US"],
    )
    timezone: TimeZone = Field(
        description="the time zone in which the office lives", examples=["America/New_York"]
    )
    own_numbers: tuple[TelephoneNumber, ...] = Field(
        default=(),
        description="the office's own numbers, which are never texted",
        examples=[["+12125550143"]],
    )
    number: TelephoneNumber | None = Field(
        default=None,
        description="the number to call back, {office_number} in a text",
        examples=["+12125550100"],
    )
    language: Language = Field(
        default="en", description="the language of the office's texts", examples=["es"]
    )


class ReasonSettings(Section):
    """What is different for calls of one reason; what is absent is as in [texting]."""

    text: Switch | None = Field(
        default=None, description="whether to text callers missed for this reason", examples=[True]
    )
    template: Template | None = Field(
        default=None, description="the text for this reason", examples=[DEFAULT_TEMPLATE]
    )
    delay: Duration | None = Field(
        default=None, description="how long to wait for this reason", examples=["20s"]
    )


class VoicemailReasonSettings(ReasonSettings):
    act_on: Moment = Field(
        default=Moment.CALL_ENDED,
        description="when to text a caller who reaches voicemail",
        examples=["call_ended"],
    )


class Reasons(Section):
    """[texting.reasons.*]: the field's name is the `Reason`."""

    rang_no_answer: ReasonSettings = ReasonSettings()
    rang_cancelled: ReasonSettings = ReasonSettings()
    busy: ReasonSettings = ReasonSettings()
    unavailable: ReasonSettings = ReasonSettings()
    voicemail_message: VoicemailReasonSettings = VoicemailReasonSettings()
    voicemail_hangup: VoicemailReasonSettings = VoicemailReasonSettings()
    queue_abandoned: ReasonSettings = ReasonSettings()
    queue_unserved: ReasonSettings = ReasonSettings()
    ivr_abandoned: ReasonSettings = ReasonSettings()
    announcement_only: ReasonSettings = ReasonSettings()
    parked: ReasonSettings = ReasonSettings()
    rejected: ReasonSettings = ReasonSettings()
    conference_alone: ReasonSettings = ReasonSettings()
    lost_in_transfer: ReasonSettings = ReasonSettings()
    handled_by_application: ReasonSettings = ReasonSettings()


class Texting(Section):
    enabled: Switch = Field(
        default=False,
        description="true sends; false (shadow mode) decides all and sends nothing",
        examples=[True],
    )
    gateways: tuple[str, ...] = Field(
        default=(),
        validate_default=True,
        description="names of [gateways.*] tables, in the order in which to try them",
        examples=[["twilio", "modem"]],
    )
    last_resort: str | None = Field(
        default=None,
        description="the gateway to use when none of the others can be reached",
        examples=["modem"],
    )
    expires_after: Duration = Field(
        default=timedelta(minutes=30),
        description="how long after the call a text is still of use",
        examples=["30m"],
    )
    delay: Duration = Field(
        default=timedelta(seconds=20),
        description="how long to wait: who gets through meanwhile is not texted",
        examples=["20s"],
    )
    cooldown: Duration = Field(
        default=timedelta(hours=4),
        description="at most one text per caller and line in this time",
        examples=["4h"],
    )
    min_ring: Duration = Field(
        default=timedelta(seconds=1),
        description="who hangs up sooner is not texted",
        examples=["1s"],
    )
    allowed_countries: frozenset[Country] | None = Field(
        default=None,
        description="countries whose numbers are texted; without it the office's own",
        examples=[["US", "CA"]],
    )
    max_per_hour: Count = Field(
        default=30, description="never more texts than this in an hour", examples=[30]
    )
    max_per_day: Count = Field(
        default=200, description="never more texts than this in 24 hours", examples=[200]
    )
    blocked_numbers: tuple[TelephoneNumber, ...] = Field(
        default=(), description="numbers that are never texted", examples=[["+12125550199"]]
    )
    template: Template = Field(
        default=DEFAULT_TEMPLATE,
        description="the text; {office} and other variables are filled in",
        examples=[DEFAULT_TEMPLATE],
    )
    variables: Variables = {}
    languages: dict[Country, Language] = Field(
        default={},
        description="the language for numbers of a country",
        examples=['{ MX = "es" }'],
    )
    translations: tuple[Translation, ...] = ()
    limits: LimitSettings = LimitSettings()
    quiet_hours: QuietHoursSettings = QuietHoursSettings()
    burst: BurstSettings = BurstSettings()
    reasons: Reasons = Reasons()

    @field_validator("gateways")
    @classmethod
    def _known_gateways(cls, chosen: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        names: list[str] = (info.context or {}).get("gateways", [])
        if not names and (info.context or {}).get("mail_gateways"):
            raise ValueError("no gateway sends texts; add one, such as [gateways.console]")
        if not chosen and len(names) > 1:
            raise ValueError(f"several gateways and none chosen; of {', '.join(names)}")
        _known_names(chosen, names)
        return chosen or tuple(names)  # without any, [gateways] itself is what is wrong

    @field_validator("last_resort")
    @classmethod
    def _one_of_the_gateways(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is not None:
            _known_names((name,), (info.context or {}).get("gateways", []))
        return name

    @field_validator("delay")
    @classmethod
    def _in_time(cls, delay: timedelta, info: ValidationInfo) -> timedelta:
        _not_too_late(delay, info)
        return delay

    @field_validator("reasons")
    @classmethod
    def _each_in_time(cls, reasons: Reasons, info: ValidationInfo) -> Reasons:
        for name in Reasons.model_fields:
            delay = getattr(reasons, name).delay
            if delay is not None:
                _not_too_late(delay, info, name, "delay")
        return reasons


def _known_names(chosen: tuple[str, ...], names: list[str]) -> None:
    for name in chosen:
        if name not in names:
            raise ValueError(f"no such gateway for texts: {name!r}; {did_you_mean(name, names)}")
    if len(set(chosen)) < len(chosen):
        raise ValueError("a gateway is named twice; name each once")


def _known_holidays(layers: list[Openings], country: str, *path: str | int) -> None:
    if found := unknown_holiday(layers, country):
        raise misplaced(found[1], *path, found[0])


def _not_too_late(delay: timedelta, info: ValidationInfo, *path: str) -> None:
    latest = info.data.get("expires_after")
    if latest is not None and delay >= latest:
        raise misplaced(
            "every text would expire before it is sent;"
            f' less than expires_after ("{spell(latest)}")',
            *path,
        )


class Records(Section):
    """Where this PBX writes down what happened: read to learn what a broken connection hid."""

    cel_csv: FilePath | None = Field(
        default=None,
        description="the file that cel_custom or cel_csv writes",
        examples=["/var/log/asterisk/cel-custom/Master.csv"],
    )
    cdr_csv: FilePath | None = Field(
        default=None,
        description="the file that cdr_csv writes",
        examples=["/var/log/asterisk/cdr-csv/Master.csv"],
    )
    queue_log: FilePath | None = Field(
        default=None, description="the queue log", examples=["/var/log/asterisk/queue_log"]
    )
    database: Secret | None = Field(
        default=None,
        description="the URL of the database with the tables cdr and cel, for backtest",
        examples=['{ file = "/etc/pbx-bridge/records-url" }'],
    )
    timezone: TimeZone | None = Field(
        default=None,
        description="the zone of the times in these files; without it the office's",
        examples=["UTC"],
    )


class Control(Section):
    """The account by which the service acts on a PBX; the other one only watches."""

    username: Name = Field(
        description="the section's name in manager.conf", examples=["pbxbridge-control"]
    )
    secret: Secret = Field(
        description="the secret in manager.conf",
        examples=['{ file = "/etc/pbx-bridge/ami-control-secret" }'],
    )


class Pbx(Section):
    name: Name = Field(description="what to call this PBX in lists", examples=["office"])
    host: Name = Field(default="127.0.0.1", description="where AMI listens", examples=["127.0.0.1"])
    port: Port = Field(default=5038, description="the port of AMI", examples=[5038])
    username: Name = Field(
        description="the section's name in manager.conf", examples=["pbx-bridge"]
    )
    secret: Secret = Field(
        description="the secret in manager.conf",
        examples=['{ file = "/etc/pbx-bridge/ami-secret" }'],
    )
    auth: Literal["md5", "plain"] = Field(
        default="md5", description="how to log in", examples=["md5"]
    )
    tls: OptionalTls = Field(default=None, description="whether AMI speaks TLS", examples=[True])
    inbound_contexts: Annotated[tuple[Pattern, ...], AfterValidator(not_empty)] = Field(
        default=_INBOUND.contexts,
        description="patterns of the dialplan contexts in which calls from outside begin",
        examples=[["^from-trunk"]],
    )
    trunks: tuple[Name, ...] = Field(
        default=(),
        description="endpoints whose calls come from outside, in whatever context",
        examples=[["trunk"]],
    )
    ignored_contexts: tuple[Pattern, ...] = Field(
        default=_INBOUND.ignored_contexts,
        description="patterns of the contexts whose calls count as rejected",
        examples=[["^blocked$"]],
    )
    answered_applications: tuple[Name, ...] = Field(
        default=tuple(sorted(_INBOUND.answered_applications)),
        description="dialplan applications after which nobody needs to follow up",
        examples=[["ReceiveFAX"]],
    )
    control: Control | None = None
    call_back: CallBackSettings | None = None
    records: Records = Records()
    voicemail: VoicemailSettings | None = None
    dialplan: DialplanSettings = DialplanSettings()
    ping_interval: PingInterval = Field(
        default=timedelta(seconds=9),
        description="how often to ask whether the PBX is still there",
        examples=["9s"],
    )

    @field_validator("call_back")
    @classmethod
    def _may_place_calls(
        cls, call_back: CallBackSettings | None, info: ValidationInfo
    ) -> CallBackSettings | None:
        if call_back is not None and info.data.get("control", call_back) is None:
            raise ValueError(
                "this PBX may place no calls; add [pbx.control] with an account that has"
                " write = originate"
            )
        return call_back

    @field_validator("dialplan")
    @classmethod
    def _may_write(cls, dialplan: DialplanSettings, info: ValidationInfo) -> DialplanSettings:
        if dialplan.keeping() and info.data.get("control", dialplan) is None:
            raise ValueError(
                "missed_first, last_colleague and we_will_text need an account that may write;"
                " add [pbx.control]"
            )
        return dialplan

    def access(self) -> AmiAccess:
        """Give how to reach this PBX's manager interface."""
        return AmiAccess(
            name=self.name,
            host=self.host,
            port=self.port,
            username=self.username,
            secret=self.secret.reveal(),
            md5=self.auth == "md5",
            tls=self.tls.context() if self.tls else None,
            ping_interval=self.ping_interval,
        )

    def control_access(self) -> AmiAccess | None:
        """Give how to act on this PBX, by the account that may; None without one."""
        if self.control is None:
            return None
        secret = self.control.secret.reveal()
        return replace(self.access(), username=self.control.username, secret=secret)

    def record_files(self, office_zone: ZoneInfo) -> RecordFiles:
        """Give where this PBX's records are."""
        return RecordFiles(
            cel_csv=self.records.cel_csv,
            cdr_csv=self.records.cdr_csv,
            queue_log=self.records.queue_log,
            timezone=self.records.timezone or office_zone,
        )

    def inbound(self) -> Inbound:
        """Give what the call tracker needs to know about this PBX."""
        return Inbound(
            contexts=self.inbound_contexts,
            trunks=frozenset(self.trunks),
            ignored_contexts=self.ignored_contexts,
            answered_applications=frozenset(self.answered_applications),
        )


class DatabaseSettings(Section):
    path: FilePath = Field(
        default=Path("/var/lib/pbx-bridge/pbx-bridge.db"),
        description="the SQLite file",
        examples=["/var/lib/pbx-bridge/pbx-bridge.db"],
    )


class BackupSettings(Section):
    """Copies of the database: where they go, how often one is made, how many stay."""

    folder: FilePath | None = Field(
        default=None,
        description="a folder; by default `backups` beside the database",
        examples=["/var/lib/pbx-bridge/backups"],
    )
    every: BackupInterval | None = Field(
        default=None, description="how often to make one, such as every day", examples=["1d"]
    )
    keep: BackupCount = Field(
        default=7, description="how many of each kind stay: 1 to 1000", examples=[7]
    )

    def beside(self, database: Path) -> Path:
        """Give the folder, for that database."""
        return self.folder or database.parent / "backups"


class Retention(Section):
    """How long rows are kept. A call takes its decisions with it, a message its attempts."""

    calls: Age = Field(
        default=timedelta(days=395), description="calls and their decisions", examples=["395d"]
    )
    steps: Age = Field(
        default=timedelta(days=395), description="the calls' timelines", examples=["395d"]
    )
    messages: Age = Field(
        default=timedelta(days=90),
        description="messages, the tries to send, receipts, replies, alerts and voicemail",
        examples=["90d"],
    )
    outbound_calls: Age = Field(
        default=timedelta(days=30), description="calls from the office", examples=["30d"]
    )
    gaps: Age = Field(
        default=timedelta(days=395),
        description="times in which a PBX was not watched",
        examples=["395d"],
    )
    audit: Age = Field(
        default=timedelta(days=395), description="who did what by the page", examples=["395d"]
    )

    def in_days(self) -> dict[str, int]:
        """Give whole days for each kind of row."""
        return {name: getattr(self, name).days for name in type(self).model_fields}


class Logging(Section):
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="how much to log", examples=["info"]
    )
    format: Literal["auto", "console", "journal", "json"] = Field(
        default="auto",
        description="json: one object a line; journal: for systemd's; auto: by where it goes",
        examples=["json"],
    )


class Line(Section):
    """[[lines]]: what is different for calls to one of the office's numbers."""

    number: Name = Field(
        description="the number that was called, as the PBX says it or as +1…",
        examples=["+12125550100"],
    )
    name: str = Field(default="", description="how the office calls this line", examples=["Sales"])
    gateways: tuple[str, ...] = Field(
        default=(),
        description="gateways for this line's texts, in the order in which to try them",
        examples=[["twilio"]],
    )
    language: Language | None = Field(
        default=None, description="the language of this line's callers", examples=["es"]
    )
    site: str | None = Field(
        default=None,
        description="the name of one of [[sites]], by whose hours this line goes",
        examples=["Leeds"],
    )
    open: OpeningHours | None = Field(
        default=None,
        description="when somebody is there for this line",
        examples=["Mon-Fri 8:00-20:00"],
    )

    @field_validator("gateways")
    @classmethod
    def _known_gateways(cls, chosen: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        _known_names(chosen, (info.context or {}).get("gateways", []))
        return chosen


class Spending(Section):
    currency: Currency = Field(
        default="USD", description="of every amount in this file (ISO 4217)", examples=["USD"]
    )
    max_per_day: Amount | None = Field(
        default=None, description="texts stop at this much in 24 hours", examples=[5]
    )
    max_per_month: Amount | None = Field(
        default=None, description="texts stop at this much in a calendar month", examples=[50]
    )

    def budget(self) -> Budget:
        """Give the limits as the policy needs them."""
        return Budget(
            per_day=None if self.max_per_day is None else to_micros(self.max_per_day),
            per_month=None if self.max_per_month is None else to_micros(self.max_per_month),
            currency=self.currency,
        )


class Hooks(Section):
    """Where gateways call us: receipts and replies. Off unless the table is there."""

    listen: Name = Field(
        default="127.0.0.1", description="the address to listen on", examples=["127.0.0.1"]
    )
    port: Port = Field(default=8088, description="the port to listen on", examples=[8088])
    public_url: HttpUrl = Field(
        description="how the world reaches this service, through your reverse proxy",
        examples=["https://pbx.example.com/bridge"],
    )
    max_per_minute: Count = Field(
        default=600, description="requests of one address in a minute", examples=[600]
    )
    proxies: tuple[Name, ...] = Field(
        default=("127.0.0.1", "::1"),
        description="addresses of your reverse proxy, whose X-Forwarded-For is believed",
        examples=[["127.0.0.1"]],
    )

    @field_validator("public_url")
    @classmethod
    def _plain(cls, url: HttpUrl) -> HttpUrl:
        if url.username or url.password or url.query or url.fragment:
            raise ValueError("only scheme, host and perhaps a path; no user, ? or #")
        return url

    def settings(self) -> HookSettings:
        """Give what the server of the webhooks needs to know."""
        return HookSettings(
            listen=self.listen,
            port=self.port,
            public_url=self._base(),
            max_per_minute=self.max_per_minute,
            proxies=frozenset(self.proxies),
        )

    def url_of(self, gateway: str) -> str:
        """Give where the webhooks of a gateway arrive."""
        return f"{self._base()}/hooks/{quote(gateway, safe='')}"

    def _base(self) -> str:
        return str(self.public_url).rstrip("/")


class Tariff(Section):
    """What every [gateways.NAME] may have beside its own settings."""

    price: Amount | None = Field(
        default=None, description="of one segment, in the office's currency", examples=[0.0079]
    )
    prices: dict[Country, Amount] = Field(
        default_factory=dict,
        description="of one segment to numbers of a country, where it differs",
        examples=["{ GB = 0.04 }"],
    )
    rate: Interval | None = Field(
        default=None, description="how fast it takes segments", examples=["1/s"]
    )

    def price_list(self) -> PriceList:
        """Give the prices as the policy needs them; what nobody told costs nothing."""
        return PriceList(
            0 if self.price is None else to_micros(self.price),
            {country: to_micros(price) for country, price in self.prices.items()},
        )


@dataclass(frozen=True, slots=True)
class ConfiguredGateway:
    """A [gateways.NAME] table: a kind of gateway, its settings, and what all of them have."""

    kind: str
    settings: BaseModel
    tariff: Tariff = field(default_factory=Tariff)

    @property
    def channel(self) -> Channel:
        """What it sends."""
        channel: Channel = getattr(self.settings, "channel", Channel.SMS)
        return channel

    def build(self, around: ports.Surroundings = ports.ALONE) -> ports.Gateway:
        """Make the gateway; it connects when it is entered as a context manager."""
        gateway: ports.Gateway = gateways.load(self.kind).Gateway(self.settings, around)
        return gateway


class Config(Section):
    """The whole file."""

    office: Office = Field(description="a table [office] with name, country and timezone")
    texting: Texting
    replies: Replies
    pbx: Annotated[tuple[Pbx, ...], AfterValidator(not_empty)] = Field(
        description="a table [[pbx]] for each PBX, with name, username and secret"
    )
    hours: Openings = Openings()
    sites: tuple[Site, ...] = ()
    lines: tuple[Line, ...] = ()
    rule_tables: RuleTables = Field(default=(), alias="rules")
    sequence_tables: SequenceTables = Field(default={}, alias="sequences")
    gateways: dict[Name, InstanceOf[ConfiguredGateway]]
    connectors: dict[Name, InstanceOf[ConfiguredConnector]] = Field(default_factory=dict)
    spending: Spending
    hooks: Hooks | None = None
    web: Web | None = None
    announce: Announcing | None = None
    alerts: Alerts | None = None
    ladder: LadderSettings | None = None
    webhooks: tuple[ConfiguredWebhook, ...] = ()
    tasks: Tasks
    digest: DigestSettings | None = None
    recovery: Recovery
    bookings: BookingSettings | None = None
    contacts: Contacts = Contacts()
    transcriber: TranscriberSettings | None = None
    database: DatabaseSettings
    backups: BackupSettings
    retention: Retention
    logging: Logging

    @field_validator("pbx")
    @classmethod
    def _names_differ(cls, pbxs: tuple[Pbx, ...]) -> tuple[Pbx, ...]:
        seen = set()
        for index, pbx in enumerate(pbxs):
            if pbx.name in seen:
                raise misplaced("two PBXs have this name; give each its own", index, "name")
            seen.add(pbx.name)
        calling = [index for index, pbx in enumerate(pbxs) if pbx.call_back is not None]
        if len(calling) > 1:
            raise misplaced(
                "only one PBX calls back: a user of the page has one extension; leave it out here",
                calling[1],
                "call_back",
            )
        return pbxs

    @field_validator("ladder")
    @classmethod
    def _somebody_phones(
        cls, ladder: LadderSettings | None, info: ValidationInfo
    ) -> LadderSettings | None:
        if ladder is None or "pbx" not in info.data:
            return ladder
        pbxs = [pbx.name for pbx in info.data["pbx"]]
        able = [pbx.name for pbx in info.data["pbx"] if pbx.control is not None]
        if ladder.pbx is not None and ladder.pbx not in pbxs:
            raise misplaced(f"no such PBX; {did_you_mean(ladder.pbx, pbxs)}", "pbx")
        if ladder.pbx not in able if ladder.pbx is not None else not able:
            raise ValueError(
                "no PBX may phone; add [pbx.control] with an account that has write = originate"
            )
        return ladder

    @field_validator("webhooks")
    @classmethod
    def _no_connector_has_the_name(
        cls, webhooks: tuple[ConfiguredWebhook, ...], info: ValidationInfo
    ) -> tuple[ConfiguredWebhook, ...]:
        for index, webhook in enumerate(webhooks):
            if webhook.name in info.data.get("connectors", {}):
                raise misplaced("a connector has this name; give each its own", index, "name")
        return webhooks

    @field_validator("webhooks")
    @classmethod
    def _webhook_names_differ(
        cls, webhooks: tuple[ConfiguredWebhook, ...]
    ) -> tuple[ConfiguredWebhook, ...]:
        seen = set()
        for index, webhook in enumerate(webhooks):
            if webhook.name in seen:
                raise misplaced("two webhooks have this name; give each its own", index, "name")
            seen.add(webhook.name)
        return webhooks

    def destinations(self) -> dict[str, ports.Destination]:
        """Make all that is told what happens, by name; they connect when they are entered."""
        webhooks = {webhook.name: webhook.build() for webhook in self.webhooks}
        return webhooks | {
            name: connector.build(self.surroundings(name))
            for name, connector in self.connectors.items()
        }

    def listeners(self) -> Listeners:
        """Name the destinations that want to hear of each kind of happening."""
        return Listeners.among({name: one.kinds for name, one in self.destinations().items()})

    def crms(self, opened: Mapping[str, ports.Destination]) -> dict[str, Looked]:
        """Give whom to ask who a caller is, among the destinations that are open."""
        return {
            name: Looked(crm, connector.refresh_after)
            for name, connector in self.connectors.items()
            if isinstance(crm := opened.get(name), ports.Crm)
        }

    @field_validator("bookings")
    @classmethod
    def _heard(
        cls, bookings: BookingSettings | None, info: ValidationInfo
    ) -> BookingSettings | None:
        if bookings is not None and info.data.get("hooks", bookings) is None:
            raise ValueError("nobody could call us; add [hooks] with public_url")
        return bookings

    def reminding(self, business_day: Callable[[date], bool]) -> Reminding:
        """Give what the reminder needs to know; `business_day` is the office's calendar."""
        zone = self.office.timezone
        return Reminding(
            office=self.office.name,
            zone=zone,
            escalations=self.tasks.escalations(),
            definition=self.recovery.definition(),
            mail=None if self.digest is None else self.digest.daily_mail(zone, business_day),
        )

    def own_numbers(self) -> frozenset[str]:
        """Give the numbers that are nobody's but the office's."""
        own = (*self.office.own_numbers, *self._lines())
        return frozenset(number for number in own if number.startswith("+"))

    @field_validator("hours")
    @classmethod
    def _holidays_are_known(cls, hours: Openings, info: ValidationInfo) -> Openings:
        if "office" in info.data:
            _known_holidays([hours], info.data["office"].country, "open_on")
        return hours

    @field_validator("sites")
    @classmethod
    def _sites_differ(cls, sites: tuple[Site, ...], info: ValidationInfo) -> tuple[Site, ...]:
        seen = set()
        for index, site in enumerate(sites):
            if site.name in seen:
                raise misplaced("two sites have this name; give each its own", index, "name")
            seen.add(site.name)
            if "office" in info.data and "hours" in info.data:
                layers = [info.data["hours"], site]
                _known_holidays(layers, info.data["office"].country, index, "open_on")
        return sites

    @field_validator("lines")
    @classmethod
    def _known_sites(cls, lines: tuple[Line, ...], info: ValidationInfo) -> tuple[Line, ...]:
        names = [site.name for site in info.data.get("sites", ())]
        for index, line in enumerate(lines):
            if "sites" in info.data and line.site is not None and line.site not in names:
                right = did_you_mean(line.site, names) if names else "there is none; add [[sites]]"
                raise misplaced(f"no such site; {right}", index, "site")
        return lines

    def schedule_of(
        self, site: Site | None, closures: Closures, own: str | None = None
    ) -> Schedule:
        """Give the hours of a site, or of the office; `own` is what a line says instead."""
        office = self.hours
        closed = [*closures.get(feed_name(None), ())]
        if site is not None:
            closed += closures.get(feed_name(site), ())
        return schedule(
            [office] if site is None else [office, site],
            own,
            self.office.timezone if site is None else site.timezone or self.office.timezone,
            self.office.country,
            closed,
        )

    def opening_hours(self, closures: Closures = NO_CLOSURES) -> Hours:
        """Give when somebody is there, for every line; `closures` are what calendars say."""
        sites = {site.name: site for site in self.sites}
        return Hours(
            office=self.schedule_of(None, closures),
            lines={
                self._line_key(line): self.schedule_of(
                    sites[line.site] if line.site is not None else None, closures, line.open
                )
                for line in self.lines
                if line.site is not None or line.open is not None
            },
            country=self.office.country,
        )

    def feeds(self) -> tuple[Feed, ...]:
        """Give the calendars that are to be read."""
        return feeds(self.hours, self.sites)

    def rules(self, closures: Closures = NO_CLOSURES) -> Rules:
        """Give the settings as the policy needs them; `closures` are what calendars say."""
        allowed = self.texting.allowed_countries
        lines = self._lines()
        rules = _rules(
            self.office.name,
            self.office.country,
            self.texting,
            own_numbers=self.own_numbers(),
            allowed=number.family(self.office.country) if allowed is None else allowed,
            lines=lines,
            wording=self.wording(),
        )
        return replace(
            rules,
            zone=self.office.timezone,
            budget=self.spending.budget(),
            prices=self._prices(),
            hours=self.opening_hours(closures),
            rulebook=self.rulebook(),
            sequences=self.sequences(),
            named_reasons=self._named_reasons(),
            mail_route=self._mail_route(),
            min_conversation=self.recovery.min_conversation,
            holdout=self.recovery.holdout(self.office.name),
            task_due_in=self.tasks.due_in,
            task_expires_after=self.tasks.expires_after,
        )

    def _named_reasons(self) -> frozenset[Reason]:
        """Give the reasons that a rule of the office's own asks to do something about."""
        named = [table.reasons for table in self.rule_tables if table.then != NOTHING]
        return frozenset().union(*named)

    def _mail_route(self) -> tuple[str, ...]:
        """Name the gateways that e-mails to callers go through."""
        return tuple(
            name
            for name, configured in self.gateways.items()
            if configured.channel is Channel.EMAIL
        )

    def rulebook(self) -> tuple[Rule, ...]:
        """Give the rules in the order in which they are asked, the built-in ones at the end."""
        return rulebook(self.rule_tables, self.usual_reasons())

    def usual_reasons(self) -> frozenset[Reason]:
        """Give the reasons that a rule is about which names none."""
        asked_for = {
            Reason(name)
            for name in Reasons.model_fields
            if getattr(self.texting.reasons, name).text
        }
        return USUAL_REASONS | asked_for

    def sequences(self) -> dict[str, Sequence]:
        """Give the sequences by name, the built-in ones among them."""
        return all_sequences(self.sequence_tables, self.office.language)

    def _prices(self) -> dict[str, PriceList]:
        return {name: configured.tariff.price_list() for name, configured in self.gateways.items()}

    def wording(self) -> Wording:
        """Give how the office speaks, and what it understands."""
        return self.replies.wording(
            office=self.office.name,
            office_number=self.office.number,
            country=self.office.country,
            zone=self.office.timezone,
            language=self.office.language,
            line_languages=[line.language for line in self.lines if line.language],
            by_region=self.texting.languages,
            variables=self.texting.variables,
        )

    def _line_key(self, line: Line) -> str:
        return number.normalise(line.number, self.office.country) or line.number

    def _lines(self) -> dict[str, LineRules]:
        return {
            self._line_key(line): LineRules(
                name=line.name,
                route=line.gateways or self.texting.gateways,
                language=line.language or "",
            )
            for line in self.lines
        }

    def phoning(self) -> Phoning | None:
        """Give whom to phone when it is urgent; None if nobody is."""
        ladder = self.ladder
        if ladder is None:
            return None
        able = [pbx.name for pbx in self.pbx if pbx.control is not None]
        return ladder.settings(self.office.timezone, ladder.pbx or able[0])

    def calling_back(self) -> CallingBack | None:
        """Give how customers are called back from the page; None if they are not."""
        for pbx in self.pbx:
            if pbx.call_back is not None:
                return pbx.call_back.settings(pbx.name)
        return None

    def urgency(self) -> Urgency | None:
        """Give because of whom those on call are phoned; None if nobody is."""
        return None if self.ladder is None else self.ladder.urgency()

    def terms(self) -> Terms:
        """Give what the sender needs to know about the gateways."""
        return Terms(
            prices=self._prices(),
            intervals={
                name: configured.tariff.rate
                for name, configured in self.gateways.items()
                if configured.tariff.rate is not None
            },
            last_resort=self.texting.last_resort,
            currency=self.spending.currency,
        )

    def collecting(self) -> Collecting:
        """Give what the collector of voicemail messages needs to know."""
        rules = self.rules()

        def line_name(called: str) -> str:
            line = rules.line(called)
            return (line.name if line is not None else "") or called

        wanted = self.transcriber
        return Collecting(
            spools={pbx.name: pbx.voicemail.spool for pbx in self.pbx if pbx.voicemail},
            transcriber=None if wanted is None else wanted.build(),
            wait=timedelta() if wanted is None else wanted.wait,
            line_name=line_name,
        )

    def surroundings(
        self,
        name: str,
        pbxs: Mapping[str, ports.Pbx] | None = None,
        *,
        now: ports.Clock = utc_now,
    ) -> ports.Surroundings:
        """Give what the gateway of this name may know of the service."""
        return ports.Surroundings(
            name=name,
            office=self.office.name,
            country=self.office.country,
            zone=self.office.timezone,
            hook_url=self.hooks.url_of(name) if self.hooks is not None else "",
            pbxs=pbxs or {},
            now=now,
        )


def defaults(country: str = "US") -> Rules:
    """Give the rules of an office that configured nothing, for calls from every country."""
    texting = Texting.model_validate({}, context={"gateways": ["console"]})
    rules = _rules(
        "the office",
        country,
        texting,
        own_numbers=frozenset(),
        allowed=frozenset(),
        lines={},
        wording=Wording(office="the office"),
    )
    return replace(rules, rulebook=rulebook(), sequences=all_sequences({}))


def _rules(  # noqa: PLR0913 - the parts of the file
    office: str,
    country: str,
    texting: Texting,
    *,
    own_numbers: frozenset[str],
    allowed: frozenset[str],
    lines: Mapping[str, LineRules],
    wording: Wording,
) -> Rules:
    return Rules(
        office=office,
        country=country,
        allowed_countries=allowed,
        own_numbers=own_numbers,
        blocked_numbers=frozenset(texting.blocked_numbers),
        route=texting.gateways,
        last_resort=texting.last_resort,
        lines=lines,
        shadow=not texting.enabled,
        cooldown=texting.cooldown,
        expires_after=texting.expires_after,
        min_ring=texting.min_ring,
        max_per_hour=texting.max_per_hour,
        max_per_day=texting.max_per_day,
        limits=texting.limits.limits(),
        quiet=texting.quiet_hours.quiet_hours(),
        burst=texting.burst.rules(),
        reasons={
            Reason(name): _reason_rule(texting, name, wording.language)
            for name in Reasons.model_fields
        },
        wording=wording,
    )


def _reason_rule(texting: Texting, name: str, code: str) -> ReasonRule:
    own: ReasonSettings = getattr(texting.reasons, name)
    template = texting.template
    if "template" not in texting.model_fields_set:  # ours, in the office's own language
        template = our_text(code, name)
    translations = {one: our_text(one, name) for one in LANGUAGES if one != code}
    translations |= {of.language: of.template_for(name) for of in texting.translations}
    return ReasonRule(
        text=Reason(name) not in SILENT_REASONS if own.text is None else own.text,
        template=template if own.template is None else own.template,
        delay=texting.delay if own.delay is None else own.delay,
        act_on=own.act_on if isinstance(own, VoicemailReasonSettings) else Moment.CALL_ENDED,
        translations=translations,
    )
