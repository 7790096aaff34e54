"""What was read, and what cannot be known from it."""

from datetime import timedelta

import pytest

from pbx_bridge.sources.records.account import Account, Kind, blind_to
from tests.core.scene import START


@pytest.mark.parametrize("kind", Kind)
def test_every_record_says_what_it_cannot_tell(kind: Kind) -> None:
    assert all(line.startswith(("it ", "of ", "by ", "channel ")) for line in blind_to(kind))


def test_an_account_tells_from_when_to_when() -> None:
    account = Account(kind=Kind.CEL, place="x")
    for hours in (2, 1, 3):
        account.saw(START + timedelta(hours=hours))
    assert (account.rows, account.first) == (3, START + timedelta(hours=1))
    assert account.last == START + timedelta(hours=3)


def test_where_calls_began_is_counted_and_no_more_than_some() -> None:
    account = Account(kind=Kind.CDR, place="x")
    for n in range(1000):
        account.saw_beginning("from-pstn" if n % 2 else f"context-{n}", "trunk")
    assert account.contexts["from-pstn"] == 500
    assert account.endpoints == {"trunk": 1000}
    assert len(account.contexts) <= 200
