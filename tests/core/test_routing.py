"""Which gateway a message goes to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.delivery import (
    Accepted,
    Blame,
    Deferred,
    Rejected,
    SendResult,
    State,
    Step,
    Uncertain,
)
from pbx_bridge.core.routing import (
    SOUND,
    Choice,
    Circuit,
    CircuitRules,
    Standing,
    Tried,
    Use,
    Wait,
    Way,
    after_result,
    choose,
    reroute,
    trying,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
RULES = CircuitRules()
UNREACHABLE = Deferred("no connection")
REFUSED = Rejected("wrong token", "401", Blame.GATEWAY)
OPEN = Standing(
    circuit=Circuit.OPEN, failures=1, until=NOW + timedelta(seconds=30), reason="no connection"
)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def way(*route: str, **more: object) -> Way:
    values: dict[str, object] = {
        "route": route,
        "tried": {},
        "preferred": "",
        "last_resort": None,
        "expires_at": NOW + timedelta(minutes=30),
    }
    return Way(**(values | more))  # type: ignore[arg-type]


def chosen(
    one: Way,
    standings: dict[str, Standing] | None = None,
    free_at: dict[str, datetime] | None = None,
    known: tuple[str, ...] = ("a", "b", "c"),
) -> Choice:
    return choose(one, standings or {}, free_at or {}, known, NOW)


def test_the_first_of_the_route_is_used() -> None:
    assert chosen(way("b", "a")) == Use("b")


def test_the_gateway_by_which_the_customer_knows_us_comes_first() -> None:
    assert chosen(way("a", "b", preferred="b")) == Use("b")
    assert chosen(way("a", "b", preferred="elsewhere")) == Use("a")


def test_a_gateway_whose_circuit_is_open_is_passed_over() -> None:
    assert chosen(way("a", "b"), {"a": OPEN}) == Use("b")
    assert chosen(way("a", "b", preferred="a"), {"a": OPEN}) == Use("b")


def test_with_every_circuit_open_it_waits_for_the_first_that_may_be_tried() -> None:
    later = replace(OPEN, until=NOW + seconds(90))
    said = chosen(way("a", "b"), {"a": later, "b": OPEN})
    assert said == Wait(NOW + seconds(30), "b is not used now: no connection", for_circuit=True)


def test_one_that_was_just_tried_comes_after_the_others() -> None:
    assert chosen(way("a", "b", tried={"a": Tried.LATER})) == Use("b")
    assert chosen(way("a", "b", tried={"a": Tried.LATER, "b": Tried.LATER})) == Use("a")


def test_one_that_refused_for_a_reason_of_its_own_is_not_tried_again() -> None:
    said = chosen(way("a", "b", tried={"a": Tried.NEVER}), {"b": OPEN})
    assert isinstance(said, Wait)


def test_a_full_gateway_is_waited_for_if_its_turn_comes_in_time() -> None:
    free = {"a": NOW + seconds(5)}
    assert chosen(way("a", "b"), free_at=free) == Wait(
        NOW + seconds(5), "a takes no more at a time"
    )
    soon_too_late = way("a", "b", expires_at=NOW + seconds(4))
    assert chosen(soon_too_late, free_at=free) == Use("b")


def test_the_last_resort_is_for_when_nothing_else_works() -> None:
    one = way("a", "b", "c", last_resort="c")
    assert chosen(one) == Use("a")
    assert chosen(one, {"a": OPEN}) == Use("b")
    assert chosen(one, {"a": OPEN, "b": OPEN}) == Use("c")
    assert chosen(replace(one, tried={"a": Tried.LATER, "b": Tried.LATER})) == Use("c")
    assert chosen(replace(one, preferred="c")) == Use("a")
    full = {"a": NOW + seconds(5)}
    assert isinstance(chosen(one, {"b": OPEN}, full), Wait)


def test_a_gateway_that_is_no_longer_configured_is_passed_over() -> None:
    assert chosen(way("gone", "b")) == Use("b")
    assert chosen(way("gone")) == Use("gone")  # and fails there, with those words


# -- circuits -------------------------------------------------------------------------------


def after(*results: SendResult, standing: Standing = SOUND) -> Standing:
    for result in results:
        standing = after_result(standing, result, NOW, RULES)
    return standing


def test_failures_in_a_row_open_the_circuit() -> None:
    almost = after(*[UNREACHABLE] * 4)
    assert (almost.circuit, almost.failures) == (Circuit.CLOSED, 4)
    opened = after(UNREACHABLE, standing=almost)
    assert (opened.circuit, opened.until) == (Circuit.OPEN, NOW + RULES.pause)
    assert after(*[Uncertain("silence")] * 5).circuit is Circuit.OPEN


@pytest.mark.parametrize(
    "good",
    [
        Accepted("1"),
        Rejected("not a number", "21211", Blame.NUMBER),
        Rejected("spam", "30007", Blame.FILTERED),
        Deferred("too many", busy=True),
    ],
)
def test_an_answer_that_shows_it_works_starts_the_count_anew(good: SendResult) -> None:
    assert after(*[UNREACHABLE] * 4, good) == SOUND
    assert after(good, standing=OPEN) == SOUND


def test_a_refusal_of_its_own_opens_it_at_once_and_for_longer() -> None:
    opened = after(REFUSED)
    assert (opened.circuit, opened.reason) == (Circuit.OPEN, "wrong token")
    assert opened.until == NOW + RULES.refused_pause


def test_one_message_tries_and_the_others_wait() -> None:
    later = NOW + seconds(31)
    trial = trying(OPEN, later, RULES)
    assert (trial.circuit, trial.until) == (Circuit.HALF_OPEN, later + RULES.trial)
    assert choose(way("a"), {"a": trial}, {}, ("a",), later) == Wait(
        later + RULES.trial, "a is not used now: no connection", for_circuit=True
    )
    assert trying(SOUND, later, RULES) == SOUND


def test_a_trial_in_vain_opens_it_for_twice_as_long_up_to_a_limit() -> None:
    waits = []
    standing = after(*[UNREACHABLE] * 5)
    for _ in range(8):
        standing = after(UNREACHABLE, standing=trying(standing, NOW, RULES))
        assert standing.until is not None
        waits.append((standing.until - NOW).total_seconds())
    assert waits == [60, 120, 240, 480, 600, 600, 600, 600]


# -- going to another -----------------------------------------------------------------------

LATER = Step(State.QUEUED, NOW + seconds(4), "no connection")
FAILED = Step(State.FAILED, None, "wrong token", "401")


def rerouted(
    step: Step, result: SendResult, tried: dict[str, str] | None = None, route: str = "ab"
) -> tuple[Step, dict[str, str]]:
    return reroute(step, result, gateway="a", route=route, tried=tried or {}, known="abc", now=NOW)


def test_what_could_not_be_sent_goes_to_the_next_at_once() -> None:
    step, tried = rerouted(LATER, UNREACHABLE)
    assert (step.state, step.next_at, tried) == (State.QUEUED, NOW, {"a": "later"})


def test_when_all_were_tried_it_waits_and_begins_with_the_first() -> None:
    assert rerouted(LATER, UNREACHABLE, {"b": Tried.LATER}) == (LATER, {})
    assert rerouted(LATER, UNREACHABLE, {"b": Tried.NEVER}) == (LATER, {"b": "never"})
    assert rerouted(LATER, UNREACHABLE, route="a") == (LATER, {})


def test_a_refusal_of_the_gateways_own_is_not_the_messages_end_while_another_may_take_it() -> None:
    assert rerouted(FAILED, REFUSED)[0].state is State.QUEUED
    step, tried = rerouted(FAILED, REFUSED, {"b": Tried.LATER})
    assert (step.state, tried) == (State.QUEUED, {"a": "never"})
    assert rerouted(FAILED, REFUSED, {"b": Tried.NEVER})[0] == FAILED
    assert rerouted(FAILED, REFUSED, route="a")[0] == FAILED


@pytest.mark.parametrize(
    ("step", "result"),
    [
        (Step(State.UNCERTAIN, None, "silence"), Uncertain("silence")),
        (Step(State.FAILED, None, "landline"), Rejected("landline", "", Blame.NUMBER)),
        (LATER, Deferred("too many", busy=True)),
        (Step(State.ACCEPTED, None, ""), Accepted("1")),
    ],
)
def test_whatever_else_came_of_it_stays_with_this_gateway(step: Step, result: SendResult) -> None:
    assert rerouted(step, result, {"c": Tried.LATER}) == (step, {"c": "later"})


results = st.sampled_from([UNREACHABLE, REFUSED])


@given(st.lists(results, max_size=40))
def test_every_message_ends_or_waits_and_none_goes_round_in_circles(
    answers: list[SendResult],
) -> None:
    """Between two waits each gateway of the route is tried at most once."""
    route = ("a", "b", "c")
    tried: dict[str, str] = {}
    since_wait: list[str] = []
    for result in answers:
        choice = choose(way(*route, tried=tried), {}, {}, route, NOW)
        assert isinstance(choice, Use)
        assert choice.gateway not in since_wait
        since_wait.append(choice.gateway)
        plain = FAILED if isinstance(result, Rejected) else LATER
        step, tried = reroute(
            plain, result, gateway=choice.gateway, route=route, tried=tried, known=route, now=NOW
        )
        if step.state is State.FAILED:
            assert set(tried.values()) == {"never"}
            assert len(tried) == len(route)
            return
        if step.next_at != NOW or not tried or set(tried.values()) == {"never"}:
            since_wait = []
