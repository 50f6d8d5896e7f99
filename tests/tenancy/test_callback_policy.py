"""Where a tenant's callbacks may go and whether they have to answer: the platform says it, in the admin API
and in the admin site, and it stands in the trail."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.urls import reverse

from tenancy import drafts
from tenancy.administration import Administration
from tenancy.drafts import Sent
from tenancy.models import Tenant
from tenancy.permissions import Permission, Rights
from tenancy.principals import principals
from tenancy.representation import TENANT
from tenancy.trail import AuditEntry
from tests.world import Cast

Call = Callable[..., Any]

PATH = "/admin/v1/tenants/acme"
NONE = "must be a network, such as 10.20.0.0/16 or fd00:20::/32"
WIDE = (
    "is too wide: name the networks in which the tenant's callbacks are; "
    "the largest private ones are a /8, of IPv6 a /7"
)
NEVER = "is loopback, link-local or multicast: callbacks never go there"
EMBEDDED = "is IPv4 inside IPv6: name the IPv4 network"


def of(answer: Any) -> tuple[Any, Any]:
    body = answer.json()
    return body["callbackCheck"], body["callbackNetworks"]


class TestThePolicy:
    def test_is_set_shown_and_taken_away(self, cast: Cast, call: Call, edit: Call) -> None:
        assert of(call("root", PATH)) == (None, [])
        given = {"callbackCheck": "strict", "callbackNetworks": ["10.20.0.0/16", "fd00:20::/32"]}
        changed = edit("root", "PATCH", PATH, given)
        assert (changed.status_code, of(changed)) == (200, tuple(given.values()))
        assert of(edit("root", "PATCH", PATH, {"description": "x"})) == tuple(given.values())
        assert of(edit("root", "PATCH", PATH, {"callbackCheck": None})) == (None, given["callbackNetworks"])
        assert of(edit("root", "PATCH", PATH, {"callbackNetworks": None})) == (None, [])
        whole = {"name": "Acme", "status": "active"}
        assert of(edit("root", "PUT", PATH, {**whole, **given})) == tuple(given.values())
        read = call("root", PATH)
        assert of(edit("root", "PUT", PATH, read.json())) == tuple(given.values())
        assert of(edit("root", "PUT", PATH, whole)) == (None, [])

    def test_may_come_with_a_new_tenant(self, cast: Cast, call: Call, send: Call) -> None:
        given = {"callbackCheck": "off", "callbackNetworks": ["192.168.7.0/24"]}
        made = send("root", "POST", "/admin/v1/tenants", {"tenantId": "initech", "name": "I", **given})
        assert (made.status_code, of(made)) == (201, tuple(given.values()))
        assert of(call("root", "/admin/v1/tenants/initech")) == tuple(given.values())

    def test_is_kept_as_it_is_usually_written_and_each_network_once(self, cast: Cast, edit: Call) -> None:
        given = ["10.1.2.3", "FD00:0020::/32", "10.1.2.3/32", "10.1.2.4/31", "8.8.8.0/24"]
        kept = ["10.1.2.3/32", "fd00:20::/32", "10.1.2.4/31", "8.8.8.0/24"]
        assert of(edit("root", "PATCH", PATH, {"callbackNetworks": given}))[1] == kept

    @pytest.mark.parametrize(
        ("network", "detail"),
        [
            *((one, NONE) for one in ("", "x", "smo.example.com", "10.0.0/8", "10.0.0.0/33", "10.0.0.0/-1")),
            *((one, NONE) for one in (" 10.0.0.0/8", "10.0.0.0/255.0.0.0", "fd00::%1/64", "10.0.0.0/8\n")),
            *((one, NONE) for one in (7, None, ["10.0.0.0/8"], 167772160, "167772160", "fd00::/129")),
            ("١٠.٠.٠.٠/٨", NONE),
            ("10.1.2.3/8", "has bits set beyond its prefix; the network is 10.0.0.0/8"),
            ("fd00::1/64", "has bits set beyond its prefix; the network is fd00::/64"),
            *((one, WIDE) for one in ("0.0.0.0/0", "::/0", "0.0.0.0/1", "10.0.0.0/7", "fc00::/6")),
            *((one, EMBEDDED) for one in ("::ffff:10.0.0.0/104", "2002:a00::/24", "64:ff9b::a00:0/104")),
            *((one, NEVER) for one in ("127.0.0.0/8", "::1", "169.254.169.254", "fe80::/10")),
            *((one, NEVER) for one in ("224.0.0.0/8", "ff00::/8", "::", "0.0.0.0")),
        ],
    )  # fmt: skip
    def test_that_is_none_is_refused_with_its_place_and_says_why(
        self, cast: Cast, edit: Call, network: Any, detail: str
    ) -> None:
        refused = edit("root", "PATCH", PATH, {"callbackNetworks": ["10.0.0.0/8", network]})
        assert refused.status_code == 400
        assert refused.json()["errors"] == [{"pointer": "/callbackNetworks/1", "detail": detail}]
        assert Tenant.objects.get(pk="acme").callback_networks == []

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"callbackNetworks": "10.0.0.0/8"}, "/callbackNetworks"),
            ({"callbackNetworks": {"0": "10.0.0.0/8"}}, "/callbackNetworks"),
            ({"callbackNetworks": [f"10.{n}.0.0/16" for n in range(65)]}, "/callbackNetworks"),
            ({"callbackCheck": "sometimes"}, "/callbackCheck"),
            ({"callbackCheck": ""}, "/callbackCheck"),
            ({"callbackCheck": 7}, "/callbackCheck"),
            ({"callbackCheck": ["off"]}, "/callbackCheck"),
        ],
    )
    def test_of_another_shape_is_refused(
        self, cast: Cast, edit: Call, send: Call, body: dict[str, Any], pointer: str
    ) -> None:
        for answer in (
            edit("root", "PATCH", PATH, body),
            edit("root", "PUT", PATH, {"name": "Acme", "status": "active", **body}),
            send("root", "POST", "/admin/v1/tenants", {"tenantId": "initech", "name": "I", **body}),
        ):
            assert answer.status_code == 400
            assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    def test_has_as_many_networks_as_are_allowed(self, cast: Cast, edit: Call) -> None:
        most = [f"10.{n}.0.0/16" for n in range(64)]
        assert of(edit("root", "PATCH", PATH, {"callbackNetworks": most}))[1] == most

    def test_is_the_platforms_to_say_and_the_tenants_to_read(
        self, cast: Cast, call: Call, edit: Call
    ) -> None:
        cast.join("carol", None, "TenantAdmin")
        cast.join("ada", "acme", "Admin")
        assert edit("carol", "PATCH", PATH, {"callbackNetworks": ["10.0.0.0/8"]}).status_code == 200
        for who in ("alice", "ada", "bob", "iris"):
            assert of(call(who, PATH)) == (None, ["10.0.0.0/8"])
            for body in ({"callbackNetworks": ["10.0.0.0/9"]}, {"callbackCheck": "off"}):
                assert edit(who, "PATCH", PATH, body).status_code == 403, who
        assert edit("charlie", "PATCH", PATH, {"callbackCheck": "off"}, by="root").status_code in {403, 404}
        assert of(call("root", PATH)) == (None, ["10.0.0.0/8"])

    def test_is_not_for_who_may_change_the_tenant_alone(self, cast: Cast) -> None:
        rights = Rights(frozenset({Permission.parse("Tenant:update:tenant")}))
        narrow = Administration(replace(principals.of_token(cast.tokens["alice"]), rights=rights))
        acme = Tenant.objects.get(pk="acme")
        current = TENANT.wire(acme)
        narrow.change_tenant(acme, drafts.changed_tenant(Sent({"name": "New"}, current, whole=False)))
        for body in ({"callbackNetworks": ["10.0.0.0/8"]}, {"callbackCheck": "off"}):
            with pytest.raises(PermissionDenied):
                narrow.change_tenant(acme, drafts.changed_tenant(Sent(body, current, whole=False)))

    def test_stands_in_the_trail_as_it_was_and_as_it_is(self, cast: Cast, edit: Call) -> None:
        edit("root", "PATCH", PATH, {"callbackCheck": "off", "callbackNetworks": ["10.0.0.0/8"]})
        told = AuditEntry.objects.get(kind="Tenant", object_id="acme", action="update")
        states = [json.loads(text or "") for text in (told.before, told.after)]
        shown = [(state["callbackCheck"], state["callbackNetworks"]) for state in states]
        assert shown == [(None, []), ("off", ["10.0.0.0/8"])]

    def test_is_nobodys_where_the_release_before_has_added_the_tenant(self, cast: Cast, call: Call) -> None:
        with connection.cursor() as rows:
            rows.execute(
                "INSERT INTO tenancy_tenant (id, name, description, status, contact_email, created_at,"
                " updated_at) VALUES ('older', 'Older', '', 'active', '', now(), now())"
            )
        assert of(call("root", "/admin/v1/tenants/older")) == (None, [])


class TestThePage:
    URL = reverse("admin:tenancy_tenant_change", args=["acme"])
    BODY = {"name": "Acme", "status": "active"}

    @pytest.fixture
    def root(self, cast: Cast) -> Client:
        return self.browser(cast, "root")

    @staticmethod
    def browser(cast: Cast, who: str) -> Client:
        made = Client()
        made.force_login(cast.users[who])
        return made

    def test_takes_networks_a_line_each_and_tells_the_trail(self, root: Client) -> None:
        given = {"callback_check": "strict", "callback_networks": "10.20.0.0/16\r\n\r\n fd00:20::/32 \r\n"}
        assert root.post(self.URL, self.BODY | given).status_code == 302
        acme = Tenant.objects.get(pk="acme")
        assert (acme.callback_check, acme.callback_networks) == ("strict", ["10.20.0.0/16", "fd00:20::/32"])
        assert "10.20.0.0/16\nfd00:20::/32</textarea>" in root.get(self.URL).content.decode()
        told = AuditEntry.objects.get(kind="Tenant", object_id="acme", action="update")
        assert json.loads(told.before or "")["callbackNetworks"] == []
        assert json.loads(told.after or "")["callbackNetworks"] == acme.callback_networks
        assert root.post(self.URL, self.BODY | {"callback_networks": ""}).status_code == 302
        assert Tenant.objects.get(pk="acme").callback_networks == []

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ("10.0.0.0/8\n10.1.2.3/8\n0.0.0.0/0", ["10.1.2.3/8 has bits set", "0.0.0.0/0 is too wide"]),
            ("<b>", ["&lt;b&gt; must be a network"]),
            ("\n".join(f"10.{n}.0.0/16" for n in range(65)), ["There may be at most 64 networks."]),
        ],
    )
    def test_says_of_each_line_what_is_wrong(self, root: Client, typed: str, said: list[str]) -> None:
        page = root.post(self.URL, self.BODY | {"callback_networks": typed})
        assert page.status_code == 200
        content = page.content.decode()
        assert all(one in content for one in said)
        assert Tenant.objects.get(pk="acme").callback_networks == []

    def test_is_readable_for_who_only_reads(self, cast: Cast) -> None:
        Tenant.objects.filter(pk="acme").update(callback_networks=["10.20.0.0/16", "fd00:20::/32"])
        page = self.browser(cast, "iris").get(self.URL).content.decode()
        assert "<div>10.20.0.0/16</div><div>fd00:20::/32</div>" in page
        refused = self.browser(cast, "iris").post(self.URL, self.BODY | {"callback_networks": ""})
        assert refused.status_code == 403
