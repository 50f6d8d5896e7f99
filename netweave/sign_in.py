"""Signing in to the admin site."""

from typing import Any

from django.contrib.auth.forms import AuthenticationForm


class SignIn(AuthenticationForm):
    """Who has no role of the platform is told what somebody with a wrong password is told."""

    required_css_class = "required"

    def confirm_login_allowed(self, user: Any) -> None:
        """Raises `ValidationError` for anybody else."""
        if not user.runs_the_platform:
            raise self.get_invalid_login_error()
