"""What the admin pages say: words for states, owners and nothing, exact times, differences, and links."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from o2ims.models import Change, Item, Source
from tenancy.models import Tenant, Token
from tenancy.principals import Principals, Unidentified
from tenancy.trust import Certificate
from tests.certificates import Authority
from tests.world import Cast, World, pool, resource, small


@pytest.fixture
def admin(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.users["root"])
    return client


def read(client: Client, page: str, *row: Any, **query: str) -> str:
    """The HTML of a list, or of one row."""
    kind = "change" if row else "changelist"
    answer = client.get(reverse(f"admin:{page}_{kind}", args=row), query)
    assert answer.status_code == 200
    return answer.content.decode()


def rows(client: Client, page: str, **query: str) -> int:
    return len(client.get(reverse(f"admin:{page}_changelist"), query).context["cl"].result_list)


def test_the_menu_is_in_the_order_of_who_before_what(admin: Client) -> None:
    apps = admin.get("/admin/").context["app_list"]
    assert [(app["name"], [page["name"] for page in app["models"]]) for app in apps] == [
        (
            "Who",
            [
                "Tenants",
                "Users",
                "Roles",
                "Bindings",
                "Tokens",
                "Issuers",
                "Certificates",
                "Quotas",
                "Audit entries",
            ],
        ),
        ("What", ["Sources", "Items", "Changes", "Operations"]),
        ("Events", ["Subscriptions", "Deliveries"]),
    ]
    (events,) = admin.get("/admin/subscriptions/").context["app_list"]
    assert [page["admin_url"] for page in events["models"]] == [
        "/admin/subscriptions/subscription/",
        "/admin/subscriptions/delivery/",
    ]
    assert [app["name"] for app in admin.get("/admin/o2ims/").context["app_list"]] == ["What"]


def test_an_empty_list_says_why_and_one_without_hits_leads_out(admin: Client) -> None:
    assert "There are no sources. The configuration, gateway.yaml, names no backend yet." in read(
        admin, "o2ims_source"
    )
    assert "the list of sources says why" in read(admin, "o2ims_item")
    assert "within the time that changes are kept" in read(admin, "o2ims_change")
    assert "There are no deliveries. Changes that a subscription" in read(admin, "subscriptions_delivery")
    assert '<a href="?">Show all users</a>' in read(admin, "tenancy_user", q="nobody-like-that")


def test_what_is_of_no_tenant_is_the_platforms_in_tables_and_filters(world: World, admin: Client) -> None:
    world.add("sample", things=[*small(2), pool("pool-2", tenant="")])
    assert ">the platform</td>" in read(admin, "o2ims_item", kind__exact="ResourcePool")
    assert '<a href="?tenant=">the platform</a>' in read(admin, "o2ims_item")
    assert "the platform (2)" in read(admin, "o2ims_item", _facets="True")
    assert rows(admin, "o2ims_item", tenant="") == 2  # the type and pool-2
    assert rows(admin, "o2ims_change", tenant="acme") == 3
    assert "the platform" in read(admin, "tenancy_token")
    assert rows(admin, "tenancy_token", user__tenant__isnull="True") == 2  # root's and iris's


def test_a_source_counts_and_links_to_what_is_there(world: World, admin: Client) -> None:
    one = world.add("sample", things=small(3))
    one.lose(resource("node-2"))
    link = f"/admin/o2ims/item/?source__id__exact={one.source.pk}&presence=there"
    assert f'<a href="{link}">4</a>' in read(admin, "o2ims_source").replace("&amp;", "&")
    assert len(admin.get(link).context["cl"].result_list) == 4
    assert rows(admin, "o2ims_item", presence="gone") == 1
    assert rows(admin, "o2ims_item") == 5


def test_a_source_that_is_gone_from_the_configuration_is_not_up(world: World, admin: Client) -> None:
    world.add("sample", things=small(1))
    Source.objects.update(retired_at=timezone.now())
    page = read(admin, "o2ims_source")
    assert "□ retired" in page
    assert "state-up" not in page


def test_a_change_shows_only_what_differs_and_leads_to_its_relatives(world: World, admin: Client) -> None:
    one = world.add("sample", things=[*small(0), resource(extensions={"cores": 4})])
    (change,) = one.see(resource(version="2", extensions={"cores": 8}))
    Change.objects.filter(pk=change.pk).update(at=datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC))
    page = read(admin, "o2ims_change", change.pk)
    assert page.count("<del>") == 1
    assert "cores: <del>4</del> <ins>8</ins>" in page
    assert ">2026-02-03 04:05:06</time>" in page
    assert "Time (UTC)" in page
    assert rows(admin, "o2ims_change", q=one.id_of(resource())) == 2
    assert f'?q={one.id_of(resource())}">all its changes' in page
    assert f'?q={change.request_id}">everything it changed' in page
    assert f'?requestId={change.request_id}">its audit entries' in page
    first = Change.objects.earliest("id")
    assert "the whole object" in read(admin, "o2ims_change", first.pk)
    item = Item.objects.get(object_id=one.id_of(resource()))
    assert f'?q={item.object_id}">its changes' in read(admin, "o2ims_item", item.pk)


def test_what_a_backend_says_cannot_write_html(world: World, admin: Client) -> None:
    one = world.add("sample", things=[*small(0), resource(name="<script>one</script>")])
    (change,) = one.see(resource(version="2", name="<script>two</script>"))
    Source.objects.update(error_class="Unauthorized", error="<script>three</script>")
    for page in ("o2ims_source", "o2ims_item", "o2ims_change"):
        assert "<script>t" not in read(admin, page)
    page = read(admin, "o2ims_change", change.pk)
    assert "&lt;script&gt;two" in page
    assert "<script>one" not in page
    assert "<script>two" not in page


def test_a_tokens_state_is_a_word(cast: Cast, admin: Client) -> None:
    cast.rows["alice"].revoke()
    Token.objects.filter(pk=cast.rows["bob"].pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    page = read(admin, "tenancy_token")
    assert page.count("✕ revoked") == 1
    assert page.count("□ expired") == 1
    assert page.count("● valid") == 3
    Tenant.objects.filter(pk="globex").update(status="suspended")
    suspended = read(admin, "tenancy_token")
    assert (suspended.count("□ user suspended"), suspended.count("● valid")) == (1, 2)
    assert "never" in page  # used, and expires
    made = cast.rows["alice"].created_at.strftime("%Y-%m-%d %H:%M:%S")
    assert f">{made}</time>" in read(admin, "tenancy_token", cast.rows["alice"].pk)


def test_a_ca_is_added_once_and_a_certificate_that_was_used_is_revoked(
    admin: Client, cast: Cast, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    page, pem = reverse("admin:tenancy_issuer_add"), authority.file.read_text()
    for wrong in ("junk", authority.issue(names=["x"]).certificate.read_text()):
        answer = admin.post(page, {"tenant": "acme", "pem": wrong})
        assert "no CA&#x27;s certificate" in answer.content.decode()
    assert admin.post(page, {"tenant": "acme", "pem": pem}).status_code == 302
    assert "It is believed already." in admin.post(page, {"tenant": "acme", "pem": pem}).content.decode()
    assert "CN=Test CA" in read(admin, "tenancy_issuer")

    shown = authority.issue(names=["alice.acme.o2ims.example.com"])
    Principals().of_certificate(shown.certificate.read_bytes())
    (row,) = Certificate.objects.all()
    assert "● valid" in read(admin, "tenancy_certificate")
    revoke = {"action": "revoke", "_selected_action": [str(row.pk)]}
    admin.post(reverse("admin:tenancy_certificate_changelist"), revoke)
    assert "✕ revoked" in read(admin, "tenancy_certificate")
    with pytest.raises(Unidentified):
        Principals().of_certificate(shown.certificate.read_bytes())
