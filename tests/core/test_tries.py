"""Five failures in a quarter of an hour, then one has to wait."""

from datetime import UTC, datetime, timedelta

from pbx_bridge.core import tries
from pbx_bridge.core.tries import Tries

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NOW = timedelta()


def test_after_so_many_failures_one_waits_until_the_first_is_old() -> None:
    limit = Tries(3, 15 * MINUTE)
    for n in range(3):
        assert limit.wait("anna", NOON + n * MINUTE) == NOW
        limit.failed("anna", NOON + n * MINUTE)
    assert limit.wait("anna", NOON + 2 * MINUTE) == 13 * MINUTE
    assert limit.wait("ben", NOON + 2 * MINUTE) == NOW
    assert limit.wait("anna", NOON + 15 * MINUTE) == NOW
    limit.failed("anna", NOON + 15 * MINUTE)
    assert limit.wait("anna", NOON + 15 * MINUTE) == MINUTE


def test_who_succeeds_begins_anew() -> None:
    limit = Tries(1, 15 * MINUTE)
    limit.failed("anna", NOON)
    limit.forget("anna")
    limit.forget("nobody")
    assert limit.wait("anna", NOON) == NOW


def test_what_is_old_is_forgotten_and_many_keys_take_no_more_room() -> None:
    limit = Tries(2, MINUTE)
    for n in range(tries.MOST_KEYS + 5):
        limit.failed(n, NOON)
    assert len(limit._failures) == tries.MOST_KEYS
    limit.wait(tries.MOST_KEYS, NOON + MINUTE)
    assert len(limit._failures) == tries.MOST_KEYS - 1
