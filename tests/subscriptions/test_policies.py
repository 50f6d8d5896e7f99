"""What the platform says of a tenant's callbacks counts when its people subscribe, and for nobody else."""

import json
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from subscriptions import delivery, policies
from subscriptions.callback import Forbidden, Policy, check_address, check_url
from subscriptions.policies import Policies, Terms
from tenancy.models import Tenant
from tests.sink import Sink, closed_port
from tests.world import World

Call = Callable[..., Any]

ROOT = "/o2ims/v1/subscriptions"
ORAN = "/o2ims-infrastructureInventory/v1/subscriptions"
SMO = "https://10.20.30.40/notifications"
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


@pytest.fixture
def post(call: Call, stored: None, sample: World) -> Call:
    def send(who: str, callback: str, path: str = ROOT, method: str = "POST") -> Any:
        body = json.dumps({"callback": callback})
        return call(who, path, method=method, data=body, content_type="application/json")

    return send


def say(tenant: str, *networks: str, check: str = "") -> None:
    row = Tenant.objects.get(pk=tenant)
    row.callback_check, row.callback_networks = check, list(networks)
    row.save()


def refusal(answer: Any) -> Any:
    assert answer.status_code == 400, answer.content
    (error,) = answer.json()["errors"]
    return error


class TestSubscribing:
    @pytest.mark.parametrize("path", [ROOT, ORAN])
    def test_a_tenants_own_network_is_open_to_its_people_alone(self, post: Call, path: str) -> None:
        closed = {"pointer": "/callback"}
        detail = "the address is private, and not on the allow-list: callbacks may not go there"
        say("globex", "10.99.0.0/16", check="off")
        assert refusal(post("alice", SMO, path)) == {**closed, "detail": detail}
        say("acme", "10.20.0.0/16", check="off")
        assert post("alice", SMO, path).status_code == 201
        for who in ("charlie", "root"):
            assert refusal(post(who, SMO, path))["detail"] == detail, who
        assert refusal(post("alice", "https://10.21.0.1/x", path))["detail"] == detail

    def test_what_the_setting_opens_is_open_to_a_tenant_with_networks_too(
        self, post: Call, settings: Any
    ) -> None:
        settings.CALLBACK_NETWORKS = [ip_network("10.21.0.0/16")]
        for tenant in ("acme", "globex"):
            say(tenant, *(["10.20.0.0/16"] if tenant == "acme" else []), check="off")
        assert post("alice", SMO).status_code == 201
        for who in ("alice", "charlie"):
            assert post(who, "https://10.21.0.1/x").status_code == 201

    def test_another_callback_goes_by_what_the_subscriptions_tenant_may(self, post: Call) -> None:
        say("acme", "10.20.0.0/16", check="off")
        say("globex", "10.30.0.0/16", check="off")
        made = post("alice", SMO).json()
        path = f"{ROOT}/{made['subscriptionId']}"
        assert (
            post("root", "https://10.20.0.7/x", path, "PUT").status_code == 200
        )  # it is acme's all the same
        assert refusal(post("root", "https://10.30.0.7/x", path, "PUT"))["pointer"] == "/callback"
        say("acme", check="off")
        assert refusal(post("alice", SMO, path, "PUT"))["pointer"] == "/callback"

    def test_callbacks_have_to_answer_in_one_tenant_and_are_not_asked_in_another(
        self, post: Call, sink: Sink, settings: Any
    ) -> None:
        nowhere = f"http://127.0.0.1:{closed_port()}/x"
        say("acme", check="strict")
        say("globex", check="off")
        said = refusal(post("alice", nowhere))
        assert said["detail"] == "did not answer a GET with 2xx within 5 s: connect"
        assert post("alice", sink.url)["X-Callback-Check"] == "delivered"
        assert sink.asked == 1
        for callback in (nowhere, sink.url):
            taken = post("charlie", callback)
            assert (taken.status_code, "X-Callback-Check" in taken) == (201, False)
        assert sink.asked == 1
        assert post("root", nowhere)["X-Callback-Check"] == "connect"  # the setting's
        settings.CALLBACK_CHECK = "strict"
        say("globex", check="warn")
        assert post("charlie", nowhere + "/2")["X-Callback-Check"] == "connect"
        say("globex")
        assert post("charlie", nowhere + "/3").status_code == 400


EVERYTHING = ("0.0.0.0/0", "::/0", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", "fd00::/8", "10.0.0.0/8")


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "169.254.169.254", "fe80::1"),
        *("100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254", "224.0.0.1"),
        *("255.255.255.255", "10.9.8.7", "10.66.1.1", "64:ff9b::a00:1", "2002:7f00:1::"),
    ],
)  # fmt: skip
def test_nothing_lifts_what_is_never_allowed(cast: Any, settings: Any, address: str) -> None:
    settings.REDIS_URL = "redis://10.9.8.7:6379/0"
    settings.CALLBACK_FORBIDDEN_NETWORKS = [ip_network("10.66.0.0/16"), ip_network("64:ff9b::a00:0/120")]
    Tenant.objects.filter(pk="acme").update(callback_networks=list(EVERYTHING))  # by no hand of ours
    delivery._infrastructure.cache_clear()
    try:
        allowed = Terms.of("acme").policy
        followed = Policies()
        followed.follow()
    finally:
        delivery._infrastructure.cache_clear()
    assert followed.current == {"acme": allowed}
    check_url("https://10.9.8.8/x", allowed)
    with pytest.raises(Forbidden):
        check_address(ip_address(address), allowed)


def test_what_nobody_can_read_opens_nothing_and_stops_nobody(cast: Any) -> None:
    say("globex", "10.20.0.0/16")
    Tenant.objects.filter(pk="acme").update(callback_networks=["10.0.0.0/8", "rubbish"])
    followed = Policies()
    followed.follow()
    assert followed.current["acme"] == Terms.of("acme").policy == delivery.policy()
    check_url(SMO, followed.current["globex"])


class TestAWorker:
    def test_learns_of_a_change_within_a_second_and_asks_no_more_often(
        self, cast: Any, monkeypatch: Any, django_assert_num_queries: Callable[[int], Any]
    ) -> None:
        found = Policies()
        with django_assert_num_queries(2):
            found.follow()
        say("acme", "10.20.0.0/16")
        with django_assert_num_queries(0):
            found.follow()
        assert found.current == {}
        assert policies.FOLLOW_SECONDS <= 1
        monkeypatch.setattr(policies, "FOLLOW_SECONDS", 0)
        found.follow()
        assert found.current == {"acme": Policy(allowed=(ip_network("10.20.0.0/16"),))}
        known = found.current
        with django_assert_num_queries(1):
            found.follow()
        Tenant.objects.get(pk="globex").save()  # noted in the log, and of no interest
        found.follow()
        assert found.current is known
        say("acme")
        found.follow()
        assert found.current == {}

    def test_forgets_a_tenant_that_is_gone(self, cast: Any, monkeypatch: Any) -> None:
        monkeypatch.setattr(policies, "FOLLOW_SECONDS", 0)
        Tenant(id="initech", name="I", callback_networks=["10.20.0.0/16"]).save()
        found = Policies()
        found.follow()
        assert found.current.keys() == {"initech"}
        Tenant.objects.get(pk="initech").delete()
        found.follow()
        assert found.current == {}
