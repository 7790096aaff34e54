"""Edits through the page: looked at first, then written whole, with a copy, and in force."""

import asyncio
import errno
import os
import re
import tomllib
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from pbx_bridge.config import forms
from pbx_bridge.core.roles import Role
from pbx_bridge.store import audit
from pbx_bridge.web.views.edits import EXAMPLE, FORMS
from tests.config.test_editing import HOSTILE
from tests.web.site import CONFIG, CSRF, Site, site

SECRET = "S3CRET-of-the-PBX"
TEXT = CONFIG.replace('secret = "x"', f'secret = "{SECRET}"  # {SECRET}').replace(
    "\n[[pbx]]",
    """number = "+12125550100"   # the front desk

[texting]
enabled = false
[texting.reasons]
busy = { text = false }   # they ring again

[hours]
open = "Mon-Fri 9:00-17:00"
closed = ["2030-12-24 Party", 2030-12-25]

# new ones first
[[rules]]
name = "new"
callers = ["new"]
then = "nothing"

[[pbx]]""",
)


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, config=TEXT) as made:
        yield made


class Editor:
    """An administrator with a form."""

    def __init__(self, page: Site, form: str) -> None:
        self.page = page
        self.url = f"/rules/edit/{form}"
        self.seen = ""
        self.text = ""

    async def opens(self) -> dict[str, str]:
        """Open the form; give what stands in it."""
        self.client = await self.page.client(Role.ADMIN)
        answer = await self.client.get(self.url)
        assert answer.status == 200
        self.text = await answer.text()
        self._remember()
        return standing(self.text)

    async def sends(self, step: str = "show", **fields: str) -> int:
        """Send the form; give the status, the notice being part of the text."""
        data = {"csrf": CSRF, "seen": self.seen, "step": step, **fields}
        answer = await self.client.post(self.url, data=data)
        self.text = await answer.text()
        if answer.url.path == self.url:
            self._remember()
        return answer.status

    def _remember(self) -> None:
        found = re.search(r'name="seen" value="(\w+)"', self.text)
        self.seen = found[1] if found else ""

    @property
    def tables(self) -> dict[str, Any]:
        return tomllib.loads(self.page.inside.config_path.read_text())


def standing(text: str) -> dict[str, str]:
    """Read what stands in the fields of a form."""
    inputs = re.findall(r'<input id="f-([\w]+)" name="\w+" type="\w+" value="([^"]*)"', text)
    areas = re.findall(r'<textarea [^>]*id="f-(\w+)"[^>]*>\n(.*?)</textarea>', text, re.DOTALL)
    selects = re.findall(r'<select id="f-(\w+)".*?value="(\w*)" selected', text, re.DOTALL)
    return {name: unescape(value) for name, value in (*inputs, *areas, *selects)}


async def editor(page: Site, form: str) -> Editor:
    made = Editor(page, form)
    await made.opens()
    return made


async def test_a_form_has_what_the_file_says(page: Site) -> None:
    assert standing((await editor(page, "office")).text) == {
        "name": "Miller & Sons",
        "number": "+12125550100",
    }
    assert standing((await editor(page, "hours")).text) == {
        "open": "Mon-Fri 9:00-17:00",
        "closed": "2030-12-24 Party\n2030-12-25",
        "open_also": "",
    }
    assert standing((await editor(page, "reason/busy")).text)["text"] == "no"
    assert standing((await editor(page, "reason/parked")).text)["text"] == ""
    passage = standing((await editor(page, "rules")).text)["passage"]
    assert passage.startswith("# new ones first\n[[rules]]")
    assert "pbx" not in passage


async def test_what_would_change_is_shown_and_nothing_written(page: Site) -> None:
    before = page.inside.config_path.read_bytes()
    form = await editor(page, "office")
    assert await form.sends(name="Smith <b>", number="+12125550100") == 200
    assert "<del>name = &#34;Miller &amp; Sons&#34;</del>" in form.text
    assert "<ins>name = &#34;Smith &lt;b&gt;&#34;</ins>" in form.text
    assert "goes</span>" in form.text  # not by colour alone
    assert "Save and use it now" in form.text
    assert page.inside.config_path.read_bytes() == before
    assert page.asked.reloads == 0


async def test_it_is_saved_with_a_copy_in_force_and_written_down(page: Site) -> None:
    path = page.inside.config_path
    before = path.read_text()
    form = await editor(page, "office")
    assert await form.sends("save", name="Smith", number="") == 200
    assert "Saved and in force." in form.text
    assert path.read_text() == before.replace('"Miller & Sons"', '"Smith"').replace(
        'number = "+12125550100"   # the front desk\n', ""
    )
    (copy,) = path.parent.glob("*.bak")
    assert copy.read_text() == before
    assert copy.name in form.text
    assert page.inside.config().office.name == "Smith"
    assert page.asked.reloads == 1
    (entry,) = await page.db.read(lambda tx: audit.page(tx, audit.Wanted(), limit=9))
    assert (entry.who, entry.action, entry.subject) == ("admin", "config.edit", "office")
    assert copy.name in entry.detail


async def test_secrets_are_never_shown_and_stay(page: Site) -> None:
    for name in ("office", "hours", "texts", "sending", "reason/busy", "rules"):
        form = await editor(page, name)
        assert SECRET not in form.text
    form = await editor(page, "rules")
    await form.sends(passage="")
    assert SECRET not in form.text
    assert await form.sends("save", passage="") == 200
    assert form.tables["pbx"][0]["secret"] == SECRET
    assert "rules" not in form.tables


MISTAKES = [
    ("office", {"name": "", "number": "12"}, ["missing", "not a number of US"]),
    ("hours", {"open": "9-5", "closed": "tomorrow", "open_also": "2030-01-01"}, ["not a day"]),
    ("texts", {"template": "Hello {nobody}", "delay": "1 week", "cooldown": "x"}, ["nobody"]),
    ("texts", {"delay": "31m"}, ["every text would expire"]),
    ("reason/busy", {"text": "yes", "template": "{x}", "delay": "-1s"}, ["not a duration"]),
    ("reason/busy", {"text": "perhaps"}, ["neither yes nor no"]),
    ("office", {"name": "x" * 200}, ["too long"]),
    ("office", {"name": "x" * 30_000}, ["too long"]),
]


@pytest.mark.parametrize(("name", "fields", "said"), MISTAKES)
async def test_mistakes_stand_at_their_fields(
    page: Site, name: str, fields: dict[str, str], said: list[str]
) -> None:
    before = page.inside.config_path.read_bytes()
    form = await editor(page, name)
    for step in ("show", "save"):
        assert await form.sends(step, **fields) == 422
        for words in said:
            assert words in unescape(form.text)
        typed = {key: value for key, value in fields.items() if key != "text"}
        assert standing(form.text) | typed == standing(form.text)
    assert page.inside.config_path.read_bytes() == before


async def test_mistakes_in_rules_have_the_line_of_the_editor(page: Site) -> None:
    form = await editor(page, "rules")
    rules = '[[rules]]\nname = "a"\n\nthen = "nowhere"\n'
    assert await form.sends(passage=rules) == 422
    assert "Line 4: rules[1].then" in form.text
    assert "no such sequence" in form.text
    assert standing(form.text)["passage"].strip() == rules.strip()
    assert await form.sends(passage="[[rules]]\nname = @\nthen = 1") == 422
    assert "at line 2" in form.text
    assert await form.sends("save", passage="[web]\nport = 1") == 422
    assert "only [[rules]] and [sequences.NAME] belong here" in form.text


async def test_the_example_can_be_saved_as_it_is(page: Site) -> None:
    form = await editor(page, "rules")
    assert unescape(form.text).count(EXAMPLE) == 1
    assert await form.sends("save", passage=EXAMPLE) == 200
    assert "Saved and in force." in form.text
    assert "booking" in page.inside.config().sequences()


async def test_rules_are_saved(page: Site) -> None:
    form = await editor(page, "rules")
    rules = '# mine\n[[rules]]\nname = "a"\nthen = "x"\n[sequences.x]\nsteps = [{ task = true }]'
    assert await form.sends(passage=rules) == 200
    assert await form.sends("save", passage=rules) == 200
    assert next(rule.name for rule in page.inside.config().rulebook()) == "a"
    assert rules in page.inside.config_path.read_text()


async def test_a_change_in_between_is_not_overwritten(page: Site) -> None:
    path = page.inside.config_path
    form = await editor(page, "office")
    theirs = path.read_text().replace("Miller", "Theirs")
    path.write_text(theirs)
    for step in ("show", "save"):
        form.seen = "0" * 64
        assert await form.sends(step, name="Mine", number="+12125550100") == 409
        assert "was changed meanwhile" in form.text
        assert standing(form.text)["name"] == "Mine"
        assert path.read_text() == theirs
    # Now it is looked at as it is.
    assert await form.sends(name="Mine", number="+12125550100") == 200
    assert "Theirs &amp; Sons" in form.text
    assert await form.sends("save", name="Mine", number="+12125550100") == 200
    assert form.tables["office"]["name"] == "Mine"


async def test_of_two_at_once_one_is_saved_and_the_other_told(page: Site) -> None:
    forms = [await editor(page, "office") for _ in range(4)]
    answers = await asyncio.gather(
        *(form.sends("save", name=f"Office {n}", number="") for n, form in enumerate(forms))
    )
    assert sorted(answers) == [200, 409, 409, 409]
    assert page.inside.config().office.name == f"Office {answers.index(200)}"
    assert len(list(page.inside.config_path.parent.glob("*.bak"))) == 1


async def test_what_was_saved_already_changes_nothing(page: Site) -> None:
    form = await editor(page, "office")
    assert await form.sends("save", name="Miller & Sons", number="+12125550100") == 200
    assert "the file says that already" in form.text
    assert list(page.inside.config_path.parent.glob("*.bak")) == []


async def test_where_the_service_may_not_write_it_says_what_to_do(
    page: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    form = await editor(page, "sending")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuses)
        assert await form.sends("save", enabled="yes") == 409
    assert "may not write" in form.text
    assert "Read-only file system" in form.text
    assert "<ins>enabled = true</ins>" in form.text
    assert page.inside.config().texting.enabled is False


async def test_a_configuration_that_is_not_taken_is_told(page: Site) -> None:
    page.asked.kept = "the gateway <main> cannot be opened"
    form = await editor(page, "sending")
    assert await form.sends("save", enabled="yes") == 200
    assert "goes on with what it had: the gateway &lt;main&gt; cannot be opened" in form.text


async def test_leaving_shadow_mode(page: Site) -> None:
    form = await editor(page, "sending")
    assert await form.sends(enabled="yes") == 200
    assert await form.sends("save", enabled="yes") == 200
    assert page.inside.config().texting.enabled
    assert not page.inside.rules().shadow


async def test_a_file_that_cannot_be_edited_is_told(page: Site) -> None:
    client = await page.client(Role.ADMIN)
    path = page.inside.config_path
    path.write_text("[office")
    for form in ("office", "rules"):
        answer = await client.get(f"/rules/edit/{form}")
        assert answer.status == 409
        assert "TOML" in await answer.text()
    path.write_text(TEXT.split("# new ones")[0].replace("[office]", "rules = []\n[office]"))
    answer = await client.get("/rules/edit/rules")
    assert "one value" in await answer.text()
    path.unlink()
    assert (await client.get("/rules/edit/office")).status == 409


@pytest.mark.parametrize("role", [None, Role.VIEWER, Role.AGENT])
async def test_only_administrators_may(page: Site, role: Role | None) -> None:
    client = await page.client(role)
    before = page.inside.config_path.read_bytes()
    for form in ("office", "rules", "reason/busy"):
        answer = await client.get(f"/rules/edit/{form}", allow_redirects=False)
        assert answer.status in {303, 403}
        data = {"csrf": CSRF, "step": "save", "name": "x"}
        assert (await client.post(f"/rules/edit/{form}", data=data)).status in {401, 403}
    assert page.inside.config_path.read_bytes() == before


@pytest.mark.parametrize("form", ["nothing", "reason/person", "reason/x", "pbx", "web"])
async def test_there_are_no_other_forms(page: Site, form: str) -> None:
    client = await page.client(Role.ADMIN)
    assert (await client.get(f"/rules/edit/{form}")).status == 404


ALL = {
    **{name: fields for name, (_, fields) in FORMS.items()},
    **{f"reason/{reason.value}": forms.of_reason(reason) for reason in forms.REASONS},
}


@pytest.mark.parametrize("form", ["office", "hours", "texts", "sending", "reason/busy"])
@pytest.mark.parametrize("typed", HOSTILE)
async def test_hostile_words_change_only_the_keys_of_the_form(
    page: Site, form: str, typed: str
) -> None:
    """Whether it is taken or refused: no key comes in that the form does not have."""
    own = {field.path for field in ALL[form]}
    before = leaves(tomllib.loads(page.inside.config_path.read_text()))
    made = await editor(page, form)
    fields = {field.name: typed for field in ALL[form]}
    extra = {"texting.enabled": "yes", "enabled": "yes", "secret": "x", "path": "x", "pbx": "x"}
    await made.sends("save", **(extra | fields))
    after = leaves(made.tables)
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert changed <= own
    assert "<script" not in made.text.replace("<script src=", "")


def leaves(table: dict[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    found: dict[tuple[str, ...], Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found |= leaves(value, (*path, key))
        else:
            found[*path, key] = value
    return found
