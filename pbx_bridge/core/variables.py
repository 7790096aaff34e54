"""What a template may name: one table, and where each value comes from.

`VARIABLES` is what configuration mistakes, the example file, docs/templates.md and `pbx-bridge
templates` tell; nothing else lists them. All that can be wrong with a template is found when the
configuration is loaded (`problem`), so that nothing can fail when a text is due.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from difflib import get_close_matches

from pbx_bridge.core.call import Call
from pbx_bridge.core.languages import language
from pbx_bridge.core.number import Number, is_nobody
from pbx_bridge.core.text import clean, has_loose_brace, plain, wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A name that a template may use."""

    name: str
    meaning: str
    example: str
    may_be_absent: bool = False  #: then a template needs a fallback: `{caller_name|there}`
    of_call: bool = True  #: only a text about a call knows it, an answer to STOP does not


VARIABLES: Mapping[str, Variable] = {
    variable.name: variable
    for variable in (
        Variable(
            name="office",
            meaning="the office's name, from [office]",
            example="Miller & Sons",
            of_call=False,
        ),
        Variable(
            name="office_number",
            meaning="the number to call back, from [office] number",
            example="+12125550100",
            may_be_absent=True,
            of_call=False,
        ),
        Variable(
            name="line",
            meaning="the number that was called; the office's name where the PBX does not say",
            example="+12125550100",
        ),
        Variable(
            name="line_name",
            meaning="the name of that line, from [[lines]]",
            example="Sales",
            may_be_absent=True,
        ),
        Variable(name="caller", meaning="the caller's own number", example="+12125550142"),
        Variable(
            name="caller_name",
            meaning="the caller's name, if the caller ID has one",
            example="Ann Baker",
            may_be_absent=True,
        ),
        Variable(
            name="calls", meaning="how many missed calls this is about, a number", example="2"
        ),
        Variable(
            name="time", meaning="when the call came, in the office's zone", example="3:05 pm"
        ),
        Variable(
            name="day", meaning="the weekday of the call, in the text's language", example="Tuesday"
        ),
        Variable(
            name="next_open",
            meaning="when you are there again, from [hours]; nothing if you are there now",
            example="Monday at 9:00 am",
            may_be_absent=True,
        ),
        Variable(
            name="booking_link",
            meaning="where to book, from [texting.variables]",
            example="https://example.com/book",
            may_be_absent=True,
            of_call=False,
        ),
    )
}

#: How variables of an office's own are named.
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def problem(template: str, given: Collection[str], *, about_call: bool = True) -> str | None:
    """Say what is wrong with a template and what would be right, or None.

    `given` names what the office's configuration has a value for: its own variables, and those
    which may be absent but are not.
    """
    usable = {v.name for v in VARIABLES.values() if about_call or not v.of_call} | set(given)
    for placeholder in wanted(template):
        name = placeholder.name
        if name not in usable:
            return f"unknown placeholder {{{name}}}; {_right(name, usable)}"
        optional = name in VARIABLES and VARIABLES[name].may_be_absent and name not in given
        if optional and placeholder.fallback is None:
            example = "there" if name == "caller_name" else "…"
            return (
                f"{{{name}}} may have no value; give it a fallback, {{{name}|{example}}},"
                f" or leave it out by {{{name}|}}"
            )
    if has_loose_brace(template):
        return "a brace stands alone; placeholders are written {office}"
    return None


def _right(name: str, usable: Collection[str]) -> str:
    close = get_close_matches(name.strip().lower(), sorted(usable), n=1)
    if close:
        return f"did you mean {{{close[0]}}}?"
    inside = [name for name in VARIABLES if name in usable]
    own = sorted(set(usable) - set(VARIABLES))
    return f"known are {', '.join(f'{{{known}}}' for known in inside + own)}"


def of_call(  # noqa: PLR0913 - where each value comes from
    call: Call,
    caller: Number | None,
    *,
    line_name: str,
    office: str,
    zone: tzinfo,
    code: str,
    known_as: str = "",
    next_open: str = "",
    calls: int = 1,
) -> dict[str, str]:
    """Give the values that a call has, in the language `code`. All hostile, so all data.

    `known_as` is what the office itself calls the caller, `next_open` is in words already
    (`in_words`).
    """
    began = call.began.astimezone(zone)
    return {
        "line": call.line or office,  # a record may not know which line it was
        "line_name": line_name,
        "caller": caller.e164 if caller is not None else clean(call.caller.number),
        "caller_name": known_as or caller_name(call.caller.name),
        "calls": str(calls),
        "time": clock(began, code),
        "day": language(code).days[began.weekday()],
        "next_open": next_open,
    }


def clock(at: datetime, code: str) -> str:
    """Tell the time of day as it is told in a language."""
    if not language(code).twelve_hours:
        return f"{at:%H:%M}"
    return f"{at.hour % 12 or 12}:{at:%M} {'am' if at.hour < 12 else 'pm'}"  # noqa: PLR2004 - noon


#: A day's name alone says which day it is for so long.
_THIS_WEEK = 6


def in_words(next_open: datetime | None, now: datetime, zone: tzinfo, code: str) -> str:
    """Tell when somebody is there again, by the clock in `zone`; empty if they are, or never."""
    if next_open is None or next_open <= now:
        return ""
    words = language(code)
    there = next_open.astimezone(zone)
    ahead = (there.date() - now.astimezone(zone).date()).days
    if ahead > _THIS_WEEK:
        template = words.later
    elif ahead > 1:
        template = words.this_week
    else:
        template = words.tomorrow if ahead == 1 else words.today
    return template.format(
        clock=clock(there, code),
        day=words.days[there.weekday()],
        date=words.first if there.day == 1 else there.day,
        month=words.months[there.month - 1],
    )


_LONGEST_NAME = 40
#: Letters of any script, and what stands between the parts of a name.
_A_NAME = re.compile(r"[^\W\d_](?:[^\W\d_]|[ '&,-]|\.(?!\S))*")
#: Words that no person is called by, but that carriers and PBXs put in a name's place.
_NO_NAMES = frozenset(
    "anonymous asterisk blocked caller cell cellular conference customer extension fraud freephone"
    " inconnu landline mobile name network number payphone pbx phone private restricted robocall"
    " robocaller scam spam subscriber telemarketer telemarketing toll tollfree trunk unavailable"
    " unbekannt unassigned unknown user voicemail voip withheld wireless".split()
)
_PLACES = frozenset(
    "usa canada mexico england scotland wales ireland australia germany france spain italy"
    " alabama alaska arizona arkansas california colorado connecticut delaware florida georgia"
    " hawaii idaho illinois indiana iowa kansas kentucky louisiana maine maryland massachusetts"
    " michigan minnesota mississippi missouri montana nebraska nevada ohio oklahoma oregon"
    " pennsylvania tennessee texas utah vermont virginia wisconsin wyoming alberta manitoba"
    " ontario quebec saskatchewan"
    " london toronto montreal vancouver chicago houston dallas boston philadelphia phoenix denver"
    " seattle miami atlanta detroit baltimore brooklyn manhattan queens bronx sydney melbourne"
    " dublin berlin paris madrid".split()
) | {
    "new york",
    "new york city",
    "new jersey",
    "new mexico",
    "new hampshire",
    "north carolina",
    "south carolina",
    "north dakota",
    "south dakota",
    "rhode island",
    "west virginia",
    "british columbia",
    "nova scotia",
    "new brunswick",
    "united states",
    "united kingdom",
    "los angeles",
    "san francisco",
    "san diego",
    "san antonio",
    "las vegas",
    "toll free",
    "google voice",
}
#: `BROOKLYN NY` is where the number is registered. A Mr Ma is greeted without his name for that.
_STATES = frozenset(
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ"
    " NM NY NC ND OH OK OR PA PR RI SC SD TN TX UT VT VA WA WV WI WY"
    " AB BC MB NB NL NS NT NU ON PE QC SK YT".split()
)


def caller_name(given: str) -> str:
    """Make a caller-ID name fit to greet somebody by, or give "" if it is none.

    The caller, the carrier or anybody in between wrote it. What is not plainly a name counts as
    absent: a number, `WIRELESS CALLER`, a city and its state, a link, anything with a character
    that names do not have. Capitals, as North American carriers send them, become `Ann Baker`.
    """
    name = " ".join(plain(clean(given.replace("\n", " "))).split())
    words = re.findall(r"[^\W\d_]+", name)
    if not _A_NAME.fullmatch(name) or is_nobody(name) or len(name) < 2:  # noqa: PLR2004 - a letter
        return ""
    lower = [word.lower() for word in words]
    if _NO_NAMES.intersection(lower) or " ".join(lower) in _PLACES:
        return ""
    if len(words) > 1 and words[-1] in _STATES:
        return ""
    if name.isupper() and len(name) > 2:  # noqa: PLR2004 - initials stay
        name = name.title()
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME + 1].rpartition(" ")[0] or name[:_LONGEST_NAME]
    return name.rstrip(" ,&-")
