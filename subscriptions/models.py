"""What guards the subscriptions (Journal), how far they have heard (Position), and what is on its way to them
(Endpoint, Lane, Delivery, Attempt).

    Journal ─► Redis (subscriptions/store.py): where subscriptions are served from
    Change ──► fan-out ──► Delivery, in a Lane of its Endpoint ──► sent ──► Attempt
"""

import uuid
from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from o2ims.models import Change, Source
from tenancy.permissions import Resource

LANES = 4


class Journal(models.Model):
    """Every state a subscription ever had: `data` is all of it, or None where it ended. Appended under an
    advisory lock, so that versions become visible in their order."""

    version = models.BigAutoField(primary_key=True)
    subscription = models.UUIDField()
    tenant = models.CharField(max_length=63, blank=True, help_text="The platform's if empty.")
    data = models.JSONField(null=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["subscription", "-version"], name="journal_newest")]

    def __str__(self) -> str:
        return f"{self.subscription} at {self.version}"


class Endpoint(models.Model):
    """How the other end of one subscription does.

    healthy ─► 5 failures in a row ─► probing: one delivery is tried, once a minute ─► the first success:
    healthy; 72 h of nothing but failures: suspended. `reason` says why it is suspended.
    """

    class State(models.TextChoices):
        HEALTHY = "healthy"
        PROBING = "probing"
        SUSPENDED = "suspended"

    subscription = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.CharField(max_length=63, blank=True)
    key = models.CharField(
        max_length=64, unique=True, help_text="Of its tenant, root, callback and filter: no two are the same."
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.HEALTHY)
    state_since = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=200, blank=True)
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    failing_since = models.DateTimeField(null=True)
    sequence = models.BigIntegerField(default=0, help_text="The newest o2-sequence given.")

    resource: ClassVar[Resource] = Resource.SUBSCRIPTION

    class Meta:
        ordering = ["subscription"]
        indexes = [models.Index(fields=["tenant"], name="endpoint_by_tenant")]

    def __str__(self) -> str:
        return str(self.subscription)


class Lane(models.Model):
    """A quarter of an endpoint's deliveries, sent one after the other: what concerns one object is in one of
    them. `head` is no later than the first that waits; `due_at` is when that is tried, None: not now."""

    # Found by `one_lane_of_a_number`: another index would be written with every claim.
    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="lanes", db_index=False)
    number = models.PositiveSmallIntegerField()
    tenant = models.CharField(max_length=63, blank=True)
    waiting = models.PositiveIntegerField(default=0)
    head = models.BigIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    owner = models.CharField(max_length=100, blank=True)
    token = models.UUIDField(null=True)
    claimed_until = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True, help_text="When something was last tried.")
    last_outcome = models.CharField(max_length=20, blank=True)
    last_status = models.PositiveSmallIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["endpoint", "number"], name="one_lane_of_a_number")]
        indexes = [models.Index(fields=["due_at"], name="lane_due", condition=models.Q(due_at__isnull=False))]

    def __str__(self) -> str:
        return f"lane {self.number} of {self.endpoint_id}"


class Delivery(models.Model):
    """One change on its way to one subscription: it refers to its Change (None: a test), and has no copy of
    it. `sequence` is what the subscriber sees as `o2-sequence`."""

    class State(models.TextChoices):
        WAITING = "waiting"
        DELIVERED = "delivered"
        DEAD = "dead", "dead letter"

    id = models.BigAutoField(primary_key=True)
    subscription = models.UUIDField()
    lane = models.PositiveSmallIntegerField()
    sequence = models.BigIntegerField()
    change = models.ForeignKey(Change, models.PROTECT, null=True, related_name="deliveries")
    state = models.CharField(max_length=10, choices=State.choices, default="waiting", db_default="waiting")
    attempts = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="Since it last began to wait."
    )
    refusals = models.PositiveSmallIntegerField(default=0, db_default=0)
    tried_at = models.DateTimeField(null=True, help_text="When it was first tried since then.")
    outcome = models.CharField(max_length=20, blank=True, db_default="", help_text="Of the last attempt.")
    status = models.PositiveSmallIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now, db_default=Now())
    ended_at = models.DateTimeField(null=True)

    resource: ClassVar[Resource] = Resource.DELIVERY

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["subscription", "sequence"], name="one_delivery_of_a_sequence")
        ]
        indexes = [
            models.Index(
                fields=["subscription", "lane", "sequence"],
                name="delivery_waiting",
                condition=models.Q(state="waiting"),
            ),
            models.Index(
                fields=["ended_at"], name="delivery_ended", condition=models.Q(ended_at__isnull=False)
            ),
            models.Index(fields=["created_at"], name="delivery_by_time"),
            models.Index(fields=["id"], name="delivery_dead", condition=models.Q(state="dead")),
            models.Index(
                fields=["subscription", "ended_at"],
                name="delivery_dead_of_one",
                condition=models.Q(state="dead"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sequence} of {self.subscription}"


class Attempt(models.Model):
    """One try, written before it is made: where a process dies in between, it has no end. It is begun at
    `started_at`, or within a second after that by a worker that has much to send."""

    id = models.BigAutoField(primary_key=True)
    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="tries")
    number = models.PositiveSmallIntegerField()
    worker = models.CharField(max_length=100)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=20, blank=True, db_default="")
    status = models.PositiveSmallIntegerField(null=True)
    milliseconds = models.PositiveIntegerField(null=True)
    answer = models.TextField(
        blank=True, db_default="", help_text="What a refusal was answered with, up to 4 KB."
    )

    class Meta:
        ordering = ["id"]
        indexes = [
            # They come in the order of time, and it never changes: by it a day's or an hour's are found.
            BrinIndex(fields=["started_at"], name="attempt_by_time", pages_per_range=16, autosummarize=True)
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.delivery_id}"


class Position(models.Model):
    """How far the fan-out has come in the log of one source."""

    source = models.OneToOneField(Source, models.CASCADE, primary_key=True)
    sequence = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.sequence} of {self.source_id}"
