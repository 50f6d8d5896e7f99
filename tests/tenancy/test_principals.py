"""Callers are remembered without asking the database again, and forgotten when something is taken from
them."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, ProgrammingError, connection, connections, transaction
from django.utils import timezone

from tenancy.models import Binding, Role, Tenant, Token, User
from tenancy.permissions import Action, Resource, Rights
from tenancy.principals import Principals, Suspended, Unavailable, Unidentified
from tenancy.revocations import Revocation
from tenancy.scope import TenantScope
from tests.world import Cast, people

Queries = Callable[[int], Any]


@pytest.fixture
def known(cast: Cast) -> Principals:
    made = Principals()
    made.follow()
    for name in cast.tokens:
        made.of_token(cast.tokens[name])
    return made


def test_a_known_caller_costs_no_query(
    cast: Cast, known: Principals, django_assert_num_queries: Queries
) -> None:
    with django_assert_num_queries(0):
        alice = known.of_token(cast.tokens["alice"])
        assert alice.scope(Resource.RESOURCE, Action.READ) == TenantScope.of("acme")
        assert alice.scope(Resource.RESOURCE, Action.DELETE) == TenantScope.of("acme", shared=False)
        assert alice.scope(Resource.SOURCE, Action.READ) is None
    assert (alice.name, alice.tenant, alice.authentication) == ("alice@acme", "acme", "token")
    root = known.of_token(cast.tokens["root"])
    assert root.scope(Resource.RESOURCE, Action.DELETE) == TenantScope.everything()


@pytest.mark.parametrize("secret", ["", "nwt_", "nwt_wrong", "\udcff", "x" * 10_000])
def test_an_unknown_token_is_nobody(known: Principals, secret: str) -> None:
    with pytest.raises(Unidentified):
        known.of_token(secret)


def test_each_way_of_losing_a_right_is_noticed(cast: Cast, known: Principals) -> None:
    ways: list[tuple[str, Callable[[], Any], type[Exception]]] = [
        ("alice", cast.rows["alice"].revoke, Unidentified),
        ("bob", lambda: _save(cast.users["bob"], is_active=False), Unidentified),
        ("charlie", lambda: _save(Tenant.objects.get(pk="globex"), status="suspended"), Suspended),
        ("iris", cast.users["iris"].delete, Unidentified),
    ]
    for name, take_away, error in ways:
        take_away()
        known.follow()
        with pytest.raises(error):
            known.of_token(cast.tokens[name])
    assert known.of_token(cast.tokens["root"]).name == "root"


def _save(row: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    row.save()


def test_a_role_taken_or_changed_is_noticed(cast: Cast, known: Principals) -> None:
    role = Role(tenant_id="acme", name="Pools", permissions=["ResourcePool:manage:tenant"])
    role.save()
    held = Binding(user=cast.users["bob"], role=role)
    held.save()

    def bob() -> TenantScope | None:
        known.follow()
        return known.of_token(cast.tokens["bob"]).scope(Resource.RESOURCE_POOL, Action.DELETE)

    assert bob() == TenantScope.of("acme", shared=False)
    role.permissions = ["ResourcePool:create:tenant"]
    role.save()
    assert bob() is None
    role.permissions = ["ResourcePool:delete:tenant"]
    role.save()
    assert bob() is not None
    held.delete()
    assert bob() is None


def test_a_role_that_ends_gives_nothing_from_that_moment_in_a_remembered_caller_too(
    cast: Cast, django_assert_num_queries: Queries
) -> None:
    ends = timezone.now() + timedelta(hours=1)
    Binding(user=cast.users["bob"], role=Role.built_in("Admin"), expires_at=ends).save()
    known = Principals()
    known.follow()
    bob = known.of_token(cast.tokens["bob"])
    assert bob.scope(Resource.RESOURCE, Action.DELETE) == TenantScope.of("acme", shared=False)
    assert bob.at(ends - timedelta(microseconds=1)) is bob
    assert bob.at(ends).rights == Rights(Role.built_in("Viewer").grants)
    assert bob.at(ends).rights_until is None
    known._by_digest = {
        key: replace(one, rights_until=timezone.now()) for key, one in known._by_digest.items()
    }
    with django_assert_num_queries(0):
        remembered = known.of_token(cast.tokens["bob"])
    assert remembered.rights_until == ends  # asked again, without the database


def test_a_stalled_follower_makes_the_next_caller_look(cast: Cast, known: Principals) -> None:
    cast.rows["alice"].revoke()
    known._followed -= 60
    with pytest.raises(Unidentified):
        known.of_token(cast.tokens["alice"])


def test_without_a_database_the_known_live_on_for_a_while(
    cast: Cast, known: Principals, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(self: Principals) -> None:
        raise OperationalError

    monkeypatch.setattr(Principals, "follow", away)
    known._followed -= 60
    assert known.of_token(cast.tokens["alice"]).name == "alice@acme"
    known._followed -= 600
    with pytest.raises(Unavailable):
        known.of_token(cast.tokens["alice"])


def test_where_somebody_follows_no_caller_waits_for_a_database_that_is_away(
    cast: Cast, known: Principals, django_assert_num_queries: Queries
) -> None:
    known.attended = True
    known._followed -= 60
    with django_assert_num_queries(0):
        assert known.of_token(cast.tokens["alice"]).name == "alice@acme"
        with pytest.raises(Unavailable):
            known.of_token("nwt_stranger")
    known._followed -= 600
    with pytest.raises(Unavailable):
        known.of_token(cast.tokens["alice"])


def test_use_is_written_down(cast: Cast, known: Principals) -> None:
    later = timezone.now()
    assert Token.objects.get(pk=cast.rows["alice"].pk).last_used_at is None
    known.note_use()
    noted = Token.objects.get(pk=cast.rows["alice"].pk).last_used_at
    assert noted is not None
    assert noted < later, "when it was used, not when that was written"
    Token.objects.filter(pk=cast.rows["alice"].pk).update(last_used_at=later + timedelta(hours=1))
    known.of_token(cast.tokens["alice"])
    known.note_use()
    by_another = Token.objects.get(pk=cast.rows["alice"].pk).last_used_at
    assert by_another == later + timedelta(hours=1), "another process has seen a later one"


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_of_two_revocations_at_once_none_is_missed() -> None:
    cast = people()
    known = Principals()
    known.follow()
    known.of_token(cast.tokens["alice"])
    begun, done = threading.Event(), threading.Event()

    def second() -> None:
        begun.wait(10)
        try:
            cast.rows["charlie"].revoke()
        finally:
            done.set()
            connections.close_all()

    thread = threading.Thread(target=second)
    thread.start()
    with transaction.atomic():
        cast.rows["alice"].revoke()  # its id is drawn before the other's, and committed after
        begun.set()
        assert not done.wait(0.5)
    thread.join(10)
    known.follow()
    for name in ("alice", "charlie"):
        with pytest.raises(Unidentified):
            known.of_token(cast.tokens[name])


def test_signing_in_takes_nothing_from_anybody(cast: Cast) -> None:
    before = Revocation.objects.count()
    root = cast.users["root"]
    root.last_login = timezone.now()
    root.save(update_fields=["last_login"])
    assert Revocation.objects.count() == before
    assert User.objects.get(pk=root.pk).last_login is not None


def test_a_secret_is_256_bits_and_kept_as_its_digest_only(cast: Cast) -> None:
    secret = cast.tokens["alice"]
    assert len(secret) >= 4 + 43
    row = Token.objects.get(pk=cast.rows["alice"].pk)
    assert bytes(row.digest) == Token.digest_of(secret)
    assert secret not in str(row)
    assert secret.startswith(row.prefix)


def test_an_empty_tenant_is_an_error_never_no_filter() -> None:
    with pytest.raises(ValueError, match="needs a tenant"):
        TenantScope.of("")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tenancy_revocation SET what = 'x'", "DELETE FROM tenancy_revocation", "TRUNCATE o2ims_item",
        "DROP TABLE o2ims_change", "CREATE TABLE public.mine (id int)", "DELETE FROM django_migrations",
        "ALTER TABLE o2ims_item ADD COLUMN x int",
    ],
)  # fmt: skip
def test_the_applications_login_may_not(db: None, statement: str) -> None:
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), transaction.atomic():
        connection.cursor().execute(statement)
