"""The migrations, on a database that an earlier release has filled."""

import psycopg
import pytest

from tests.gateway import Gateway

TENANT = "INSERT INTO tenancy_tenant (id, name, description, status, contact_email, created_at, updated_at)"
USER = """INSERT INTO tenancy_user (id, password, username, tenant_id, is_superuser, is_staff, is_active,
    first_name, last_name, email, date_joined, updated_at)
    VALUES (gen_random_uuid(), '', %s, %s, %s, %s, true, '', '', '', now(), now())"""
HELD = """SELECT u.username, r.name FROM tenancy_binding b JOIN tenancy_user u ON u.id = b.user_id
    JOIN tenancy_role r ON r.id = b.role_id WHERE b.expires_at IS NULL ORDER BY u.username"""


def test_everybody_gets_the_role_that_says_what_they_could_do(gateway: Gateway) -> None:
    with gateway.database() as rows:
        rows.execute("DROP SCHEMA public CASCADE")
        rows.execute("CREATE SCHEMA public")
    gateway.manage("migrate", "tenancy", "0001", "--verbosity", "0")
    with gateway.database() as rows:
        rows.execute(f"{TENANT} VALUES ('acme', 'Acme', '', 'active', '', now(), now())")
        for username, tenant, superuser, staff in (
            ("alice@acme", "acme", False, False),
            ("oscar@acme", "acme", True, True),
            ("root", None, True, True),
            ("iris", None, False, True),
            ("nobody", None, False, False),
        ):
            rows.execute(USER, [username, tenant, superuser, staff])
    gateway.manage("migrate", "--verbosity", "0")
    with gateway.database() as rows:
        assert rows.execute(HELD).fetchall() == [
            ("alice@acme", "Owner"),
            ("iris", "Auditor"),
            ("oscar@acme", "Owner"),
            ("root", "PlatformAdmin"),
        ]


def test_the_built_in_roles_are_out_of_reach_of_the_applications_login(gateway: Gateway) -> None:
    with psycopg.connect(gateway.environment["DATABASE_URL"], autocommit=True) as app:
        assert app.execute("SELECT count(*) FROM tenancy_role").fetchone() == (7,)
        assert app.execute("UPDATE tenancy_role SET permissions = '[]'").rowcount == 0
        assert app.execute("DELETE FROM tenancy_role").rowcount == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("ALTER TABLE tenancy_role DISABLE ROW LEVEL SECURITY")
