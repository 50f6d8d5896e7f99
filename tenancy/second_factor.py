"""The second factor of the platform's people: a code of an app (TOTP, RFC 6238) or, where the app is lost,
one of a few backup codes. Keys are kept by django-otp."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from tenancy.models import User

BACKUP_CODES = 10
TOTP_DIGITS = 6


def enrolled(user: User) -> bool:
    """Whether `user` has one."""
    return any(kind.objects.filter(user=user, confirmed=True).exists() for kind in (TOTPDevice, StaticDevice))


def enrol(user: User) -> tuple[str, list[str]]:
    """Makes a new key and new backup codes; those that there were end, and the sessions that began with
    them. Returns the key as an `otpauth:` URI, and the codes: neither is shown again."""
    with transaction.atomic():
        for kind in (TOTPDevice, StaticDevice):
            kind.objects.filter(user=user).delete()
        app = TOTPDevice.objects.create(user=user, name="app")
        backup = StaticDevice.objects.create(user=user, name="backup codes")
        codes = [StaticToken.random_token() for _ in range(BACKUP_CODES)]
        StaticToken.objects.bulk_create(StaticToken(device=backup, token=code) for code in codes)
    return app.config_url, codes


def accepted(user: User, code: str) -> Device | None:
    """The device of `user` that takes `code`, which it takes this once; None where there is none, or it has
    been asked too often (django-otp's throttle: 1 s after a wrong code, then 2 s, 4 s, …)."""
    code = code.replace(" ", "").lower()
    kind = TOTPDevice if len(code) == TOTP_DIGITS and code.isdecimal() else StaticDevice
    with transaction.atomic():  # of two who send one code at once, one waits, and is refused
        for device in kind.objects.select_for_update().filter(user=user, confirmed=True):
            if device.verify_token(code):
                return device
    return None


def passed(request: HttpRequest, user: User) -> bool:
    """Whether the session, which is `user`'s, began with a second factor that they still have; where none is
    required, yes."""
    if not settings.REQUIRE_TOTP:
        return True
    known: Any = getattr(request, "second_factor", None)
    if known is None:
        device = Device.from_persistent_id(request.session.get(DEVICE_ID_SESSION_KEY, ""))
        known = device is not None and device.user_id == user.pk and device.confirmed
        request.second_factor = known  # type: ignore[attr-defined]
    return bool(known)
