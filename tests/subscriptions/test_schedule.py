"""When attempts are made, when they end, and what becomes of an endpoint."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.schedule import Health, Outcome, Schedule, State, after, outcome_of, retry_after

HOUR = 3600.0
STEADY = Schedule(jitter=0)
NOW = 1_700_000_000.0
FAILURES = sorted(set(Outcome) - {Outcome.DELIVERED, Outcome.REFUSED, Outcome.GONE})


def wait(
    attempts: int, outcome: Outcome = Outcome.FAILED, *, asked: float | None = None, by: Schedule = STEADY
) -> float:
    return by.wait(attempts, outcome, asked, Random(attempts))


def several(outcome: Outcome, times: int, *, every: float = 1, health: Health | None = None) -> Health:
    found = health or Health()
    for number in range(times):
        found = after(found, outcome, NOW + number * every)
    return found


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        ([200, 201, 202, 204, 299], Outcome.DELIVERED),
        ([300, 301, 302, 304, 307, 308, 399], Outcome.REDIRECTED),
        ([400, 413, 422], Outcome.REFUSED),
        ([410], Outcome.GONE),
        ([429], Outcome.LIMITED),
        ([100, 199, 401, 403, 404, 405, 408, 409, 411, 451, 500, 502, 503, 504, 599, 999], Outcome.FAILED),
    ],
)
def test_every_status_has_one_outcome(statuses: list[int], outcome: Outcome) -> None:
    assert {outcome_of(status) for status in statuses} == {outcome}


def test_the_waits_are_those_of_the_contract_and_hourly_in_the_end() -> None:
    waits = [wait(attempts) for attempts in range(10)]
    assert waits == [0, 5, 30, 120, 600, 1800, 3600, 3600, 3600, 3600]
    assert wait(10_000) == 3600


def test_in_72_hours_it_is_tried_77_times() -> None:
    at, attempts = 0.0, 0
    while not STEADY.is_over(Outcome.CONNECT, attempts, at):
        attempts += 1
        at += wait(attempts)
    assert attempts == 77  # six within 43 minutes, then hourly, the last one after the 72 hours are full
    assert at < 73 * HOUR


@given(st.integers(0, 100), st.sampled_from(FAILURES), st.integers())
def test_a_wait_varies_by_a_fifth_and_a_slow_endpoint_has_a_minute(
    attempts: int, outcome: Outcome, seed: int
) -> None:
    slow = outcome in {Outcome.TIMEOUT, Outcome.LIMITED}
    base = max(wait(attempts), 60 if slow else 0)
    found = Schedule().wait(attempts, outcome, None, Random(seed))
    assert max(base * 0.8, 60 if slow else 0) <= found <= base * 1.2


def test_waits_do_vary() -> None:
    assert len({Schedule().wait(3, Outcome.FAILED, None, Random(seed)) for seed in range(50)}) > 40


@pytest.mark.parametrize(
    ("attempts", "asked", "waited"),
    [
        (1, 0.0, 5),  # never sooner than the step
        (1, 300.0, 300),
        (1, 1e9, HOUR),  # never later than an hour …
        (7, 1e9, 2 * HOUR),  # … or twice the step
        (7, 5000.0, 5000),
    ],
)
def test_what_an_endpoint_asks_for_is_honoured_within_bounds(
    attempts: int, asked: float, waited: float
) -> None:
    assert wait(attempts, asked=asked) == waited


def test_who_says_429_may_not_ask_for_less_than_a_minute() -> None:
    assert wait(1, Outcome.LIMITED, asked=1.0) == 60
    assert wait(1, Outcome.LIMITED, asked=90.0) == 90


def test_a_refused_notification_has_three_tries_and_any_other_72_hours() -> None:
    assert [STEADY.is_over(Outcome.REFUSED, tries, 1.0) for tries in (1, 2, 3, 4)] == [
        False,
        False,
        True,
        True,
    ]
    for outcome in FAILURES:
        assert not STEADY.is_over(outcome, 1000, 72 * HOUR - 1)
        assert STEADY.is_over(outcome, 1, 72 * HOUR)


@given(st.integers(0, 9), st.sampled_from(FAILURES), st.none() | st.floats(0, 1e6), st.integers())
def test_scaled_everything_is_the_same_but_shorter(
    attempts: int, outcome: Outcome, asked: float | None, seed: int
) -> None:
    scaled = Schedule(scale=1000)
    whole = Schedule().wait(attempts, outcome, asked, Random(seed))
    assert scaled.wait(attempts, outcome, asked, Random(seed)) == pytest.approx(whole / 1000)
    assert scaled.between_probes == 0.06
    assert not scaled.is_over(outcome, 1, 259.0)
    assert scaled.is_over(outcome, 1, 259.2)
    assert after(Health(State.PROBING, 9, NOW), outcome, NOW + 259.2, scaled).state is State.SUSPENDED


@pytest.mark.parametrize("outcome", FAILURES)
def test_five_failures_in_a_row_make_an_endpoint_probing(outcome: Outcome) -> None:
    assert several(outcome, 4) == Health(State.HEALTHY, 4, NOW)
    assert several(outcome, 5) == Health(State.PROBING, 5, NOW)
    assert several(outcome, 500) == Health(State.PROBING, 500, NOW)


@pytest.mark.parametrize("failures", [1, 4, 5, 100])
def test_the_first_success_makes_it_healthy_again(failures: int) -> None:
    assert after(several(Outcome.TIMEOUT, failures), Outcome.DELIVERED, NOW) == Health()


def test_nothing_but_failures_for_72_hours_suspends_it() -> None:
    assert several(Outcome.CONNECT, 73, every=HOUR - 1).state is State.PROBING
    assert several(Outcome.CONNECT, 73, every=HOUR).state is State.SUSPENDED
    failing = several(Outcome.CONNECT, 40, every=HOUR)
    recovered = after(failing, Outcome.DELIVERED, NOW + 41 * HOUR)
    assert after(recovered, Outcome.CONNECT, NOW + 73 * HOUR) == Health(State.HEALTHY, 1, NOW + 73 * HOUR)


def test_an_endpoint_that_failed_once_at_the_epoch_has_failed() -> None:
    assert after(Health(State.PROBING, 9, 0.0), Outcome.FAILED, 72 * HOUR).state is State.SUSPENDED


@pytest.mark.parametrize("health", [Health(), Health(State.PROBING, 7, NOW - 60)])
def test_gone_suspends_it_at_once_and_refused_says_nothing_of_it(health: Health) -> None:
    assert after(health, Outcome.GONE, NOW).state is State.SUSPENDED
    assert several(Outcome.REFUSED, 100, every=HOUR, health=health) == health


@pytest.mark.parametrize("outcome", list(Outcome))
def test_whatever_an_attempt_says_that_was_under_way_suspended_stays_suspended(outcome: Outcome) -> None:
    suspended = several(Outcome.GONE, 1)
    assert after(suspended, outcome, NOW + 1) == suspended


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("9" * 5000, 1e9),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tuesday, 14-Nov-23 22:14:20 GMT", 60.0),
        ("Tue Nov 14 22:14:20 2023", 60.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("Tue, 99 Nov 2023 22:14:20 GMT", None),
        ("Tue, 14 Nov 99999999999999999999 22:14:20 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_anything_else_is_nothing(
    value: str, seconds: float | None
) -> None:
    assert retry_after(value, NOW) == seconds


@given(st.text() | st.from_regex(r"\A[A-Z][a-z]{2}, \d{1,20} [A-Z][a-z]{2} \d{1,20} \d+:\d+:\d+ \S*\Z"))
def test_no_retry_after_breaks_anything(value: str) -> None:
    found = retry_after(value, NOW)
    assert found is None or found >= 0
