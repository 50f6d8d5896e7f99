"""The log of what was taken from somebody, or given: whoever follows it forgets the principals it holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, models, transaction
from django.utils import timezone

REVOCATIONS = 0x6E77_7265  # the advisory lock of the revocation log


class Revocation(models.Model):
    """Something about who may do what has changed: every process forgets the principals it holds within
    seconds.

    Followed like the change log (`tenancy/principals.py`); rows are appended by the models below, in the
    transaction of the change itself.
    """

    at = models.DateTimeField(default=timezone.now, editable=False)
    what = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.what

    @classmethod
    def note(cls, row: models.Model) -> None:
        """Appends that `row` has changed, within `one_at_a_time`: ids are committed in their order, so that
        whoever follows the newest id misses none."""
        cls.objects.create(what=f"{row._meta.model_name} {row.pk}")


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """A transaction in which nobody else changes who may do what: what was checked in it still holds when it
    commits. May be nested."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [REVOCATIONS])
        yield


class Revocable(models.Model):
    """A row whose every change must reach running processes."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Saves, and notes it in the revocation log in the same transaction."""
        with one_at_a_time():
            super().save(*args, **kwargs)
            Revocation.note(self)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Deletes, and notes it in the revocation log in the same transaction."""
        with one_at_a_time():
            Revocation.note(self)
            return super().delete(*args, **kwargs)
