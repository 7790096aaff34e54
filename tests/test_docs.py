"""What the documentation shows as configuration is configuration."""

import re
from pathlib import Path

import certifi
import pytest

from pbx_bridge.config import parse

DOCS = Path(__file__).parent.parent / "docs"
OFFICE = """\
[office]
name = "Miller & Sons"
country = "US"
timezone = "America/New_York"
"""
PBX = '[[pbx]]\nname = "office"\nusername = "pbx-bridge"\nsecret = "x"\n'
#: Pages whose blocks are tried by the tests of what they are about.
TRIED_ELSEWHERE = {"gateways/mqtt.md", "gateways/http.md", "templates.md"}
ALL = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
PAGES = [page for page in ALL if "```toml" in (DOCS / page).read_text(encoding="utf-8")]
CONSOLE = '[gateways.{name}]\ntype = "console"\n'


def blocks(page: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(r"```toml\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in TRIED_ELSEWHERE])
def test_every_block_of_a_page_is_valid(page: str) -> None:
    for block in blocks(page):
        whole = block
        whole = whole if "[office]" in whole else OFFICE + whole
        whole = whole if "[[pbx]]" in whole else whole + PBX
        # Gateways that it names and another page describes.
        for name in ("twilio", "modem", "satellite", "mail"):
            kind = 'type = "smtp"\nhost = "h"\nsender = "a@b.example"\n' if name == "mail" else ""
            if f'"{name}"' in whole and f"[gateways.{name}]" not in whole:
                table = CONSOLE.format(name=name)
                whole += f"[gateways.mail]\n{kind}" if kind else table
        if "[texting]" not in whole:
            whole += '[gateways.console]\ntype = "console"\n[texting]\ngateways = ["console"]\n'
        whole = re.sub(r'"/etc/[^"]*\.pem"', f'"{certifi.where()}"', whole)
        # Secrets that stand elsewhere are not there; one of them is an address for alerts.
        whole = re.sub(r"(password = )\{ [^}]*\}", r'\1"x"', whole)
        whole = re.sub(r"\{ (?:file|credential|env) = [^}]*\}", '"json://127.0.0.1/"', whole)
        parse(whole, page, DOCS)


def test_a_snippet_that_a_page_shows_is_the_one_that_is_tested() -> None:
    snippets = [path.read_text("utf-8") for path in (DOCS / "../asterisk-conf/snippets").iterdir()]
    for page in ("dialplan.md", "gateways/pbx.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        for block in re.findall(
            r"```ini\n(\[(?:pbxbridge|messages|incoming)-.*?)```", text, re.DOTALL
        ):
            assert any(block in snippet for snippet in snippets), block


def test_pages_tried_elsewhere_are_tried_there() -> None:
    tests = "\n".join(
        path.read_text(encoding="utf-8")
        for path in Path(__file__).parent.rglob("test_*.py")
        if path != Path(__file__)
    )
    for page in TRIED_ELSEWHERE:
        assert page.rpartition("/")[2] in tests, page


@pytest.mark.parametrize("page", ["../README.md", *ALL])
def test_links_lead_somewhere(page: str) -> None:
    path = DOCS / page
    for target in re.findall(r"\]\((?!http)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_the_index_leads_to_every_page() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    assert [page for page in ALL if page != "README.md" and f"({page})" not in index] == []
