"""Signing in to the admin site."""

import threading
from typing import Any

import structlog
from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.db import DatabaseError

from netweave import guesses, metrics
from tenancy import second_factor
from tenancy.models import User

log = structlog.get_logger()

# Argon2 takes 100 MiB for each guess: a crowd at the login must not take the machine's memory.
_AT_ONCE = threading.BoundedSemaphore(4)


_REFUSED = (
    "Please enter what lets somebody in who has a role of the platform: the correct username and password,"
    " and a new code where one is asked for."
    f" After {guesses.FROM_ONE_ADDRESS} wrong ones, the right ones are refused too, for an hour."
)


class SignIn(AuthenticationForm):
    """Whoever is refused is told the same, whatever was wrong: the name, the password, the code, the role,
    or that there have been too many guesses."""

    code = forms.CharField(
        required=False,
        max_length=32,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
        help_text=(
            "Of your authenticator app, or a backup code. Whoever has none asks those who run this gateway:"
            " `manage.py enroll_totp` makes them."
        ),
    )

    required_css_class = "required"
    error_messages = {"invalid_login": _REFUSED}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not settings.REQUIRE_TOTP:
            del self.fields["code"]

    def clean(self) -> Any:
        """What was entered. Raises `ValidationError`."""
        try:
            with _AT_ONCE:
                entered = super().clean()
        except guesses.Uncounted:
            raise self._refusal(
                "unavailable",
                "Nobody can sign in at the moment: Redis cannot be reached, where guesses are counted.",
            ) from None
        except ValidationError:
            locked = getattr(self.request, "axes_locked_out", False)
            raise self._refusal("locked" if locked else "denied", _REFUSED) from None
        if self.get_user() is not None:
            metrics.SIGN_INS.labels("success").inc()
        return entered

    def confirm_login_allowed(self, user: Any) -> None:
        """Raises `ValidationError` for whoever has no role of the platform, or not the second factor."""
        if not user.runs_the_platform:
            raise self.get_invalid_login_error()
        if settings.REQUIRE_TOTP:
            user.otp_device = second_factor.accepted(user, self.cleaned_data.get("code", ""))
            if user.otp_device is None:
                raise self.get_invalid_login_error()

    def _refusal(self, result: str, told: str) -> ValidationError:
        metrics.SIGN_INS.labels(result).inc()
        log.warning(
            "sign_in_refused",
            user=_known(self.cleaned_data.get("username", "")),
            address=guesses.address(self.request) if self.request else None,
            result=result,
        )
        return ValidationError(told, code=result)


def _known(typed: str) -> str:
    try:
        return User.objects.known(typed)
    except DatabaseError:
        return ""
