"""Signing in to the admin site."""

import threading
from typing import Any

import structlog
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from netweave import guesses, metrics

log = structlog.get_logger()

# Argon2 takes 100 MiB for each guess: a crowd at the login must not take the machine's memory.
_AT_ONCE = threading.BoundedSemaphore(4)


_REFUSED = (
    "Please enter the correct username and password of somebody who has a role of the platform."
    f" After {guesses.FROM_ONE_ADDRESS} wrong ones, the right ones are refused too, for an hour."
)


class SignIn(AuthenticationForm):
    """Whoever is refused is told the same, whatever was wrong: the name, the password, the role, or that
    there have been too many guesses."""

    required_css_class = "required"
    error_messages = {"invalid_login": _REFUSED}

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
        """Raises `ValidationError` for whoever has no role of the platform."""
        if not user.runs_the_platform:
            raise self.get_invalid_login_error()

    def _refusal(self, result: str, told: str) -> ValidationError:
        metrics.SIGN_INS.labels(result).inc()
        log.warning(
            "sign_in_refused",
            user=self.cleaned_data.get("username"),
            address=guesses.address(self.request) if self.request else None,
            result=result,
        )
        return ValidationError(told, code=result)
