"""A source that is not fresh makes answers old and says so; who wants no old answer gets an error that
names it."""

from collections.abc import Callable
from typing import Any

import pytest

from o2ims.models import Source
from tests.world import World, small

Call = Callable[..., Any]
PATH = "/o2ims/v1/resourcePools"


def test_a_fresh_answer_says_nothing_about_its_age(sample: World, call: Call) -> None:
    answer = call("alice", PATH)
    assert not {"Age", "Proxy-Status", "Preference-Applied"} & set(answer.headers)
    strict = call("alice", PATH, headers={"Prefer": "handling=strict"})
    assert (strict.status_code, strict["Preference-Applied"]) == (200, "handling=strict")


@pytest.mark.parametrize(
    ("error_class", "token", "status"),
    [
        ("Unreachable", "destination_unavailable", 502),
        ("TimedOut", "connection_timeout", 504),
        ("Untrusted", "tls_certificate_error", 502),
        ("Unauthorized", "http_request_denied", 502),
        ("Broken", "http_protocol_error", 502),
        ("Misconfigured", "proxy_configuration_error", 502),
        ("KeyError", "destination_unavailable", 502),
    ],
)
def test_a_source_that_is_down_is_named_with_its_class_of_error(
    sample: World, call: Call, error_class: str, token: str, status: int
) -> None:
    before = call("alice", PATH).json()
    sample.sources["sample"].is_now(Source.State.DOWN, error_class=error_class, silent=77)
    sample.follow()
    for path in (PATH, "/o2ims-infrastructureInventory/v1/resourcePools"):
        answer = call("alice", path)
        assert answer.status_code == 200
        assert answer["Proxy-Status"] == f'netweave; error={token}; details="source=sample"'
        assert int(answer["Age"]) >= 77
    assert call("alice", PATH).json() == before
    strict = call("alice", PATH, headers={"Prefer": 'respond-async, handling="strict"'})
    assert (strict.status_code, strict.json()["sources"]) == (status, ["sample"])
    assert "sample" in strict.json()["detail"]
    assert token in strict["Proxy-Status"]
    one = before["items"][0]["resourcePoolId"]
    assert call("alice", f"{PATH}/{one}", headers={"Prefer": "handling=strict"}).status_code == status
    assert call("alice", f"{PATH}/{one}", headers={"Prefer": "handling=lenient"}).status_code == 200


def test_silence_alone_makes_a_source_stale(sample: World, call: Call) -> None:
    sample.sources["sample"].is_now(Source.State.UP, silent=19)
    sample.follow()
    assert "Age" not in call("alice", PATH)
    sample.sources["sample"].is_now(Source.State.UP, silent=21)
    sample.follow()
    assert int(call("alice", PATH)["Age"]) >= 21
    assert call("alice", PATH, headers={"Prefer": "handling=strict"}).status_code == 504


def test_the_error_of_another_day_is_not_told_for_silence(sample: World, call: Call) -> None:
    sample.sources["sample"].is_now(Source.State.UP, error_class="Forbidden", silent=60)
    sample.follow()
    assert "destination_unavailable" in call("alice", PATH)["Proxy-Status"]
    assert call("alice", PATH, headers={"Prefer": "handling=strict"}).status_code == 504


def test_a_polled_source_may_be_silent_for_its_interval(sample: World, call: Call) -> None:
    Source.objects.update(fresh_seconds=60)
    sample.sources["sample"].is_now(Source.State.UP, silent=50)
    sample.follow()
    assert "Age" not in call("alice", PATH)


def test_a_source_that_was_never_listed_has_no_age_and_is_named(world: World, call: Call) -> None:
    world.source("new", tenant="acme").is_now(Source.State.STARTING, silent=None)
    world.follow()
    answer = call("alice", PATH)
    assert "Age" not in answer
    assert 'details="source=new"' in answer["Proxy-Status"]


def test_only_sources_that_concern_the_caller_are_named(world: World, call: Call) -> None:
    world.add("theirs", things=small(), tenant="acme").is_now(Source.State.DOWN, error_class="Unreachable")
    world.follow()
    assert "theirs" in call("alice", PATH)["Proxy-Status"]
    assert "theirs" in call("root", PATH)["Proxy-Status"]
    assert "Proxy-Status" not in call("charlie", PATH)
    assert call("charlie", PATH, headers={"Prefer": "handling=strict"}).status_code == 200


def test_the_oldest_of_several_sources_counts(sample: World, call: Call) -> None:
    sample.add("second", shared=True).is_now(Source.State.DOWN, error_class="TimedOut", silent=500)
    sample.sources["sample"].is_now(Source.State.DOWN, error_class="Unreachable", silent=40)
    sample.follow()
    answer = call("alice", PATH)
    assert int(answer["Age"]) >= 500
    assert answer["Proxy-Status"].count("source=") == 2
    assert call("alice", PATH, headers={"Prefer": "handling=strict"}).status_code == 502
