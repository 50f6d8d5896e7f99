"""The inventory's tables: where it comes from (Source), what is there (Item), what happened (Change), and
what somebody wanted to happen (Operation)."""

import uuid
from typing import Any, ClassVar

from django.db import models
from django.utils import timezone

from adapters.aggregation import Group
from adapters.configuration import Backend, Configuration
from tenancy.permissions import Resource


class SourceQuerySet(models.QuerySet["Source"]):
    """Sources, many at a time."""

    def present(self) -> "SourceQuerySet":
        """Those that the configuration names and enables."""
        return self.filter(retired_at__isnull=True)

    def follow(self, configuration: Configuration) -> None:
        """Makes the table say what the configuration says: new ones, renamed ones, and those that are gone
        from it."""
        enabled = [backend for backend in configuration.backends if backend.enabled]
        for order, backend in enumerate(enabled):
            Source.take(backend, order, configuration.group_of(backend.name))
        gone = self.present().exclude(key__in=[backend.key for backend in enabled])
        gone.update(retired_at=timezone.now(), generation=models.F("generation") + 1)


class Source(models.Model):
    """One backend as it was last seen. `last_sequence` is the newest Change; `generation` rises when its
    Items changed without one (a new mapping, another tenant by configuration), so that mirrors load it
    again."""

    class State(models.TextChoices):
        STARTING = "starting"
        UP = "up"
        DOWN = "down"
        HOLDING = "holding", "holding back deletes"

    id = models.BigAutoField(primary_key=True)
    key = models.CharField(
        max_length=200, unique=True, help_text="What its objects' ids are made with; never changes."
    )
    name = models.CharField(max_length=63)
    kind = models.CharField(max_length=63)
    o_cloud = models.CharField("O-Cloud", max_length=200)
    tenant = models.CharField(max_length=63, blank=True, help_text="Owner of objects that carry no tenant.")
    shared = models.BooleanField(default=False, help_text="Objects of no tenant are seen by every tenant.")
    order = models.PositiveIntegerField(default=0)
    group = models.CharField(
        max_length=200, blank=True, db_default="", help_text="Of sources one of which is read at a time."
    )
    turn = models.PositiveIntegerField(db_default=0, help_text="Its place in the group.")
    strategy = models.CharField(max_length=10, db_default="merge", help_text="How that one is chosen.")
    active = models.BooleanField(
        db_default=True, help_text="Whether it is the one of its group that is read."
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.STARTING)
    state_since = models.DateTimeField(default=timezone.now)
    contact_at = models.DateTimeField(null=True, help_text="When the backend last proved to be there.")
    latency_ms = models.PositiveIntegerField(
        null=True, help_text="How long it took to answer its last check or complete list."
    )
    fresh_seconds = models.FloatField(
        default=20, help_text="How long after a contact what we have counts as fresh."
    )
    listed_at = models.DateTimeField(null=True, help_text="When it was last listed completely.")
    listed_version = models.CharField(
        max_length=40,
        blank=True,
        db_default="",
        help_text="As of which version that list was, if versions grow.",
    )
    error = models.TextField(blank=True)
    error_class = models.CharField(max_length=40, blank=True)
    error_at = models.DateTimeField(null=True)
    skipped = models.PositiveIntegerField(default=0, help_text="Objects that could not be mapped.")
    version = models.CharField(max_length=100, blank=True)
    abilities = models.JSONField(default=list)
    checkpoint = models.TextField(blank=True)
    mapping_version = models.PositiveIntegerField(default=0)
    last_sequence = models.BigIntegerField(default=0)
    generation = models.BigIntegerField(default=0)
    owner = models.CharField(max_length=100, blank=True)
    epoch = models.BigIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)

    objects: ClassVar[SourceQuerySet] = SourceQuerySet.as_manager()  # type: ignore[assignment]

    resource = Resource.SOURCE

    class Meta:
        ordering = ["order", "id"]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def take(cls, backend: Backend, order: int, group: Group | None = None) -> None:
        """Makes or updates the row of one configured backend."""
        turns = group is not None and group.strategy.takes_turns
        facts: dict[str, Any] = {
            "name": backend.name,
            "kind": backend.kind,
            "o_cloud": backend.o_cloud,
            "tenant": backend.tenant or "",
            "shared": backend.shared,
            "order": order,
            "group": f"{group.o_cloud}/{group.sources[0]}"[:200] if group and turns else "",
            "turn": group.sources.index(backend.name) if group and turns else 0,
            "strategy": group.strategy if group else "merge",
            "retired_at": None,
        }
        made_active = {"active": not facts["turn"]}  # after that, `o2ims/turns.py` decides
        row, made = cls.objects.get_or_create(key=backend.key, defaults=made_active | facts)
        if made or all(getattr(row, name) == value for name, value in facts.items()):
            return
        cls.objects.filter(pk=row.pk).update(**facts, generation=models.F("generation") + 1)


class Item(models.Model):
    """An inventory object as it was last seen in its backend: a projection, which listing again would give
    again."""

    row = models.BigAutoField(primary_key=True)
    source = models.ForeignKey(Source, models.CASCADE, related_name="items")
    kind = models.CharField(max_length=20)
    object_id = models.UUIDField("id")
    native_id = models.TextField()
    native_version = models.CharField(max_length=40, blank=True)
    parent = models.UUIDField(null=True, help_text="The pool of a resource.")
    tenant = models.CharField(max_length=63, blank=True)
    body = models.JSONField()
    hash = models.BinaryField(max_length=16)
    mapping_version = models.PositiveIntegerField()
    takes = models.JSONField(default=list, db_default=[], help_text="What it takes of its tenant's quotas.")
    sequence = models.BigIntegerField(help_text="Of its last Change.")
    seen_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True)

    resource = Resource.RESOURCE

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "kind", "object_id"], name="item_key")]
        indexes = [
            models.Index(fields=["object_id"], name="item_by_id"),
            models.Index(
                fields=["deleted_at"], name="item_tombstones", condition=models.Q(deleted_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"


class Change(models.Model):
    """Something that happened to an Item. `sequence` is gapless within its source: taken under the Source
    row's lock."""

    class Type(models.TextChoices):
        CREATE = "CREATE"
        MODIFY = "MODIFY"
        DELETE = "DELETE"

    id = models.BigAutoField(primary_key=True)
    source = models.ForeignKey(Source, models.CASCADE, related_name="changes")
    sequence = models.BigIntegerField()
    kind = models.CharField(max_length=20)
    object_id = models.UUIDField()
    tenant = models.CharField(max_length=63, blank=True)
    type = models.CharField(max_length=6, choices=Type.choices)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    at = models.DateTimeField(default=timezone.now)
    request_id = models.CharField(
        max_length=64, default=uuid.uuid4, help_text="Of the request, or of the watch, that caused it."
    )
    traceparent = models.CharField(max_length=55, blank=True)
    announced = models.BooleanField(
        default=True, db_default=True, help_text="Whether subscribers hear of it: its source was being read."
    )

    resource = Resource.RESOURCE

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "sequence"], name="change_sequence")]
        indexes = [
            models.Index(fields=["object_id"], name="change_by_object"),
            models.Index(fields=["at"], name="change_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.kind} {self.object_id}"


class Operation(models.Model):
    """A write: a row before the backend is called, so that whatever happens then leaves a trace.

    started ─► done      the backend did it, and what it answered is recorded (in one transaction)
            ├► failed    the backend did not do it
            └► settled   nobody heard the backend's answer: a worker has looked, and recorded what is there

    `native_name` is what a new object is called over there, `native_id` which object is meant otherwise.
    `asked` is what the caller sent; `answer` is the object's body as it was answered. After `deadline` a
    worker settles it.
    """

    class Action(models.TextChoices):
        CREATE = "create"
        UPDATE = "update"
        DELETE = "delete"

    class State(models.TextChoices):
        STARTED = "started"
        DONE = "done"
        FAILED = "failed"
        SETTLED = "settled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    source = models.ForeignKey(Source, models.CASCADE, related_name="operations")
    action = models.CharField(max_length=6, choices=Action.choices)
    kind = models.CharField(max_length=20)
    native_name = models.TextField(blank=True)
    native_id = models.TextField(blank=True)
    object_id = models.UUIDField(null=True)
    tenant = models.CharField(max_length=63, blank=True, help_text="Whose object it is; nobody's if empty.")
    actor = models.CharField(max_length=150)
    request_id = models.CharField(max_length=64)
    traceparent = models.CharField(max_length=55, blank=True)
    idempotency_key = models.CharField(max_length=255, blank=True)
    fingerprint = models.CharField(max_length=32, help_text="Of what was asked, to know a repeat by.")
    asked = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices, default=State.STARTED)
    error_class = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)
    answer = models.JSONField(null=True)
    started_at = models.DateTimeField(default=timezone.now)
    deadline = models.DateTimeField()
    held = models.JSONField(default=list, db_default=[], help_text="What it holds of its tenant's quotas.")
    deed = models.JSONField(default=dict, db_default={}, help_text="Who did it, for the audit trail.")
    before = models.JSONField(null=True, help_text="The object's body as it was then.")
    since = models.BigIntegerField(db_default=0, help_text="The newest Change of its source when it began.")
    ended_at = models.DateTimeField(null=True)

    resource = Resource.RESOURCE

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["actor", "idempotency_key"],
                name="operation_key",
                condition=~models.Q(idempotency_key=""),
            )
        ]
        indexes = [
            models.Index(fields=["deadline"], name="operation_due", condition=models.Q(state="started")),
            models.Index(fields=["object_id"], name="operation_by_object"),
            models.Index(fields=["started_at"], name="operation_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.kind} {self.native_name or self.native_id}"
