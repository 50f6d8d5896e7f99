"""Whom we believe about whom: the CAs that may issue certificates for a tenant's people, and the certificates
that were seen.

An `Issuer` speaks for one tenant (or for the platform) only: what it signs for another names nobody. A
`Certificate` row is made when one is first used; to revoke it is to refuse it, on open connections too.
"""

import hashlib
import uuid
from typing import ClassVar

from cryptography import x509
from django.db import models
from django.utils import timezone

from tenancy import certificates
from tenancy.models import Tenant, User
from tenancy.permissions import Resource
from tenancy.refusals import Unfit
from tenancy.revocations import Revocable


class IssuerQuerySet(models.QuerySet["Issuer"]):
    """Issuers, many at a time."""

    def have_signed(self, certificate: x509.Certificate) -> bool:
        """Whether one of them has."""
        return any(certificates.issued_by(certificate, issuer.certificate) for issuer in self)


class Issuer(Revocable):
    """A CA whose client certificates are believed for one tenant's people, or (no tenant) the platform's."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, null=True, blank=True, related_name="issuers")
    pem = models.TextField("certificate", help_text="The CA's certificate, as PEM.")
    fingerprint = models.CharField(max_length=64, editable=False)
    subject = models.TextField(editable=False)
    expires_at = models.DateTimeField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[IssuerQuerySet] = IssuerQuerySet.as_manager()  # type: ignore[assignment]
    resource = Resource.CERTIFICATE

    class Meta:
        ordering = ["tenant", "subject"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "fingerprint"], name="one_issuer_of_a_tenant", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject} for {self.tenant_id or 'the platform'}"

    @property
    def certificate(self) -> x509.Certificate:
        """The CA's certificate."""
        return certificates.read(self.pem.encode())

    def read(self) -> None:
        """Takes what is known of it from `pem`. Raises `Unfit` for what is no CA's certificate."""
        try:
            found = self.certificate
            constraints = found.extensions.get_extension_for_class(x509.BasicConstraints).value
        except (certificates.Unmapped, x509.ExtensionNotFound, ValueError) as error:
            raise Unfit("pem", "is no CA's certificate") from error
        if not constraints.ca:
            raise Unfit("pem", "is no CA's certificate")
        self.fingerprint = fingerprint(found)
        self.subject = found.subject.rfc4514_string()
        self.expires_at = found.not_valid_after_utc

    def save(self, *args: object, **kwargs: object) -> None:
        """Saves. Raises `Unfit` for what is no CA's certificate."""
        self.read()
        super().save(*args, **kwargs)


class Certificate(Revocable):
    """A client certificate that was used: whose, and whether it is still good. Made by `note`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="certificates")
    fingerprint = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256 of it.")
    subject = models.TextField(editable=False)
    issuer = models.TextField(editable=False)
    serial = models.CharField(max_length=50, editable=False)
    expires_at = models.DateTimeField(editable=False)
    first_used_at = models.DateTimeField(default=timezone.now, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    resource = Resource.CERTIFICATE

    class Meta:
        ordering = ["-first_used_at"]

    def __str__(self) -> str:
        return f"{self.subject or self.fingerprint[:16]} of {self.user}"

    @classmethod
    def note(cls, found: x509.Certificate, user: User) -> None:
        """Writes down that it was used, once; nobody's rights change by that."""
        row = Certificate(
            user=user,
            fingerprint=fingerprint(found),
            subject=found.subject.rfc4514_string(),
            issuer=found.issuer.rfc4514_string(),
            serial=f"{found.serial_number:x}",
            expires_at=found.not_valid_after_utc,
        )
        Certificate.objects.bulk_create([row], ignore_conflicts=True)

    def revoke(self) -> None:
        """Refuses it for good; running processes do within seconds."""
        self.revoked_at = self.revoked_at or timezone.now()
        self.save(update_fields=["revoked_at"])


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of a certificate, as 64 hexadecimal digits."""
    return hashlib.sha256(certificates.der(certificate)).hexdigest()
