"""What is done to a subscription on its page: each says what will happen, needs a reason, and is told to the
audit trail in its transaction, by the door that the API uses."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from subscriptions import endpoint, journal
from subscriptions.figures import Figures
from subscriptions.models import Endpoint
from subscriptions.subscription import Subscription
from subscriptions.told import told, wire
from tenancy.admin.page import deed_of
from tenancy.permissions import Action
from tenancy.times import digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """Something that is being done to `to`, at a page, for a reason."""

    request: HttpRequest
    to: Subscription
    reason: str

    def tell(
        self, action: Action = Action.UPDATE, *, before: Any = None, after: Any = None, status: int = 200
    ) -> None:
        """Has the trail tell it, in the transaction."""
        deed = deed_of(self.request)
        deed.tell(told(deed, action, self.to, status=status, before=before, after=after, reason=self.reason))


@dataclass(frozen=True, slots=True)
class Done:
    """What to say of it; `secret` is shown this once."""

    message: str
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One of the things that can be done: `verb` is the right that it takes, `says` what will happen."""

    name: str
    title: str
    verb: str = "change"
    says: Callable[[Subscription, Figures], str]
    do: Callable[[Doing], Done]
    offered: Callable[[Figures], bool] = lambda _: True


def _test(doing: Doing) -> Done:
    number = endpoint.send_test(doing.to.id, lambda n: doing.tell(after={"test": n}, status=202))
    return Done(f"A test is on its way to {doing.to.name}, with o2-sequence {number}.")


def _pause(doing: Doing) -> Done:
    by = getattr(doing.request.user, "username", "")
    after = {"state": str(Endpoint.State.SUSPENDED)}
    endpoint.suspend(doing.to.id, f"paused by {by}: {doing.reason}", lambda: doing.tell(after=after))
    return Done("Paused. What happens from now on waits.")


def _resume(doing: Doing) -> Done:
    after = {"state": str(Endpoint.State.HEALTHY)}
    endpoint.resume(doing.to.id, lambda: doing.tell(after=after))
    return Done("Resumed. What waits is tried at once.")


def _rotate(doing: Doing) -> Done:
    was = doing.to
    new, secret = was.rotated(timezone.now())
    journal.change(new, was, lambda: doing.tell(after={"secret": "rotated"}))
    until = digits(datetime.fromisoformat(new.overlap_ends))
    return Done(f"The old secret signs beside the new one until {until} UTC.", secret)


def _delete(doing: Doing) -> Done:
    journal.end(doing.to, lambda: doing.tell(Action.DELETE, before=wire(doing.to), status=204))
    return Done(f"Subscription {doing.to.id} of {doing.to.name} has ended.")


def _waiting(found: Figures) -> str:
    return "1 notification" if found.waiting == 1 else f"{found.waiting} notifications"


ACTS = (
    Act(
        name="test",
        title="Send test",
        says=lambda one, found: (
            f"A notification of nothing is POSTed to {one.name}, signed like any other"
            + (", once the subscription is resumed." if found.state == Endpoint.State.SUSPENDED else ".")
        ),
        do=_test,
    ),
    Act(
        name="pause",
        title="Pause",
        says=lambda one, found: (
            f"Nothing is sent to {one.name} until somebody resumes it. {_waiting(found)} and whatever"
            " happens meanwhile wait."
        ),
        do=_pause,
        offered=lambda found: found.state != Endpoint.State.SUSPENDED,
    ),
    Act(
        name="resume",
        title="Resume",
        says=lambda one, found: (
            f"{_waiting(found)} to {one.name}: tried at once, whatever it answered before."
        ),
        do=_resume,
        offered=lambda found: found.state != Endpoint.State.HEALTHY,
    ),
    Act(
        name="rotate",
        title="Rotate secret",
        says=lambda one, _: (
            f"A new secret is shown once, for whoever runs {one.name}. For 24 hours the old one signs"
            " too; then only the new one."
        ),
        do=_rotate,
    ),
    Act(
        name="delete",
        title="Delete",
        verb="delete",
        says=lambda one, found: (
            f"The subscription of {one.name} ends. {_waiting(found)} that wait for it are forgotten, with"
            " all that was delivered. Nothing brings it back."
        ),
        do=_delete,
    ),
)
