"""The texts of sequences among all that callers can get."""

from pathlib import Path

from pbx_bridge.config import Config, parse
from pbx_bridge.core.languages import LANGUAGES
from pbx_bridge.proofs import circumstances, in_force

OFFICE = """\
[office]
name = "Miller"
country = "US"
timezone = "America/New_York"
[[pbx]]
name = "office"
username = "bridge"
secret = "x"
"""
MORE = '[texting.languages]\nMX = "es"\nFR = "fr"\n'

BOOKING = """\
[[rules]]
name = "x"
callers = ["new"]
then = "booking"
[sequences.booking]
steps = [
  { text = "Hi from {office}, {calls} calls", translations = { es = "Hola, somos {office}" } },
  { text = true, at = "+1h" },
  { mail = "Hello", at = "+2h" },
]
[sequences.unused]
steps = [{ text = "Never sent" }]
"""


def read(added: str = "") -> Config:
    return parse(OFFICE + added + MORE, "x.toml", Path("/etc"))


def of_sequences(config: Config) -> dict[tuple[str, str], str]:
    proofs = [proof for proof in in_force(config) if ": " in proof.what]
    around = circumstances(config)
    return {(proof.what, proof.language): proof.linted(around).body for proof in proofs}


def test_the_texts_of_a_sequence_are_shown_in_its_own_languages() -> None:
    shown = of_sequences(read(BOOKING))
    booking = {key: body for key, body in shown.items() if key[0].startswith("booking")}
    assert booking == {
        ("booking: text", "en"): "Hi from Miller, 2 calls",
        ("booking: text", "es"): "Hola, somos Miller",
    }
    assert "Never sent" not in shown.values()


def test_ours_are_shown_in_every_language_that_is_written_in() -> None:
    shown = of_sequences(read())
    assert list(shown) == [("default: text-2", code) for code in ("en", "es", "fr")]
    assert shown["default: text-2", "fr"].startswith("Bonjour, ici Miller.")


def test_who_left_a_message_gets_a_text_that_says_so() -> None:
    shown = {(one.what, one.language): one.template for one in in_force(read())}
    for code in ("en", "es", "fr"):
        assert shown["voicemail_message", code] == LANGUAGES[code].voicemail_text
        assert shown["first text", code] == LANGUAGES[code].first_text


def test_an_offices_own_text_goes_before_ours_for_messages_too() -> None:
    own = in_force(read('[texting]\ntemplate = "Hi from {office}"\n'))
    assert "voicemail_message" not in {one.what for one in own if one.language == "en"}


def test_all_of_ours_may_go_out() -> None:
    config = read()
    assert all(one.linted(circumstances(config)).passes for one in in_force(config))
