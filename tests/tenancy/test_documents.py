"""What the documents say of roles and of the admin API is so."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from netweave.checks import api_routes
from tenancy.permissions import Action, Resource, Scope
from tenancy.roles import as_markdown
from tests.gateway import Gateway

DOCS = Path(__file__).parent.parent.parent / "docs"
ADMIN = (DOCS / "admin-api.md").read_text()
ROLES = (DOCS / "rbac-multitenancy.md").read_text()


def test_the_table_of_roles_is_the_one_in_the_code() -> None:
    assert as_markdown() in ROLES, "take it anew: the command is in the comment above the table"
    assert all(f"`{name}`" in ROLES for name in (*Action, *Scope))
    assert all(re.search(rf"\b{name}\b", ROLES) for name in Resource)


def test_every_route_of_the_admin_api_is_in_its_document_with_its_methods() -> None:
    rows = dict(re.findall(r"^\| `(/admin/v1/\S+)` \| ([A-Z, ]+) \|", ADMIN, re.MULTILINE))
    routed = {}
    for path, view in api_routes():
        if path.startswith("/admin/v1/"):
            named = re.sub(r"(\w+?)(s?)/<str:(?:id|tenant)>", r"\1\2/{\1Id}", path)
            routed[named] = {method.upper() for method in view.actions} - {"HEAD"}
    assert {path: set(methods.split(", ")) for path, methods in rows.items()} == routed


@pytest.fixture
def told(gateway: Gateway) -> Gateway:
    gateway.configure({"name": "sample", "type": "mock", "config": {"live": 0}})
    gateway.start(gateway.both)
    return gateway


def test_its_examples_work_as_they_stand(told: Gateway) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", ADMIN, re.DOTALL)
    script = "\n".join(blocks).replace("http://127.0.0.1:8080", told.url)
    script = re.sub(r"token\(\) \{.*\}\n", f"token() {{ echo {told.tokens['alice']}; }}\n", script)
    done = subprocess.run(
        ["bash", "-euc", script],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for said in ('"roleName":"Operator"', '"secret":"nwt_', '"status":"suspended"', '"name":"Pool keeper"'):
        assert said in done.stdout, done.stdout
    assert '"title"' not in done.stdout  # no problem among them
