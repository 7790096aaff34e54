"""Changing the configuration's file through the page: a form, what it would change, done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from pbx_bridge import proofs
from pbx_bridge.config import Config, Problem, forms
from pbx_bridge.config.editing import NotEditable
from pbx_bridge.config.forms import Field, Kind, blamed, shown
from pbx_bridge.config.keeping import NotKept, Seen
from pbx_bridge.config.passage import passage
from pbx_bridge.core.call import Reason
from pbx_bridge.core.lint import Linted
from pbx_bridge.core.roles import Role
from pbx_bridge.core.text import clean
from pbx_bridge.web import edits, words
from pbx_bridge.web.edits import Proposal
from pbx_bridge.web.frame import Form, Visit
from pbx_bridge.web.routes import get, post
from pbx_bridge.web.words import N_

#: What the rules' own form has: one text.
PASSAGE = "passage"
EXAMPLE = """\
[[rules]]
name = "new callers after hours"
hours = ["after_hours", "weekend", "holiday"]
callers = ["new"]
then = "booking"

[sequences.booking]
steps = [
  { text = "Hello, this is {office}. We are back {next_open|soon}. Reply STOP to opt out." },
  { task = "Call {caller_name|the caller} back", due_in = "2h" },
]"""


@dataclass(frozen=True, slots=True)
class Words:
    """What a form, or a field of it, is called, and a hint."""

    label: str
    hint: str = ""


FORMS: Mapping[str, tuple[Words, Sequence[Field]]] = {
    "office": (Words(N_("The office")), forms.OFFICE),
    "hours": (
        Words(
            N_("Hours and closures"),
            N_("By the office's clock. Public holidays, sites and calendars stand in the file."),
        ),
        forms.HOURS,
    ),
    "texts": (
        Words(N_("The text, and when"), N_("What is different for one reason stands there.")),
        forms.TEXTS,
    ),
    "sending": (Words(N_("Whether texts are sent")), forms.SENDING),
}
LABELS = {
    "name": Words(N_("Name"), N_("as your callers know it")),
    "number": Words(N_("Number to call back"), N_("{office_number} in a text")),
    "open": Words(
        N_("Open"), N_("such as Mon-Fri 8:00-12:00, 13:00-17:00; Sat 9-12; empty: always")
    ),
    "closed": Words(
        N_("Closed for once"),
        N_("one to a line: 2026-12-24, 2026-12-24 to 2027-01-03, 2026-12-18 15:00-17:00 Party"),
    ),
    "open_also": Words(N_("Open for once"), N_("one to a line: 2026-12-20 10:00-14:00")),
    "template": Words(
        N_("Text"),
        N_("with {office}, {caller_name|there}, {next_open} and others; empty: the usual words"),
    ),
    "delay": Words(N_("Wait after the call"), N_("such as 20s or 2m; empty: as usual")),
    "cooldown": Words(N_("Pause between texts to one caller"), N_("such as 4h; empty: as usual")),
    "text": Words(N_("Text such callers")),
    "enabled": Words(
        N_("Send texts"),
        N_("Off is shadow mode: all is judged and decided, nothing is sent."),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which form a request is about."""

    name: str  #: in the path
    title: Words
    fields: Sequence[Field] | None  #: None: the rules as one text
    reason: Reason | None = None


def _asked(visit: Visit) -> Asked:
    found = visit.request.match_info
    if "reason" in found:
        try:
            reason = Reason(found["reason"])
        except ValueError:
            raise web.HTTPNotFound from None
        if reason not in forms.REASONS:
            raise web.HTTPNotFound
        return Asked(
            name=f"reason/{reason.value}",
            title=Words(
                visit.gettext("Missed call: %(what)s")
                % {"what": visit.gettext(words.REASONS[reason])}
            ),
            fields=forms.of_reason(reason),
            reason=reason,
        )
    name = found["form"]
    if name == "rules":
        return Asked(name=name, title=Words(N_("Rules and sequences")), fields=None)
    if name not in FORMS:
        raise web.HTTPNotFound
    title, fields = FORMS[name]
    return Asked(name=name, title=title, fields=fields)


async def show(visit: Visit) -> web.Response:
    """Show a form, filled in with what stands in the file."""
    asked = _asked(visit)
    try:
        file = await edits.seen(visit)
        sent = _standing(asked, file)
    except (NotKept, NotEditable) as error:
        return _page(visit, asked, {}, "", refused=visit.ours(str(error)), status=409)
    return _page(visit, asked, sent, file.mark)


def _standing(asked: Asked, file: Seen) -> dict[str, str]:
    if asked.fields is None:
        return {PASSAGE: passage(file.text).expandtabs(4)}
    return shown(file.text, asked.fields)


async def change(visit: Visit) -> web.Response:
    """Show what a form would change; or, if that was looked at, write it."""
    asked, form = _asked(visit), await visit.form()
    sent = _sent(asked, form)
    mark = form["seen"]
    try:
        file = await edits.seen(visit)
    except NotKept as error:
        return _page(visit, asked, sent, mark, refused=visit.ours(str(error)), status=409)
    if file.mark != mark:
        refused = visit.gettext(
            "The file was changed meanwhile. Your words are still here; look at the changes again."
        )
        return _page(visit, asked, sent, file.mark, refused=refused, status=409)
    proposal = await _proposal(visit, asked, file, sent)
    if proposal.refused or proposal.problems:
        return _page(visit, asked, sent, mark, proposal=proposal, status=422)
    if form["step"] == "save" and proposal.rows:
        return await _save(visit, asked, sent, proposal)
    return _page(visit, asked, sent, mark, proposal=proposal)


async def _save(
    visit: Visit, asked: Asked, sent: Mapping[str, str], proposal: Proposal
) -> web.Response:
    saved = await edits.save(visit, proposal, asked.name)
    if saved.problem:
        return _page(
            visit, asked, sent, proposal.seen.mark, proposal=proposal,
            refused=visit.ours(saved.problem),
            status=409,
        )  # fmt: skip
    if saved.kept_old:
        notice = visit.gettext("Saved, but the service goes on with what it had: %(why)s")
        return visit.to("/rules", notice=notice % {"why": saved.kept_old})
    notice = visit.gettext("Saved and in force. What was there before is in %(copy)s.")
    return visit.to("/rules", notice=notice % {"copy": saved.copy})


def _sent(asked: Asked, form: Form) -> dict[str, str]:
    names = [PASSAGE] if asked.fields is None else [field.name for field in asked.fields]
    return {name: clean(form[name].expandtabs(4)) for name in names}


async def _proposal(visit: Visit, asked: Asked, file: Seen, sent: Mapping[str, str]) -> Proposal:
    if asked.fields is None:
        return await edits.proposed_passage(visit, file, sent[PASSAGE])
    return await edits.proposed(visit, file, asked.fields, sent)


def _page(  # noqa: PLR0913 - what a form is shown with
    visit: Visit,
    asked: Asked,
    sent: Mapping[str, str],
    mark: str,
    *,
    proposal: Proposal | None = None,
    refused: str = "",
    status: int = 200,
) -> web.Response:
    problems = () if proposal is None else proposal.problems
    wrong, others = blamed(problems, asked.fields or ())
    return visit.page(
        "edit.html",
        status=status,
        title=visit.gettext(asked.title.label),
        hint=visit.gettext(asked.title.hint) if asked.title.hint else "",
        asked=asked,
        sent=sent,
        mark=mark,
        fields=asked.fields or (),
        kinds=Kind,
        labels=LABELS,
        refused=refused or (visit.ours(proposal.refused) if proposal else ""),
        wrong=wrong,
        others=_placed(others, proposal, asked, sent),
        rows=proposal.rows if proposal else (),
        looked=proposal is not None and not problems and not proposal.refused,
        can_save=proposal is not None and proposal.can_be_saved and status == 200,  # noqa: PLR2004
        texts=_new_texts(visit.inside.config(), proposal),
        usual=_usual(visit, asked),
        example=EXAMPLE,
    )


def _placed(
    problems: Sequence[Problem], proposal: Proposal | None, asked: Asked, sent: Mapping[str, str]
) -> list[tuple[int, str]]:
    """Give mistakes with the line of the text that was sent, where they are in it; else 0."""
    lines = len(sent.get(PASSAGE, "").splitlines()) if asked.fields is None else 0
    found = []
    for problem in problems:
        line = problem.line - proposal.first_line + 1 if proposal is not None else 0
        what = f"{problem.key} = {problem.value}" if problem.value else problem.key
        said = ": ".join(filter(None, (what, problem.message)))
        found.append((line if 0 < line <= lines else 0, said))
    return found


def _new_texts(before: Config, proposal: Proposal | None) -> list[tuple[str, str, Linted]]:
    """Give the texts that would be other ones than now, looked at by the linter."""
    if proposal is None or proposal.config is None:
        return []
    known = {(one.language, one.template) for one in proofs.in_force(before)}
    around = proofs.circumstances(proposal.config)
    return [
        (one.what, one.language, one.linted(around))
        for one in proofs.in_force(proposal.config)
        if (one.language, one.template) not in known
    ]


def _usual(visit: Visit, asked: Asked) -> str:
    """Say what is so where a reason has no setting of its own."""
    if asked.reason is None:
        return ""
    rule = visit.inside.rules().reasons[asked.reason]
    return visit.gettext("now texted") if rule.text else visit.gettext("now not texted")


ROUTES = (
    get("/rules/edit/{form:[a-z]+}", show, Role.ADMIN),
    post("/rules/edit/{form:[a-z]+}", change, Role.ADMIN),
    get("/rules/edit/reason/{reason:[a-z_]+}", show, Role.ADMIN),
    post("/rules/edit/reason/{reason:[a-z_]+}", change, Role.ADMIN),
)
