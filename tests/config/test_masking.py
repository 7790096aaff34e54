"""No secret of a configuration is shown, whether it is in force, commented out or misplaced."""

import tomllib
from pathlib import Path

import pytest

from pbx_bridge.config.masking import HIDDEN, masked, may_be_private

EXAMPLE = Path(__file__).parent.parent.parent / "pbx-bridge.example.toml"


@pytest.mark.parametrize(
    "text",
    [
        '[[pbx]]\nsecret = "S3CRET"',
        '[[pbx]]\nsecret = { file = "/S3CRET" }',
        '[pbx.control]\nsecret = """S3CRET\n"""',
        '[gateways.x]\nauth_token = "S3CRET" # S3CRET',
        '[gateways.x.headers]\nx = "S3CRET"',
        '[alerts]\nurls = [\n  "tgram://S3CRET", # S3CRET\n]',
        '[[webhooks]]\nurl = "https://hooks/S3CRET"',
        '[hours]\ncalendar = { url = "https://x/S3CRET", every = "1h" }',
        '[hours.calendar]\nurl = { file = "/S3CRET" }',
        '[texting]\napi_key = "S3CRET"',
        '[office]\n#password = "S3CRET"',
        "[office]\n# was https://u:S3CRET@x",
        '[[pbx]]\n#x = "S3CRET"',
        '#secret = "S3CRET"\n[office]',
        'x = "S3CRET"',
        "[pbx] # S3CRET",
        "[office\nS3CRET",
    ],
)
def test_secrets_are_hidden(text: str) -> None:
    assert HIDDEN in masked(text)
    assert "S3CRET" not in masked(text)


def test_what_the_page_edits_is_shown_as_it_is() -> None:
    text = (
        '# mine\n[office]\nname = "Miller" # as known\n[texting]\nenabled = false\n'
        '[texting.variables]\nbooking_link = "https://example.com/book"\n'
        "[hours]\nopen = '''\nMon'''\n[[rules]]\nname = 'a'\n"
    )
    assert masked(text) == text


def test_of_other_tables_keys_and_lines_are_shown() -> None:
    text = '[[pbx]]\nname = "p"\nport = 5038 # AMI\ntls = { ca = "/x" }\n'
    assert masked(text) == (
        f"[[pbx]]\nname = {HIDDEN}\nport = {HIDDEN} # {HIDDEN}\ntls = {{ ca = {HIDDEN} }}\n"
    )


def test_the_reference_shows_no_secret_and_keeps_its_lines() -> None:
    text = EXAMPLE.read_text()
    found = masked(text)
    assert len(found.splitlines()) == len(text.splitlines())
    for line in text.splitlines():
        if line.endswith("# secret"):
            value = line.partition("=")[2].partition("# secret")[0].strip()
            assert value not in found
    assert tomllib.loads(found.replace(HIDDEN, '""'))


def test_comments_are_suspected_by_their_words() -> None:
    assert may_be_private("# Token of the office")
    assert may_be_private("#url = 'https://x'")
    assert not may_be_private("# call new callers first")
