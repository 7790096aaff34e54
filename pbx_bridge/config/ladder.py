"""[ladder]: whom the PBX phones when it is urgent, in which order, and because of whom."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
)

from pbx_bridge.config.opening import OpeningHours
from pbx_bridge.config.values import Count, Duration, FilePath, Name, Switch, misplaced, not_empty
from pbx_bridge.core.hours import Schedule
from pbx_bridge.core.ladder import Pattern, Person
from pbx_bridge.ladder import Settings
from pbx_bridge.speech import Speech
from pbx_bridge.urgent import Urgency

_PATTERN, _URGENCY = Pattern(people=()), Urgency()
_PHONE = re.compile(r"\+?[0-9*#]{1,20}")
#: What is dialled is one channel of the PBX: no second one (&), no options (commas).
_CHANNEL = re.compile(r"[A-Za-z0-9_]+/[A-Za-z0-9_@.:/+*#-]*\{number\}[A-Za-z0-9_@.:/+*#-]*")
_FOLDER = re.compile(r"/[A-Za-z0-9/._-]*")
#: Numbers of so many digits are the office's own extensions.
_LONGEST_EXTENSION = 6
_SHORTEST_RING, _LONGEST_RING = timedelta(seconds=3), timedelta(minutes=2)
_SHORTEST_LISTEN, _LONGEST_LISTEN = timedelta(seconds=5), timedelta(minutes=5)


def _phone(written: str) -> str:
    bare = re.sub(r"[ ()./-]", "", written)
    if not _PHONE.fullmatch(bare):
        raise ValueError('not what one dials; digits, such as "101" or "12125550143"')
    return bare


def _channel(written: str) -> str:
    if not _CHANNEL.fullmatch(written):
        raise ValueError(
            "not a channel of Asterisk with {number} in it; such as"
            ' "Local/{number}@from-internal" or "PJSIP/{number}"'
        )
    return written


def _playable(folder: str) -> str:
    if not _FOLDER.fullmatch(folder):
        raise ValueError("not a folder that a dialplan can name; letters, digits and /._- only")
    return folder


def _within(low: timedelta, high: timedelta, right: str) -> AfterValidator:
    def check(value: timedelta) -> timedelta:
        if not low <= value <= high:
            raise ValueError(f"out of range; {right}")
        return value

    return AfterValidator(check)


Channel = Annotated[Name, AfterValidator(_channel)]
Ring = Annotated[Duration, _within(_SHORTEST_RING, _LONGEST_RING, 'from "3s" to "2m"')]
Listen = Annotated[Duration, _within(_SHORTEST_LISTEN, _LONGEST_LISTEN, 'from "5s" to "5m"')]
Pause = Annotated[Duration, _within(timedelta(), timedelta(hours=1), 'from "0s" to "1h"')]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class OnCall(_Section):
    """One of [[ladder.people]]."""

    name: Name = Field(description="who it is; callers are told this name", examples=["Anna"])
    phone: Annotated[str, AfterValidator(_phone)] = Field(
        description="an extension, or a number as it is dialled from a desk phone",
        examples=["101"],
    )
    hours: OpeningHours | None = Field(
        default=None,
        description="when to ring; without it always",
        examples=["Mon-Fri 17:00-24:00"],
    )

    def person(self, zone: ZoneInfo) -> Person:
        """Give it as the ladder needs it; holidays are days like others."""
        return Person(name=self.name, phone=self.phone, there=self._there(zone))

    def _there(self, zone: ZoneInfo) -> Callable[[datetime], bool]:
        return Schedule(zone=zone, hours=self.hours or "").is_open


class SpeechSettings(_Section):
    """[ladder.speech]: off unless the table is there."""

    folder: FilePath = Field(
        description="where spoken summaries are put; the PBX has to be able to read it",
        examples=["/var/spool/pbx-bridge-speech"],
    )
    pbx_folder: Annotated[str, AfterValidator(_playable)] | None = Field(
        default=None,
        description="the same folder as the PBX finds it, if it finds it elsewhere",
        examples=["/mnt/speech"],
    )
    voice: Annotated[str, StringConstraints(pattern=r"^en[a-z0-9+_-]{0,30}$")] = Field(
        default="en",
        description="a voice of espeak-ng, in English, as the words are",
        examples=["en-us"],
    )

    @field_validator("folder")
    @classmethod
    def _found_by_the_pbx(cls, folder: Path) -> Path:
        _playable(str(folder))
        return folder

    def speech(self) -> Speech:
        """Give the folder, and how the PBX finds it."""
        return Speech(
            folder=self.folder, seen_as=self.pbx_folder or str(self.folder), voice=self.voice
        )


class LadderSettings(_Section):
    """Off unless the table is there."""

    people: Annotated[tuple[OnCall, ...], AfterValidator(not_empty)] = Field(
        description="who is on call, the first to be rung first",
        examples=['{ name = "Anna", phone = "101" }'],
    )
    pbx: Name | None = Field(
        default=None,
        description="the [[pbx]] that phones; by default the first with [pbx.control]",
        examples=["office"],
    )
    ring: Ring = Field(
        default=_PATTERN.ring, description="how long to let a phone ring", examples=["25s"]
    )
    listen: Listen = Field(
        default=_PATTERN.listen,
        description="how long somebody who answered has to press a key",
        examples=["60s"],
    )
    rounds: Annotated[Count, Field(ge=1, le=20)] = Field(
        default=_PATTERN.rounds, description="how often to go through the list", examples=[3]
    )
    pause: Pause = Field(
        default=_PATTERN.pause, description="how long to wait between rounds", examples=["2m"]
    )
    extension: Channel = Field(
        default="PJSIP/{number}",
        description="how an extension is rung (up to six digits)",
        examples=["PJSIP/{number}"],
    )
    dial: Channel = Field(
        default="Local/{number}@from-internal",
        description="how any other number is rung",
        examples=["Local/{number}@from-internal"],
    )
    callers: Literal["any", "known"] = Field(
        default="any",
        description="because of whom: any caller, or only those that the office knows",
        examples=["known"],
    )
    second_call: Duration = Field(
        default=timedelta(hours=2),
        description="a second missed call within this time, out of hours, is urgent; 0s: it is not",
        examples=["2h"],
    )
    per_hour: Annotated[Count, Field(ge=1)] = Field(
        default=_URGENCY.per_hour,
        description="because of how many callers at most in an hour",
        examples=[4],
    )
    per_night: Annotated[Count, Field(ge=1)] = Field(
        default=_URGENCY.per_night,
        description="because of how many callers at most in 12 hours",
        examples=[10],
    )
    speech: SpeechSettings | None = None
    tell_taken: Switch = Field(
        default=True, description="whether to text the caller who will call", examples=[True]
    )
    tell_nobody: Switch = Field(
        default=False,
        description="whether to text the caller that nobody could be reached yet",
        examples=[True],
    )

    @field_validator("people")
    @classmethod
    def _names_differ(cls, people: tuple[OnCall, ...]) -> tuple[OnCall, ...]:
        seen = set()
        for index, one in enumerate(people):
            if one.name in seen:
                raise misplaced("somebody has this name already", index, "name")
            seen.add(one.name)
        return people

    def channel(self, phone: str) -> str:
        """Give a phone's number as the PBX dials it."""
        own = len(phone) <= _LONGEST_EXTENSION and not phone.startswith("+")
        return (self.extension if own else self.dial).replace("{number}", phone)

    def settings(self, zone: ZoneInfo, pbx: str) -> Settings:
        """Give whom to phone, and how."""
        return Settings(
            pattern=Pattern(
                people=tuple(one.person(zone) for one in self.people),
                rounds=self.rounds,
                ring=self.ring,
                listen=self.listen,
                pause=self.pause,
            ),
            pbx=pbx,
            dial=self.channel,
            speech=None if self.speech is None else self.speech.speech(),
            tell_taken=self.tell_taken,
            tell_nobody=self.tell_nobody,
        )

    def urgency(self) -> Urgency:
        """Give because of whom those on call are phoned."""
        return Urgency(
            known_only=self.callers == "known",
            again_within=self.second_call or None,
            per_hour=self.per_hour,
            per_night=self.per_night,
        )
