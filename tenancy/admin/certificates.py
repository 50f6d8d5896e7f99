"""The admin pages of certificates: the CAs that are believed, and the clients' certificates that were
used."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from tenancy.admin.endings import EndingFilter
from tenancy.admin.page import Page, deed_of
from tenancy.admin.words import PLATFORM
from tenancy.permissions import Action
from tenancy.readonly import ReadOnlyAdmin
from tenancy.refusals import Unfit
from tenancy.times import exactly
from tenancy.told import told, wire
from tenancy.trust import Certificate, Issuer


class IssuerForm(ModelForm):  # type: ignore[type-arg]
    """A CA's certificate, and whom it speaks for."""

    class Meta:
        model = Issuer
        fields = ["tenant", "pem"]

    def clean(self) -> dict[str, Any]:
        """Refuses what is no CA's certificate, or is believed about that tenant already."""
        given = super().clean() or {}
        try:
            self.instance.pem = given.get("pem", "")
            self.instance.read()
            known = Issuer.objects.filter(tenant=given.get("tenant"), fingerprint=self.instance.fingerprint)
        except Unfit as error:
            raise ValidationError({error.field: f"This {error.detail}."}) from error
        if known.exists():
            raise ValidationError({"pem": "It is believed already."})
        return given


@admin.register(Issuer)
class IssuerAdmin(Page):
    """CAs. One is added or taken away, and never changed."""

    form = IssuerForm
    list_display = ["subject", "tenant_word", "expires", "created"]
    list_filter = [EndingFilter]
    list_select_related = ["tenant"]
    search_fields = ["subject", "fingerprint"]
    search_help_text = "subject or fingerprint"
    when_empty = "No client certificate names anybody until a CA is added."
    expires = exactly("expires_at", "expires")
    created = exactly("created_at", "added")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:  # noqa: ARG002
        """What is known of one, or what is asked of a new one."""
        return (
            ["subject", "tenant_word", "fingerprint", "expires", "created", "pem"]
            if obj
            else ["tenant", "pem"]
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Everything, once it is there."""
        return self.get_fields(request, obj) if obj else []

    @admin.display(description="speaks for", ordering="tenant")
    def tenant_word(self, issuer: Issuer) -> str:
        """Whose people."""
        return issuer.tenant_id or PLATFORM

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Never."""
        return False


@admin.register(Certificate)
class CertificateAdmin(ReadOnlyAdmin):
    """Client certificates that were used: whose, and whether they are good."""

    list_display = ["subject_word", "user", "state_word", "expires", "used"]
    list_filter = [EndingFilter]
    list_select_related = ["user"]
    search_fields = ["subject", "fingerprint", "serial", "user__username"]
    search_help_text = "subject, fingerprint, serial number or user"
    when_empty = "None has been used yet."
    expires = exactly("expires_at", "expires")
    used = exactly("first_used_at", "first used")
    revoked = exactly("revoked_at", "revoked")
    fields = [
        "user",
        "subject",
        "issuer",
        "serial",
        "fingerprint",
        "state_word",
        "expires",
        "used",
        "revoked",
    ]
    actions = ["revoke"]

    @admin.display(description="subject", ordering="subject")
    def subject_word(self, certificate: Certificate) -> str:
        """Its subject, or (it may have none) the beginning of its fingerprint."""
        return certificate.subject or f"{certificate.fingerprint[:16]}…"

    @admin.display(description="state")
    def state_word(self, certificate: Certificate) -> str:
        """A word, a shape and a colour."""
        if certificate.revoked_at:
            return format_html('<span class="state state-down">{} revoked</span>', "✕")
        if certificate.expires_at <= timezone.now():
            return format_html('<span class="state state-retired">{} expired</span>', "□")
        return format_html('<span class="state state-up">{} valid</span>', "●")

    @admin.action(description="Revoke for good", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Certificate]) -> None:
        """Refuses the selected certificates."""
        deed = deed_of(request)
        with transaction.atomic():
            for row in queryset:
                before = wire(row)
                row.revoke()
                deed.tell(told(deed, Action.DELETE, row, before=before, after=wire(row)))
        self.message_user(request, f"Revoked: {len(queryset)}. Running processes refuse them within seconds.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Who may change certificates may revoke them."""
        return request.user.has_perm("tenancy.change_certificate")
