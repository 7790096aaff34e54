"""[[rules]] and [sequences.*]: what is done about which missed calls."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from pbx_bridge.config.moments import AT_ONCE, WrittenMoment
from pbx_bridge.config.values import (
    Country,
    Duration,
    Language,
    Name,
    Switch,
    Template,
    did_you_mean,
    misplaced,
    not_empty,
    parse_duration,
)
from pbx_bridge.core import number, sequence, told
from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.hours import Track
from pbx_bridge.core.languages import LANGUAGES, language
from pbx_bridge.core.rulebook import DEFAULT, VOICEMAIL, built_in_rules, built_in_sequences
from pbx_bridge.core.rules import (
    ANY_LENGTH,
    NEVER_ASKED,
    USUAL_CALLERS,
    USUAL_REASONS,
    Conditions,
    Rule,
    Span,
    VoicemailOutcome,
)
from pbx_bridge.core.sequence import TO_CALLER, Action, SequenceStep

#: What a rule's `then` says where nothing is to be done.
NOTHING = "nothing"
MOST_RULES = 100
MOST_STEPS = 20
_SEQUENCE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_DIALLED = re.compile(r"[+0-9*#]+")
_SPAN = re.compile(r"(?P<least>[0-9dhms]*)\.\.(?P<most>[0-9dhms]*)")


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def known_lines(tables: Mapping[str, Any], country: str | None) -> dict[str, str]:
    """Give each way to write a line of [[lines]], and the one name that it gets in rules.

    That is the line's name, or its number where several lines share a name or it has none.
    """
    listed = tables.get("lines")
    lines = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    names = [name for line in lines if isinstance(name := line.get("name"), str) and name]
    known = dict(zip(names, names, strict=True))
    for line in lines:
        called = line.get("number")
        if isinstance(called, str):
            normal = number.normalise(called, country) if country else None
            name = line.get("name")
            own = name if isinstance(name, str) and names.count(name) == 1 else normal or called
            known |= dict.fromkeys({called, normal or called}, own)
    return known


def known_sequences(tables: Mapping[str, Any]) -> list[str]:
    """Name what a rule's `then` may say."""
    written = tables.get("sequences")
    own = list(written) if isinstance(written, dict) else []
    return [*own, DEFAULT, VOICEMAIL, NOTHING]


def _line(value: str, info: ValidationInfo) -> str:
    context = info.context or {}
    known: Mapping[str, str] = context.get("lines", {})
    country = context.get("country")
    normal = number.normalise(value, country) if country else None
    for way in (value, normal or value):
        if way in known:
            return known[way]
    if normal is None and not _DIALLED.fullmatch(value):
        right = did_you_mean(value, known) if known else "write its number"
        raise ValueError(f"no such line; {right}, or add it as [[lines]]")
    return normal or value


def _asked_reason(reason: Reason) -> Reason:
    if reason in NEVER_ASKED:
        raise ValueError("calls of this reason are never followed up; remove it")
    return reason


def _target(value: str, info: ValidationInfo) -> str:
    known = (info.context or {}).get("sequences", (DEFAULT, VOICEMAIL, NOTHING))
    if value not in known:
        raise ValueError(f"no such sequence; {did_you_mean(value, known)}")
    return value


def _tag(value: str) -> str:
    """Give a tag as contacts have it (`core.told`)."""
    found = told.tags([value])
    if len(found) != 1:
        raise ValueError("not one tag; small letters, without comma or semicolon")
    return next(iter(found))


def _span(value: object) -> Span:
    right = 'from and to with .. between, such as "30s..", "..20s" or "10s..1m"'
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if found is None or not (found["least"] or found["most"]):
        raise ValueError(f"not a span of time; {right}")
    least = parse_duration(found["least"]) if found["least"] else None
    most = parse_duration(found["most"]) if found["most"] else None
    if most is not None and most <= (least or timedelta()):
        raise ValueError(f"never so: it ends before it begins; {right}")
    return Span(least, most)


Length = Annotated[Span, BeforeValidator(_span)]
"""`30s..` is at least, `..20s` less than that; `10s..1m` both."""

LineName = Annotated[Name, AfterValidator(_line)]
Tag = Annotated[Name, AfterValidator(_tag)]
AskedReason = Annotated[Reason, AfterValidator(_asked_reason)]
NotEmpty = AfterValidator(not_empty)


class ConditionSettings(_Table):
    """What must all be so; of several members one is enough."""

    reasons: Annotated[tuple[AskedReason, ...], NotEmpty] = Field(
        default=(), description="how the call was missed", examples=[["queue_abandoned", "busy"]]
    )
    lines: Annotated[tuple[LineName, ...], NotEmpty] = Field(
        default=(),
        description="the line that was called: its name in [[lines]], or its number",
        examples=[["Sales"]],
    )
    queues: Annotated[tuple[Name, ...], NotEmpty] = Field(
        default=(), description="the queue in which the caller waited", examples=[["support"]]
    )
    extensions: Annotated[tuple[Name, ...], NotEmpty] = Field(
        default=(), description="an extension that rang", examples=[["101"]]
    )
    hours: Annotated[tuple[Track, ...], NotEmpty] = Field(
        default=(),
        description="in what sort of time the call came",
        examples=[["after_hours", "weekend", "holiday"]],
    )
    callers: Annotated[tuple[CallerKind, ...], NotEmpty] = Field(
        default=(), description="who calls", examples=[["new", "known", "customer"]]
    )
    tags: Annotated[tuple[Tag, ...], NotEmpty] = Field(
        default=(), description="one of these tags of the contact", examples=[["vip"]]
    )
    without_tags: Annotated[tuple[Tag, ...], NotEmpty] = Field(
        default=(), description="none of these tags of the contact", examples=[["supplier"]]
    )
    languages: Annotated[tuple[Language, ...], NotEmpty] = Field(
        default=(), description="in which the caller is written to", examples=[["es"]]
    )
    countries: Annotated[tuple[Country, ...], NotEmpty] = Field(
        default=(), description="of the caller's number", examples=[["US"]]
    )
    voicemail: Annotated[tuple[VoicemailOutcome, ...], NotEmpty] = Field(
        default=(), description="what came of voicemail", examples=[["left"]]
    )
    crm_status: Annotated[tuple[Name, ...], NotEmpty] = Field(
        default=(), description="the customer's status, as the CRM says", examples=[["lead"]]
    )
    calls: Annotated[int, Field(strict=True, ge=2, le=100)] | None = Field(
        default=None,
        description="the caller's missed calls, this one counted, are at least so many",
        examples=[2],
    )
    within: Duration | None = Field(
        default=None, description="in how long these calls came", examples=["1h"]
    )
    wait: Length | None = Field(
        default=None, description="how long the caller waited in queues", examples=["30s.."]
    )
    ring: Length | None = Field(
        default=None, description="how long phones rang", examples=["10s..1m"]
    )
    email: Switch | None = Field(
        default=None, description="whether an e-mail address is known", examples=[True]
    )
    consent: Switch | None = Field(
        default=None, description="whether the caller agreed to texts", examples=[True]
    )

    @model_validator(mode="after")
    def _within_needs_calls(self) -> Self:
        if self.within is not None and self.calls is None:
            raise misplaced("only with calls; add calls = 2, or remove it", "within")
        if self.within == timedelta():
            raise misplaced('no time at all; such as "1h"', "within")
        return self

    def conditions(
        self,
        *,
        reasons: frozenset[Reason] = frozenset(),
        callers: frozenset[CallerKind] = frozenset(),
    ) -> Conditions:
        """Give them as the core asks them; with these reasons and callers where none are named."""
        return Conditions(
            reasons=frozenset(self.reasons) or reasons,
            lines=frozenset(self.lines),
            queues=frozenset(self.queues),
            extensions=frozenset(self.extensions),
            hours=frozenset(self.hours),
            callers=frozenset(self.callers) or callers,
            tags=frozenset(self.tags),
            without_tags=frozenset(self.without_tags),
            languages=frozenset(self.languages),
            countries=frozenset(self.countries),
            voicemail=frozenset(self.voicemail),
            crm_status=frozenset(self.crm_status),
            calls=self.calls or 1,
            within=self.within,
            wait=self.wait or ANY_LENGTH,
            ring=self.ring or ANY_LENGTH,
            has_email=self.email,
            consented=self.consent,
        )


class RuleSettings(ConditionSettings):
    """[[rules]]: of several the first that matches wins."""

    name: Name = Field(description="what to call it", examples=["new callers after hours"])
    then: Annotated[Name, AfterValidator(_target)] = Field(
        description="the [sequences.*] that such callers get, or nothing", examples=["default"]
    )
    because: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)
    ] = Field(default="", description="why, for who reads it", examples=["Ann rings them herself"])

    def rule(self, usual: frozenset[Reason]) -> Rule:
        """Give it as the core asks it."""
        return Rule(
            name=self.name,
            conditions=self.conditions(reasons=usual, callers=USUAL_CALLERS),
            sequence="" if self.then == NOTHING else self.then,
            because=self.because,
        )


def _names_differ(rules: tuple[RuleSettings, ...]) -> tuple[RuleSettings, ...]:
    seen = {rule.name for rule in built_in_rules()}
    for index, rule in enumerate(rules):
        if rule.name in seen:
            raise misplaced("two rules have this name; give each its own", index, "name")
        seen.add(rule.name)
    if len(rules) > MOST_RULES:
        raise misplaced(f"too many rules; at most {MOST_RULES}", MOST_RULES)
    return rules


RuleTables = Annotated[tuple[RuleSettings, ...], AfterValidator(_names_differ)]


def _usual_or_own(value: object, own: ValidatorFunctionWrapHandler) -> str:
    return "" if value is True else str(own(value))


Words = Annotated[Template, WrapValidator(_usual_or_own)]
"""A template; or `true` for the usual words, which is an empty text here."""

EventName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]

#: Keys that only some steps have.
_BELONGS_TO = {
    "subject": (Action.MAIL,),
    "subjects": (Action.MAIL,),
    "translations": (Action.TEXT, Action.MAIL),
    "due_in": (Action.TASK,),
    "owner": (Action.TASK,),
    "consent": (Action.TEXT,),
}


class StepSettings(_Table):
    """One of a sequence's steps: exactly one of text, mail, task, alert and webhook."""

    text: Words | None = Field(
        default=None,
        description="a text to the caller; true for the usual words",
        examples=["Hello, this is {office}. Shall we ring you back? Reply STOP to opt out."],
    )
    mail: Words | None = Field(
        default=None,
        description="an e-mail to the caller, if an address is known; true for the usual words",
        examples=["Hello, this is {office}. You called us at {time}."],
    )
    task: Words | None = Field(
        default=None,
        description="what somebody here is to do; true for the usual words",
        examples=["Call {caller_name|the caller} back"],
    )
    alert: Words | None = Field(
        default=None,
        description="what the staff are told, through [alerts]; true for the usual words",
        examples=["{caller} is still waiting"],
    )
    webhook: EventName | None = Field(
        default=None, description="what other programs are told, in one word", examples=["gave_up"]
    )
    at: WrittenMoment = Field(
        default=AT_ONCE, description="when", examples=["next business day 09:30"]
    )
    only: ConditionSettings = Field(
        default=ConditionSettings(),
        description="conditions that are asked when the step is due",
        examples=["{ email = true }"],
    )
    subject: Template | None = Field(
        default=None, description="of the e-mail", examples=["Your call to {office}"]
    )
    subjects: dict[Language, Template] = Field(
        default={},
        description="the subject by language",
        examples=['{ es = "Su llamada a {office}" }'],
    )
    translations: dict[Language, Template] = Field(
        default={},
        description="the words by language",
        examples=['{ es = "Hola, somos {office}." }'],
    )
    due_in: Duration | None = Field(
        default=None, description="how soon the task is to be done", examples=["2h"]
    )
    owner: Name | None = Field(default=None, description="whose task it is", examples=["ann"])
    consent: Switch = Field(
        default=False,
        description="true: not to who never agreed to texts, where the law asks for that",
        examples=[True],
    )

    @model_validator(mode="after")
    def _one_action(self) -> Self:
        actions = [action for action in Action if getattr(self, action) is not None]
        if not actions:
            raise ValueError(f"does nothing; one of {', '.join(Action)} is needed")
        if len(actions) > 1:
            raise misplaced(f"one step does one thing, this one has {actions[0]}", actions[1])
        for key, fitting in _BELONGS_TO.items():
            if key in self.model_fields_set and actions[0] not in fitting:
                raise misplaced(f"only in a step with {' or '.join(fitting)}; remove it", key)
        if self.translations and not getattr(self, actions[0]):
            raise misplaced(
                "the usual words have translations of their own; remove it", "translations"
            )
        return self

    @property
    def action(self) -> Action:
        return next(action for action in Action if getattr(self, action) is not None)

    def step(self, name: str, code: str) -> SequenceStep:
        """Give it as the core plans it; `code` is the language in which the office speaks."""
        action = self.action
        words, translations = getattr(self, action), dict(self.translations)
        subject, subjects = self.subject or "", dict(self.subjects)
        if action is Action.MAIL:
            if not words:
                words = language(code).mail
                translations = {one: of.mail for one, of in LANGUAGES.items()}
            if not subject:
                subject = language(code).mail_subject
                subjects = {one: of.mail_subject for one, of in LANGUAGES.items()} | subjects
        return SequenceStep(
            name=name,
            action=action,
            when=self.at.due(of_caller=action in TO_CALLER),
            words="" if action is Action.WEBHOOK else words,
            translations=translations,
            subject=subject,
            subjects=subjects,
            only=self.only.conditions(),
            due_in=self.due_in,
            owner=self.owner or "",
            needs_consent=self.consent,
            event=self.webhook or "",
        )


class SequenceSettings(_Table):
    """[sequences.NAME]."""

    steps: Annotated[tuple[StepSettings, ...], NotEmpty] = Field(
        description="what is done, each step a table", examples=["[{ text = true }]"]
    )

    def sequence(self, name: str, code: str) -> sequence.Sequence:
        """Give it as the core plans it."""
        return sequence.Sequence(name=name, steps=tuple(self._named(code)))

    def _named(self, code: str) -> Iterator[SequenceStep]:
        count: dict[Action, int] = {}
        for step in self.steps:
            nth = count[step.action] = count.get(step.action, 0) + 1
            yield step.step(step.action if nth == 1 else f"{step.action}-{nth}", code)


def _well_named(tables: dict[str, SequenceSettings]) -> dict[str, SequenceSettings]:
    for name, table in tables.items():
        if not _SEQUENCE_NAME.fullmatch(name) or name == NOTHING:
            raise misplaced(
                "not a name for a sequence; small letters, digits, _ and -, such as booking", name
            )
        if len(table.steps) > MOST_STEPS:
            raise misplaced(f"too many steps; at most {MOST_STEPS}", name, "steps")
    return tables


SequenceTables = Annotated[dict[str, SequenceSettings], AfterValidator(_well_named)]


def rulebook(
    tables: Sequence[RuleSettings] = (), usual: frozenset[Reason] = USUAL_REASONS
) -> tuple[Rule, ...]:
    """Give an office's rules, and ours after them; `usual` goes for those that name no reason."""
    return (*(table.rule(usual) for table in tables), *built_in_rules(usual))


def all_sequences(
    tables: Mapping[str, SequenceSettings], code: str = "en"
) -> dict[str, sequence.Sequence]:
    """Give the sequences by name: ours, and the office's own, which may take their place."""
    own = {name: table.sequence(name, code) for name, table in tables.items()}
    return {**built_in_sequences(code), **own}
