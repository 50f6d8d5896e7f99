"""Subscribers who are no good to themselves or to others, in full: of a hundred some hang or drip, some
refuse what they get, some leave under load."""

import threading
import time
from pathlib import Path

from bench.apart import Apart
from bench.load import Effort, Limit
from bench.table import Figure, Table
from bench.verdicts import played, settled, value, verdicts
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis
from tests.sink import Received, Sink
from tests.subscriptions.hands import stirring
from tests.subscriptions.run import Run, running

PEOPLE = ("root", "alice", "charlie")
WELL, HANGING, DRIPPING = 85, 10, 5
SECONDS, CHANGES_A_SECOND = 30, 5
RATIO = 1.2
REFUSERS, REFUSED, ONE_OF = 20, 20_000, 100
HASTE = "20"  # a lane waits half a minute for each it gives up
LEAVERS, STAYERS, LEAVE_SECONDS, SUSPEND_SECONDS = 10, 20, 1.0, 5.0
_P99 = """
    SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM d.ended_at - c.at))
    FROM subscriptions_delivery d JOIN o2ims_change c ON c.id = d.change_id
    WHERE d.subscription = ANY(%s::uuid[]) AND d.state = 'delivered' AND c.at > to_timestamp(%s)
"""


def measure(postgres: Postgres, redis: Redis, table: Table, _: Effort) -> None:
    """All of them."""
    played(postgres, redis, table, _hanging, _poisoned, _left)


def _hanging(postgres: Postgres, redis: Redis, table: Table, path: Path) -> None:
    """What ten that hang and five that drip do to the other eighty-five."""
    over = threading.Event()

    def hang(_: Received) -> int:
        over.wait(20)
        return 204

    with (
        Apart(path=path) as good,
        Sink(answer=hang) as bad,
        Sink(dripping=over) as worse,
        running(postgres, redis, path) as run,
    ):
        well = [run.recorder.subscribe(PEOPLE[n % 3], good) for n in range(WELL)]
        _stirred(run, well)  # everything is warm
        without = _stirred(run, well)
        for number in range(HANGING):
            run.recorder.subscribe(PEOPLE[number % 3], bad)
        for number in range(DRIPPING):
            run.recorder.subscribe(PEOPLE[number % 3], worse)
        among = _stirred(run, well)
        over.set()
        table.add(Figure("85 subscribers: a change to its acknowledgement, p99", without, "s"))
        table.add(Figure("the same while 10 more hang and 5 drip", among, "s"))
        table.add(Figure("what they do to that p99, as a ratio", among / without, "", RATIO))


def _stirred(run: Run, subscriptions: list[str]) -> float:
    """The p99, in seconds, of what these get of a time of changes."""
    began = time.time()
    with stirring(run.hands, CHANGES_A_SECOND):
        time.sleep(SECONDS)
    limit = Limit(120, "what they wait for")
    waiting = "SELECT count(*) FROM subscriptions_lane WHERE waiting > 0 AND endpoint_id = ANY(%s::uuid[])"
    while value(run, waiting, subscriptions):
        limit.check()
        time.sleep(0.2)
    return value(run, _P99, subscriptions, began)


def _poisoned(postgres: Postgres, redis: Redis, table: Table, path: Path) -> None:
    """One notification of a hundred is refused, whenever it comes; then none is."""
    refusing = True

    def answer(one: Received) -> int:
        return 400 if refusing and int(one.id, 16) % ONE_OF == 0 else 204

    with Sink(answer=answer) as sink, running(postgres, redis, path, DELIVERY_HASTE=HASTE) as run:
        ids = [run.recorder.subscribe(PEOPLE[n % 3], sink) for n in range(REFUSERS)]
        with stirring(run.hands, 40):
            _until(run, REFUSED)
        settled(run, seconds=300)
        dead, tries = set(run.recorder.dead()), [one.id for one in sink.tried if one.status == 400]
        table.add(Figure("1 % refused: notifications", len(sink.got) + len(dead), ""))
        table.add(Figure("1 % refused: dead letters", len(dead), ""))
        table.add(Figure("1 % refused: refused and no dead letter", len(set(tries) - dead), "", 0))
        table.add(Figure("1 % refused: most tries of one", max(tries.count(one) for one in dead), "", 3))
        refusing = False
        for who, id_ in zip(PEOPLE * REFUSERS, ids, strict=False):
            run.recorder.replay(who, id_, state="dead")
        settled(run, seconds=120)
        again = dead - {one.id for one in sink.got}
        table.add(Figure("1 % refused: not delivered by a replay, by the same id", len(again), "", 0))
        verdicts(run, table, "1 % refused")


def _left(postgres: Postgres, redis: Redis, table: Table, path: Path) -> None:
    """Under load some unsubscribe, and a tenant is suspended."""
    with Sink() as sink, running(postgres, redis, path) as run:
        leaving = [run.recorder.subscribe("root", sink) for _ in range(LEAVERS)]
        globex = [run.recorder.subscribe("charlie", sink) for _ in range(STAYERS)]
        ended = dict[str, float]()
        with stirring(run.hands, 40):
            for id_ in leaving:
                time.sleep(1)
                run.recorder.end("root", id_)
                ended[id_] = time.time()
            _set_status(run, "suspended")
            suspended = time.time()
            for id_ in globex:
                run.recorder.note("suspended", id_)
            time.sleep(15)
            last = max(one.at for id_ in globex for one in run.recorder.received(id_))
            for id_ in globex:
                run.recorder.note("resumed", id_)
            _set_status(run, "active")
        settled(run, seconds=120)
        late = [one.at - at for id_, at in ended.items() for one in run.recorder.received(id_)]
        table.add(Figure("unsubscribed under load: the last that came after", max(late), "s", LEAVE_SECONDS))
        table.add(
            Figure("suspended under load: the last that came after", last - suspended, "s", SUSPEND_SECONDS)
        )
        verdicts(run, table, "left under load")


def _set_status(run: Run, status: str) -> None:
    answer = run.gateway.send("root", "PATCH", "/admin/v1/tenants/globex", {"status": status}, If_Match="*")
    assert answer.status == 200, answer


def _until(run: Run, deliveries: int) -> None:
    limit = Limit(600, f"{deliveries} deliveries")
    while value(run, "SELECT coalesce(sum(sequence), 0) FROM subscriptions_endpoint") < deliveries:
        limit.check()
        time.sleep(0.5)
