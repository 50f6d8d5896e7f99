"""The admin site: what a platform admin and an auditor meet, and what nobody can do."""

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from o2ims.models import Source
from tenancy.models import Tenant, Token
from tenancy.revocations import Revocation
from tests.world import Cast, World

PAGES = ["o2ims_source", "o2ims_item", "o2ims_change", "tenancy_tenant", "tenancy_user", "tenancy_role",
         "tenancy_binding", "tenancy_token"]  # fmt: skip


def first(page: str) -> Model:
    """The first row of an admin page."""
    row = apps.get_model(page.replace("_", ".", 1))._default_manager.first()
    assert row is not None
    return row


@pytest.fixture
def admin(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.users["root"])
    return client


@pytest.fixture
def auditor(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.users["iris"])
    return client


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("who", ["admin", "auditor"])
def test_every_page_opens_searches_and_shows_a_row(
    sample: World, request: pytest.FixtureRequest, who: str, page: str
) -> None:
    client: Client = request.getfixturevalue(who)
    changelist = reverse(f"admin:{page}_changelist")
    listed = client.get(changelist)
    assert listed.status_code == 200
    assert client.get(changelist, {"q": "mock"}).status_code == 200
    model = listed.context["cl"].model
    row = model.objects.first()
    assert client.get(reverse(f"admin:{page}_change", args=[row.pk])).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_an_auditor_changes_nothing(sample: World, auditor: Client, page: str) -> None:
    row = first(page)
    for url in (reverse(f"admin:{page}_add"), reverse(f"admin:{page}_delete", args=[row.pk])):
        assert auditor.get(url).status_code == 403
        assert auditor.post(url, {"post": "yes"}).status_code == 403
    assert auditor.post(reverse(f"admin:{page}_change", args=[row.pk]), {"name": "x"}).status_code == 403


@pytest.mark.parametrize("page", ["o2ims_source", "o2ims_item", "o2ims_change"])
def test_nobody_writes_what_backends_say_not_even_a_superuser(
    sample: World, admin: Client, page: str
) -> None:
    row = first(page)
    assert admin.post(reverse(f"admin:{page}_add"), {}).status_code == 403
    assert admin.post(reverse(f"admin:{page}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert admin.post(reverse(f"admin:{page}_change", args=[row.pk]), {"name": "x"}).status_code == 403


def test_a_source_shows_its_state_its_error_and_hides_secrets(
    sample: World, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = sample.sources["sample"]
    one.is_now(Source.State.DOWN, error_class="Unauthorized")
    Source.objects.update(error="sample: the token is wrong")
    page = admin.get(reverse("admin:o2ims_source_change", args=[one.source.pk])).content.decode()
    assert "Unauthorized: sample: the token is wrong" in page
    assert "state-down" in page
    from o2ims.admin.words import hidden

    assert hidden({"apiKey": "s3cret", "nested": {"password": "env:NAME"}, "path": "/x"}) == {
        "apiKey": "***",
        "nested": {"password": "env:NAME"},
        "path": "/x",
    }


def test_check_now_asks_the_backend_and_says_what_it_said(sample: World, admin: Client) -> None:
    url = reverse("admin:o2ims_source_check", args=[sample.sources["sample"].source.pk])
    assert admin.get(url).status_code == 405
    answer = admin.post(url, follow=True)
    assert "Reachable and allowed: sample (" in answer.content.decode()
    picked = {"action": "check_now", "_selected_action": [sample.sources["sample"].source.pk]}
    assert (
        "Reachable and allowed: sample"
        in admin.post(reverse("admin:o2ims_source_changelist"), picked, follow=True).content.decode()
    )


def test_a_token_issued_here_is_shown_once_works_and_can_be_revoked(
    sample: World, admin: Client, cast: Cast, call: Callable[..., Any]
) -> None:
    picked = {"action": "issue_token", "_selected_action": [str(cast.users["alice"].pk)]}
    page = admin.post(reverse("admin:tenancy_user_changelist"), picked, follow=True).content.decode()
    secret = page.split("shown this once: ")[1].split("<")[0].strip()
    cast.tokens["alice"] = secret
    assert call("alice", "/o2ims/v1/resourcePools").status_code == 200
    assert secret not in admin.get(reverse("admin:tenancy_token_changelist")).content.decode()
    token = Token.objects.get(prefix=secret[:8], name="issued in the admin site")
    before = Revocation.objects.count()
    admin.post(
        reverse("admin:tenancy_token_changelist"), {"action": "revoke", "_selected_action": [str(token.pk)]}
    )
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert Revocation.objects.count() == before + 1


def test_a_tenant_is_added_and_its_id_stays(admin: Client, cast: Cast) -> None:
    url = reverse("admin:tenancy_tenant_add")
    wrong = admin.post(url, {"id": "No Good", "name": "x", "status": "active"})
    assert "Lower-case letters" in wrong.content.decode()
    assert admin.post(url, {"id": "initech", "name": "Initech", "status": "active"}).status_code == 302
    change = reverse("admin:tenancy_tenant_change", args=["initech"])
    admin.post(change, {"id": "other", "name": "Initech Ltd", "status": "pendingDeletion"})
    assert Tenant.objects.get(pk="initech").name == "Initech Ltd"
    assert not Tenant.objects.filter(pk="other").exists()


def test_a_stranger_and_a_tenants_user_get_no_further_than_the_login(sample: World, cast: Cast) -> None:
    client = Client()
    client.force_login(cast.users["alice"])
    for someone in (Client(), client):
        answer = someone.get("/admin/o2ims/source/")
        assert answer.status_code == 302
        assert "/admin/login/" in answer["Location"]


def test_the_admin_apis_root_is_never_the_sites_login_page(cast: Cast, call: Callable[..., Any]) -> None:
    assert call("", "/admin/v1/nothing").status_code == 401
    answer = call("root", "/admin/v1/nothing")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_list_pages_ask_a_bounded_number_of_questions(
    sample: World, admin: Client, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    for page in PAGES:
        with django_assert_max_num_queries(14):
            admin.get(reverse(f"admin:{page}_changelist"))
