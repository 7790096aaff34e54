"""An edit is shown line by line, with its surroundings and without secrets."""

from pbx_bridge.config.difference import Fate, Row, difference

OLD = """\
[office]
name = "A"
country = "US"
timezone = "UTC"
language = "en"
[[pbx]]
secret = "s3cret"
port = 1
port2 = 2
[texting]
enabled = false
"""


def test_the_same_text_differs_in_nothing() -> None:
    assert difference(OLD, OLD) == []


def test_lines_have_their_numbers_and_surroundings() -> None:
    new = OLD.replace('name = "A"', 'name = "B"\nnumber = "+1"').replace("false", "true")
    assert difference(OLD, new) == [
        Row(Fate.KEPT, 1, 1, "[office]"),
        Row(Fate.GONE, 2, None, 'name = "A"'),
        Row(Fate.NEW, None, 2, 'name = "B"'),
        Row(Fate.NEW, None, 3, 'number = "+1"'),
        Row(Fate.KEPT, 3, 4, 'country = "US"'),
        Row(Fate.KEPT, 4, 5, 'timezone = "UTC"'),
        Row(Fate.SKIPPED, None, None, ""),
        Row(Fate.KEPT, 9, 10, "port2 = <hidden>"),
        Row(Fate.KEPT, 10, 11, "[texting]"),
        Row(Fate.GONE, 11, None, "enabled = false"),
        Row(Fate.NEW, None, 12, "enabled = true"),
    ]


def test_a_secret_next_to_a_change_is_hidden() -> None:
    rows = difference(OLD, OLD.replace('language = "en"', 'language = "es"'))
    assert "secret = <hidden>" in [row.text for row in rows]
    assert "s3cret" not in str(rows)
