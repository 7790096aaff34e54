"""How long it takes to send what goes with a message."""

from pbx_bridge.core.attachment import SLOWEST_LINE, Attachment, seconds_to_send


def test_nothing_takes_no_time() -> None:
    assert seconds_to_send([]) == 0


def test_all_of_it_counts_as_it_goes_over_the_wire() -> None:
    one = Attachment("a.wav", "audio/wav", bytes(SLOWEST_LINE))
    assert 2.6 < seconds_to_send([one, one]) < 3.0


def test_what_was_said_is_shown_nowhere() -> None:
    assert "secret" not in repr(Attachment("a.wav", "audio/wav", b"secret"))
