"""Seals: what was committed is vouched for within a second, by one sealer, and nothing can be changed
without being found."""

import io
import json
import random
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, connections, transaction
from django.utils import timezone
from pytest_django.fixtures import Settings

from tenancy import sealing
from tenancy.audit import Deed, append
from tenancy.proof import Proof, prove
from tenancy.trail import AuditEntry, AuditSeal, unpacked

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
ALICE = Deed(actor="alice@acme", tenant="acme", path="/o2ims/v1/resourcePools", request_id="r-1")


def many(count: int, at: datetime | None = None) -> None:
    entries = [ALICE.entry("create", "ResourcePool", number, after={"n": number}) for number in range(count)]
    append(entry._replace(timestamp=at) if at else entry for entry in entries)


def owner(sql: str, *values: str | int) -> None:
    """Somebody with the owner's password, at a shell."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(sql, values)


def faults(found: Proof) -> dict[int | None, str]:
    return {fault.entry: fault.what for fault in found.faults}


@pytest.fixture(autouse=True)
def days() -> None:
    sealing.make_partitions()


@pytest.fixture
def sealed() -> list[int]:
    """The ids of 300 entries under three seals."""
    for _ in range(3):
        many(100)
        assert sealing.seal() == 100
    return list(AuditEntry.objects.order_by("pk").values_list("pk", flat=True))


def test_the_application_may_insert_and_read_and_nothing_else(sealed: list[int]) -> None:
    for statement in (
        "UPDATE tenancy_auditentry SET actor = 'bob'",
        "DELETE FROM tenancy_auditentry",
        "TRUNCATE tenancy_auditentry",
        f"DELETE FROM tenancy_auditentry_{timezone.now():%Y%m%d}",
        "UPDATE tenancy_auditseal SET count = 0",
        "DELETE FROM tenancy_auditseal",
        "DROP TABLE tenancy_auditentry_default",
    ):
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), transaction.atomic():
            connection.cursor().execute(statement)


def test_there_is_a_partition_for_each_of_the_coming_days() -> None:
    sealing.make_partitions()
    sealing.make_partitions()
    for days in range(8):
        many(1, timezone.now() + timedelta(days=days))
    many(1, timezone.now() - timedelta(days=30))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text, count(*) FROM tenancy_auditentry GROUP BY 1 ORDER BY 1"
        )
        found = dict(cursor.fetchall())
    coming = {f"tenancy_auditentry_{timezone.now() + timedelta(days=n):%Y%m%d}": 1 for n in range(8)}
    assert found == {**coming, "tenancy_auditentry_default": 1}


def test_what_is_sealed_is_whole_and_the_rest_is_counted(sealed: list[int]) -> None:
    many(7)
    found = prove()
    assert (found.whole, found.seals, found.entries, found.unsealed) == (True, 3, 300, 7)
    assert found.unsealed_since is not None
    assert sealing.seal() == 7
    assert sealing.seal() == 0
    assert prove().unsealed == 0


def test_a_seal_can_be_checked_with_the_public_key_alone(sealed: list[int]) -> None:
    out = io.TextIOWrapper(io.BytesIO())
    call_command("audit", "export", "--seals", stdout=out)
    keys, *seals = map(json.loads, out.buffer.getvalue().decode().splitlines())
    previous = bytes(32)
    for line in seals:
        said = json.loads(line["statement"])
        key = Ed25519PublicKey.from_public_bytes(b64decode(keys["ed25519"][said["key"]]))
        key.verify(b64decode(line["signature"]), line["statement"].encode())
        entries = b64decode(line["entries"])
        assert said["digest"] == sha256(entries).hexdigest()
        assert len(list(unpacked(entries))) == said["count"]
        assert said["previous"] == previous.hex()
        previous = sha256(line["statement"].encode()).digest()
    assert len(seals) == 3


def test_a_hundred_edits_deletions_and_swaps_are_each_found(sealed: list[int]) -> None:
    dice, touched = random.Random(7), {}
    columns = ["actor", "tenant", "path", "after", "reason", "result", "address", "request_id", "kind"]
    some = dice.sample(sealed, 150)
    for id_ in some[:60]:
        column = dice.choice(columns)
        owner(f"UPDATE tenancy_auditentry SET {column} = 'other' WHERE id = %s", id_)
        touched[id_] = "was changed after it was sealed"
    for id_ in some[60:100]:
        owner("DELETE FROM tenancy_auditentry WHERE id = %s", id_)
        touched[id_] = "was removed after it was sealed"
    for one, other in zip(some[100::2], some[101::2], strict=True):
        owner("UPDATE tenancy_auditentry SET id = -1 WHERE id = %s", one)
        owner("UPDATE tenancy_auditentry SET id = %s WHERE id = %s", one, other)
        owner("UPDATE tenancy_auditentry SET id = %s WHERE id = -1", other)
        touched |= dict.fromkeys((one, other), "was changed after it was sealed")
    found = prove()
    assert faults(found) == touched
    assert found.count == 150
    with pytest.raises(CommandError, match="not whole: 150 faults"):
        call_command("audit", "verify", stdout=io.StringIO(), stderr=io.StringIO())


def test_an_entry_put_in_later_is_found(sealed: list[int]) -> None:
    owner("DELETE FROM tenancy_auditentry WHERE id = %s", sealed[150])
    owner(
        "INSERT INTO tenancy_auditentry SELECT (jsonb_populate_record(e, jsonb_build_object('id', %s))).*"
        " FROM tenancy_auditentry e WHERE id = %s",
        sealed[-1] - 1000, sealed[3],
    )  # fmt: skip
    assert faults(prove()) == {
        sealed[150]: "was removed after it was sealed",
        sealed[-1] - 1000: "was put in after its place was sealed",
    }


def _cut_off() -> None:
    owner("DELETE FROM tenancy_auditseal WHERE number = 3")
    owner("DELETE FROM tenancy_auditentry WHERE id > (SELECT max(to_id) FROM tenancy_auditseal)")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda: owner("UPDATE tenancy_auditseal SET count = 99 WHERE number = 2"), "none of our keys"),
        (lambda: owner("DELETE FROM tenancy_auditseal WHERE number = 2"), "the seals 2 to 2 before it are"),
        (lambda: owner("DELETE FROM tenancy_auditseal WHERE number = 1"), "the seals 1 to 1 before it are"),
        (lambda: owner("UPDATE tenancy_auditseal SET entries = '' WHERE number = 2"), "list of entries was"),
        (lambda: owner("UPDATE tenancy_auditseal SET entries = NULL WHERE number = 2"), "no pruning says so"),
        (lambda: owner("UPDATE tenancy_auditseal SET key = 'other' WHERE number = 2"), "none of our keys"),
        (_cut_off, "the seal that was noted down is not there"),
    ],
)  # fmt: skip
def test_a_changed_or_missing_seal_is_found(sealed: list[int], change: Callable[[], None], what: str) -> None:
    head = prove().head
    change()
    found = prove(noted=head)
    assert [fault for fault in found.faults if what in fault.what], found.faults


def test_a_new_key_signs_and_the_old_one_is_still_known(sealed: list[int], settings: Settings) -> None:
    settings.AUDIT_KEYS = [("k2", bytes(range(32)))]
    many(1)
    assert sealing.seal() == 1
    assert AuditSeal.objects.get(number=4).key == "k2"
    assert {fault.seal for fault in prove().faults} == {1, 2, 3}
    settings.AUDIT_KEYS = []
    assert {fault.seal for fault in prove().faults} == {4}


class TestWhoIsStillAppending:
    @pytest.fixture
    def slow(self) -> Iterator[Callable[[], None]]:
        """Somebody in another connection who has inserted and not committed; the call lets them."""
        going, inserted = threading.Event(), threading.Event()

        def run() -> None:
            with transaction.atomic():
                many(1)
                inserted.set()
                going.wait(30)
            connections.close_all()

        thread = threading.Thread(target=run)
        thread.start()
        assert inserted.wait(10)

        def let() -> None:
            going.set()
            thread.join(10)

        yield let
        let()

    def test_is_waited_for_so_that_nothing_comes_in_below_a_seal(self, slow: Callable[[], None]) -> None:
        many(5)  # later ids, committed first
        assert sealing.seal() == 0
        slow()
        assert sealing.seal() == 6
        assert prove().whole

    def test_keeps_others_from_appending_for_no_longer_than_the_sealers_patience(
        self, slow: Callable[[], None]
    ) -> None:
        assert sealing.seal() == 0
        many(1)
        slow()
        assert sealing.seal() == 2


def test_two_sealers_at_once_make_one_chain(sealed: list[int]) -> None:
    def run() -> None:
        for _ in range(20):
            many(3)
            sealing.seal()
        connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    sealing.seal()
    found = prove()
    assert (found.whole, found.entries, found.unsealed) == (True, 300 + 3 * 20 * 3, 0)


class TestPruning:
    OLD = datetime(2026, 1, 5, 12, tzinfo=UTC)

    def test_leaves_a_trail_that_is_whole_and_says_who_pruned_it(self, sealed: list[int]) -> None:
        many(20, self.OLD)
        many(10, self.OLD + timedelta(days=3))
        sealing.seal()
        out = io.StringIO()
        call_command("audit", "prune", "--before", "2026-01-07", stdout=out)
        assert "20 entries" in out.getvalue()
        found = prove()
        assert (found.whole, found.pruned, found.entries, found.unsealed) == (True, 20, 310, 1)
        (entry,) = AuditEntry.objects.filter(action="prune")
        assert json.loads(entry.after or "") == {"before": "2026-01-07T00:00:00.000000Z", "entries": 20}

    def test_drops_whole_days_and_the_lists_of_their_seals(self) -> None:
        sealing.make_partitions()
        tomorrow = timezone.now() + timedelta(days=1)
        many(5, tomorrow)
        sealing.seal()
        many(3, tomorrow + timedelta(days=1))
        sealing.seal()
        call_command(
            "audit", "prune", "--before", f"{tomorrow + timedelta(days=1):%Y-%m-%d}", stdout=io.StringIO()
        )
        assert [seal.entries is None for seal in AuditSeal.objects.all()] == [True, False]
        assert prove().whole
        sealing.make_partitions()
        owner("UPDATE tenancy_auditseal SET entries = NULL")
        assert not prove().whole

    def test_refuses_what_is_not_sealed(self) -> None:
        many(20, self.OLD)
        with pytest.raises(CommandError, match="is a worker running"):
            call_command("audit", "prune", "--before", "2026-02-01", stdout=io.StringIO())
        assert AuditEntry.objects.count() == 20
