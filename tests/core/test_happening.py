"""Who is told of what."""

from pbx_bridge.core.happening import NOBODY_LISTENS, Happened, Listeners


def test_each_destination_is_told_what_it_wants() -> None:
    listeners = Listeners.among(
        {
            "zapier": frozenset({Happened.CALL_MISSED, Happened.REPLY_RECEIVED}),
            "crm": frozenset(Happened),
            "nothing": frozenset(),
        }
    )
    assert listeners.of(Happened.CALL_MISSED) == ("zapier", "crm")
    assert listeners.of(Happened.TASK_OPENED) == ("crm",)


def test_often_nobody_listens() -> None:
    assert all(NOBODY_LISTENS.of(kind) == () for kind in Happened)
    assert Listeners.among({}) == NOBODY_LISTENS
