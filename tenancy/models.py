"""Tenants, the people in them, their tokens, and the log of what was taken away from them."""

import hashlib
import secrets
import uuid
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.core.validators import RegexValidator
from django.db import connection, models, transaction
from django.utils import timezone

REVOCATIONS = 0x6E77_7265  # the advisory lock of the revocation log
TOKEN_PREFIX = "nwt_"  # noqa: S105 - says what the secret is, so that scanners find a leaked one

label = RegexValidator(
    r"\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z", "Lower-case letters, digits and hyphens, 1 to 63 of them."
)


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
        """Appends that `row` has changed. One transaction at a time, so that ids are committed in their
        order: whoever follows the newest id misses none."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [REVOCATIONS])
        cls.objects.create(what=f"{row._meta.model_name} {row.pk}")


class Revocable(models.Model):
    """A row whose every change must reach running processes."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Saves, and notes it in the revocation log in the same transaction."""
        with transaction.atomic(using=kwargs.get("using") or "default"):
            super().save(*args, **kwargs)
            Revocation.note(self)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Deletes, and notes it in the revocation log in the same transaction."""
        with transaction.atomic(using=kwargs.get("using") or "default"):
            Revocation.note(self)
            return super().delete(*args, **kwargs)


class Tenant(Revocable):
    """An organisation that sees only its own. Its id is the value of the label `o2ims.oran.org/tenant`."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        SUSPENDED = "suspended"
        PENDING_DELETION = "pendingDeletion", "pending deletion"

    id = models.CharField("tenant", primary_key=True, max_length=63, validators=[label])
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.ACTIVE)
    contact_email = models.EmailField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.id


class User(Revocable, AbstractUser):
    """A person or a machine. The login name is unique across tenants (`alice@acme`); no tenant means the
    platform's."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, models.PROTECT, null=True, blank=True, related_name="users")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["username"]

    def __str__(self) -> str:
        return self.username

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Saves; signing in (`last_login` alone) takes nothing from anybody and is not noted."""
        if kwargs.get("update_fields") == ["last_login"]:
            models.Model.save(self, *args, **kwargs)
            return
        super().save(*args, **kwargs)


class Token(Revocable):
    """A bearer token: 256 random bits, shown once, kept as its SHA-256."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=200, blank=True, help_text="What it is for.")
    prefix = models.CharField(max_length=12, editable=False)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.prefix}… of {self.user}"

    @classmethod
    def issue(cls, user: User, *, name: str = "", expires_at: datetime | None = None) -> tuple["Token", str]:
        """Makes a token for `user`. Returns the row and the secret, which is kept nowhere."""
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        token = cls(
            user=user, name=name, expires_at=expires_at, prefix=secret[:8], digest=cls.digest_of(secret)
        )
        token.save()
        return token, secret

    @staticmethod
    def digest_of(secret: str) -> bytes:
        """What is stored of `secret`."""
        return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()

    def revoke(self) -> None:
        """Takes the token away, for good; running processes refuse it within seconds."""
        self.revoked_at = self.revoked_at or timezone.now()
        self.save(update_fields=["revoked_at"])
