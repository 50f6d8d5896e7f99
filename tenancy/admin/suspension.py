"""The form of a tenant in the admin site: who suspends one says why, and networks are lines."""

from typing import Any

from django import forms

from tenancy.admin.networks import NetworksField
from tenancy.models import Tenant


class TenantForm(forms.ModelForm):  # type: ignore[type-arg]
    """A tenant's fields, and the reason for what is done to it."""

    callback_networks = NetworksField(
        required=False,
        help_text="One a line, such as 10.20.0.0/16: private networks that its callbacks may go to, beside "
        "those of the platform's setting; never this machine, metadata addresses or the gateway's own.",
    )
    reason = forms.CharField(
        required=False,
        max_length=500,
        help_text="Goes into the audit trail. Needed to suspend, which refuses its people within seconds.",
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    def clean(self) -> dict[str, Any]:
        """Refuses a suspension without a reason."""
        given = super().clean() or {}
        becomes = given.get("status") == Tenant.Status.SUSPENDED != self.instance.status
        if becomes and not given.get("reason"):
            self.add_error("reason", "Say why it is suspended.")
        return given
