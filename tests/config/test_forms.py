"""A form knows its keys, and no others."""

import pytest

from pbx_bridge.config import Problem, forms
from pbx_bridge.config.editing import Change
from pbx_bridge.config.forms import Field, Kind, blamed, changes, shown
from pbx_bridge.config.sections import Reasons
from pbx_bridge.core.call import Reason

TEXT = """
[hours]
open = "Mon"
closed = ["2026-12-24", 2026-12-25]
[texting]
enabled = true
delay = 3
[texting.reasons.busy]
text = false
"""


def test_every_reason_of_the_file_has_a_form() -> None:
    assert {reason.value for reason in forms.REASONS} == set(Reasons.model_fields)


def test_values_are_shown_as_people_write_them() -> None:
    assert shown(TEXT, forms.HOURS) == {
        "open": "Mon",
        "closed": "2026-12-24\n2026-12-25",
        "open_also": "",
    }
    assert shown(TEXT, forms.SENDING) == {"enabled": "yes"}
    assert shown(TEXT, forms.of_reason(Reason.BUSY))["text"] == "no"
    assert shown(TEXT, forms.of_reason(Reason.PARKED))["text"] == ""
    assert shown(TEXT, forms.TEXTS)["delay"] == ""  # of no use as it is
    assert shown("office = 1", forms.OFFICE) == {"name": "", "number": ""}


def test_what_was_not_changed_is_no_change() -> None:
    for fields in (forms.HOURS, forms.SENDING, forms.OFFICE, forms.of_reason(Reason.BUSY)):
        assert changes(TEXT, fields, shown(TEXT, fields)) == []


def test_only_its_own_fields_are_taken() -> None:
    sent = {"open": " Tue \n", "closed": "a\n\n b \n", "open_also": "", "enabled": "no", "x": "y"}
    assert changes(TEXT, forms.HOURS, sent) == [
        Change(("hours", "open"), "Tue"),
        Change(("hours", "closed"), ("a", "b")),
    ]
    assert changes(TEXT, forms.HOURS, {}) == [
        Change(("hours", "open"), None),
        Change(("hours", "closed"), None),
    ]


def test_a_choice_has_three_answers() -> None:
    form = forms.of_reason(Reason.BUSY)
    path = ("texting", "reasons", "busy", "text")
    assert changes(TEXT, form, {"text": "yes"}) == [Change(path, value=True, table=2)]
    assert changes(TEXT, form, {"text": ""}) == [Change(path, None, table=2)]
    with pytest.raises(ValueError, match="neither"):
        changes(TEXT, form, {"text": "perhaps"})
    with pytest.raises(ValueError, match="too long"):
        changes(TEXT, form, {"template": "x" * (forms.LONGEST + 1)})


def test_a_switch_that_is_not_sent_is_off() -> None:
    assert changes(TEXT, forms.SENDING, {}) == [Change(("texting", "enabled"), value=False)]


def test_mistakes_are_told_at_their_field() -> None:
    fields = (Field("closed", ("hours", "closed"), Kind.LIST), Field("open", ("hours", "open")))
    found = [
        Problem("f", 3, "hours.closed[2]", '"x"', "not a day"),
        Problem("f", 2, "hours.open", '"y"', "no hours"),
        Problem("f", 2, "hours.opens", "", "unknown key"),
        Problem("f", 0, "", "", "the whole file"),
    ]
    wrong, others = blamed(found, fields)
    assert wrong == {"closed": ['"x": not a day'], "open": ["no hours"]}
    assert others == found[2:]
