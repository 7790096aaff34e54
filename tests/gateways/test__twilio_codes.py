"""Every code of the table that we were given has the consequence that it names."""

from datetime import timedelta

import pytest

from pbx_bridge.core.delivery import Blame
from pbx_bridge.gateways._twilio_codes import MEANING

#: By what follows from them.
OF_THE_GATEWAY = (
    "20003 21601 21606 21608 21609 21659 21660 21703 21704"
    " 30002 30032 30034 30040 30041 30450 30454"
)
OF_THE_NUMBER = "21211 21614 21635 30005 30006"
OF_THE_MESSAGE = "21408 21612 30003 30004 30008 30036"
LATER = "20429 21611 30001 30022"
TOMORROW = "30026 30027 63038"

CODES = [
    *((code, Blame.GATEWAY) for code in OF_THE_GATEWAY.split()),
    *((code, Blame.NUMBER) for code in OF_THE_NUMBER.split()),
    *((code, Blame.MESSAGE) for code in OF_THE_MESSAGE.split()),
    ("21610", Blame.OPTED_OUT),
    ("30007", Blame.FILTERED),
    ("14107", Blame.LOOP),
    ("30039", Blame.LOOP),
]


@pytest.mark.parametrize(("code", "blame"), CODES)
def test_a_refusal_for_good_is_somebodys_fault(code: str, blame: Blame) -> None:
    assert MEANING[code].blame is blame
    assert not MEANING[code].later


@pytest.mark.parametrize("code", f"{LATER} {TOMORROW}".split())
def test_a_refusal_for_now_is_nobodys_fault(code: str) -> None:
    assert MEANING[code].later
    assert MEANING[code].blame is Blame.MESSAGE


def test_a_daily_limit_ends_with_the_day() -> None:
    assert {code for code, one in MEANING.items() if one.wait is not None} == {*TOMORROW.split()}
    assert all(MEANING[code].wait == timedelta(days=1) for code in TOMORROW.split())


def test_no_code_is_without_a_test() -> None:
    assert {*MEANING} == {code for code, _ in CODES} | {*LATER.split()} | {*TOMORROW.split()}


def test_the_words_are_fit_for_a_listing() -> None:
    for code, meaning in MEANING.items():
        assert code.isascii()
        assert code.isdigit()
        assert meaning.words.isprintable()
        assert 5 < len(meaning.words) < 130
        assert not meaning.words.endswith(".")
