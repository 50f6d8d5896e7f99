"""What `manage.py` checks beside Django's own: before anything starts, that every route of an API root says
what it needs; with `check --deploy`, what a deployment would lose."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.urls import URLPattern, URLResolver, get_resolver

from netweave import problems
from tenancy import quotas
from tenancy.guard import Permitted, needed
from tenancy.middleware import API_ROOT


@checks.register()
def default_quotas_exist(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """Every name in DEFAULT_QUOTAS is one."""
    unknown = sorted(settings.DEFAULT_QUOTAS.keys() - set(quotas.ALL))
    hint = f"There are {', '.join(quotas.ALL)}."
    return [
        checks.Error(f"DEFAULT_QUOTAS: {name} is none.", hint=hint, id="netweave.E003") for name in unknown
    ]


@checks.register(deploy=True)
def two_logins(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:  # noqa: ARG001 - Django's signature
    """The application's login should not own the database."""
    if settings.DATABASES["default"]["USER"] != settings.DATABASES["owner"]["USER"]:
        return []
    what = "DATABASE_URL and MIGRATE_DATABASE_URL are one login: nothing is append-only then."
    hint = "Give the application a login of its own; migrations grant it what it needs."
    return [checks.Warning(what, hint=hint, id="netweave.W001")]


@checks.register(deploy=True)
def nothing_relaxed(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """What the demo relaxes is not relaxed."""
    relaxed = [
        ("DOCS_PUBLIC", settings.DOCS_PUBLIC, "the API's documentation is everybody's"),
        ("REQUIRE_TOTP=0", not settings.REQUIRE_TOTP, "a password is enough to run the platform"),
    ]
    return [
        checks.Warning(f"{name}: {what}.", hint="Leave it out.", id="netweave.W002")
        for name, is_so, what in relaxed
        if is_so
    ]


def api_routes(patterns: list[Any] | None = None, prefix: str = "/") -> Iterator[tuple[str, Any]]:
    """Every path below an API root as the URL map spells it, with its view; but for what answers 404 to all
    else."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        path = prefix + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            yield from api_routes(pattern.url_patterns, path)
        elif (
            isinstance(pattern, URLPattern)
            and API_ROOT.match(path)
            and pattern.callback != problems.not_found
        ):
            yield path, pattern.callback


@checks.register
def closed_routes(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """Every method of every route of an API root names its permission."""
    return [
        checks.Error(
            f"{path} does not say what it needs.", hint="Give the view a `resource`.", id="netweave.E001"
        )
        for path, view in api_routes()
        if not says_what_it_needs(view)
    ]


def says_what_it_needs(view: Any) -> bool:
    """Whether a route's view is guarded, and names a permission for each method it takes."""
    cls, actions = getattr(view, "cls", None), getattr(view, "actions", None)
    if cls is None or not actions or cls.permission_classes != [Permitted]:
        return False
    return all(needed(cls, action) is not None for action in actions.values())
