"""T3: whatever a tenant's people ask for, in whatever way, not a byte of another tenant's comes back."""

import random
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest

from tenancy import quotas
from tenancy.audit import Deed
from tenancy.models import Tenant
from tests.world import Cast, World, custom, pool, resource, small

Call = Callable[..., Any]
REQUESTS = 10_000
CANARY = "canary-7f3a"
ROOTS = ("/o2ims/v1", "/o2ims-infrastructureInventory/v1")
NOUNS = ("resourcePools", "resources", "resourceTypes", "deploymentManagers")
ADMIN = ("tenants", "tenants/acme/users", "tenants/globex/users", "roles", "bindings", "tokens", "issuers",
         "certificates", "audit", "me")  # fmt: skip
FIELDS = (
    "name",
    "description",
    "location",
    "resourcePoolId",
    "extensions/secret",
    "tags",
    "groups",
    "globalAssetId",
)
OPERATORS = ("eq", "neq", "gt", "gte", "lt", "lte", "cont", "ncont", "in", "nin")


def seed(world: World, cast: Cast) -> list[str]:
    """Globex has a canary wherever it can write text; the ids of what is globex's."""
    theirs: dict[str, Any] = {
        "tenant": "globex",
        "name": CANARY,
        "description": CANARY,
        "extensions": {"secret": CANARY},
    }
    recorded = world.add("one", things=[
        *small(5), pool("pool-g", location=CANARY, **theirs),
        *(resource(f"node-g{n}", pool_native_id="pool-g", tags=(CANARY,), groups=(CANARY,),
                   global_asset_id=f"urn:{CANARY}:{n}", **theirs) for n in range(5)),
    ])  # fmt: skip
    Tenant.objects.filter(pk="globex").update(name=CANARY, description=CANARY, metadata={"a": CANARY})
    role = custom("globex", CANARY, "Alarm:read:tenant")
    person = cast.join(CANARY, "globex", role)
    quotas.set_limit("globex", quotas.POOLS, Decimal(7331337))
    deed = Deed(tenant="globex", actor=CANARY, path=f"/{CANARY}")
    deed.tell(deed.entry("create", "ResourcePool", CANARY, label=CANARY, after={"a": CANARY}))
    return [recorded.id_of(pool("pool-g")), recorded.id_of(resource("node-g1")), str(role.pk), str(person.pk)]


def asked(dice: random.Random, ids: list[str], links: list[str]) -> str:
    """A path with a query, of any kind there is, right or wrong."""
    if links and dice.random() < 0.1:
        link = dice.choice(links)
        cut = dice.randrange(len(link))
        return link if dice.random() < 0.5 else link[:cut] + dice.choice("aZ9-_") + link[cut + 1 :]
    admin = dice.random() < 0.3
    path = f"/admin/v1/{dice.choice(ADMIN)}" if admin else f"{dice.choice(ROOTS)}/{dice.choice(NOUNS)}"
    if dice.random() < 0.2:
        path += f"/{dice.choice(ids)}"
        if dice.random() < 0.3:
            path += "/resources"
    query: list[tuple[str, str]] = []

    def value() -> str:
        return dice.choice([CANARY, "canary", "globex", *ids, "7f", "", "'", "*"])

    for _ in range(dice.randrange(4)):
        kind = dice.choice(
            ["filter", "fields", "exclude_fields", "all_fields", "limit", "sort", "q", "tenantId", "status"]
        )
        terms = ";".join(
            f"({dice.choice(OPERATORS)},{dice.choice(FIELDS)},{value()})" for _ in range(dice.randrange(1, 3))
        )
        text = {"filter": terms, "fields": dice.choice(FIELDS), "limit": str(dice.randrange(-1, 9))}.get(
            kind, value()
        )
        query.append((kind, text))
    return path + ("?" + urlencode(query) if query else "")


@pytest.mark.timeout(300)
def test_ten_thousand_questions_bring_no_byte_of_another_tenants(
    world: World, cast: Cast, call: Call
) -> None:
    ids = seed(world, cast)
    dice, good = random.Random(2026), 0
    links: list[str] = []
    hidden = [CANARY.encode(), b"7331337", *(id_.encode() for id_ in ids)]
    for _ in range(REQUESTS):
        path = asked(dice, ids, links)
        answer = call(dice.choice(["alice", "bob"]), path, headers={"X-Request-Id": "same"})
        assert answer.status_code < 500, path
        good += answer.status_code == 200
        content = answer.content
        if answer.status_code >= 400 or "/audit" in path:  # the caller's own words may be told back
            content = re.sub(rb'"(detail|parameter|reason|path|resourceId)":"[^"]*"', b"", content)
        assert [text for text in hidden if text in content] == [], path
        if link := answer.get("Link"):
            links = [*links[-50:], re.sub(r"^<https?://[^/]+|>.*$", "", link)]
    assert good > REQUESTS / 10, "most of it was nonsense"
    assert CANARY.encode() in call("charlie", "/o2ims/v1/resourcePools").content
