"""What `manage.py check --deploy` says beside Django's own: what a deployment would lose."""

from typing import Any

from django.conf import settings
from django.core import checks


@checks.register(deploy=True)
def two_logins(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:  # noqa: ARG001 - Django's signature
    """The application's login should not own the database."""
    if settings.DATABASES["default"]["USER"] != settings.DATABASES["owner"]["USER"]:
        return []
    what = "DATABASE_URL and MIGRATE_DATABASE_URL are one login: nothing is append-only then."
    hint = "Give the application a login of its own; migrations grant it what it needs."
    return [checks.Warning(what, hint=hint, id="netweave.W001")]
