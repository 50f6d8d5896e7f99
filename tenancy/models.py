"""Tenants, the people in them, what they may do, their tokens, and the log of what was taken from them."""

import hashlib
import re
import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from ipaddress import ip_network
from typing import Any, ClassVar

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import AbstractUser, UserManager
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.functional import cached_property

from tenancy.networks import Network
from tenancy.permissions import Action, Grant, Permission, Resource, Rights, Scope, rights_at, rights_of
from tenancy.rates import Limit, written
from tenancy.refusals import BuiltInRole, InUse, LastOwner, Taken, Unfit
from tenancy.revocations import Revocable, one_at_a_time
from tenancy.roles import BUILT_IN, CEILING, OWNER

TOKEN_PREFIX = "nwt_"  # noqa: S105 - says what the secret is, so that scanners find a leaked one

LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
NETWORKS = "Private networks that its callbacks may go to, beside those of the platform's setting."
label = RegexValidator(rf"\A{LABEL}\Z", "Lower-case letters, digits and hyphens, 1 to 63 of them.")


class Tenant(Revocable):
    """An organisation that sees only its own. Its id is the value of the label `o2ims.oran.org/tenant`."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        SUSPENDED = "suspended"
        PENDING_DELETION = "pendingDeletion", "pending deletion"

    class CallbackCheck(models.TextChoices):
        STRICT = "strict", "strict: a callback that does not answer is refused"
        WARN = "warn", "warn: it is said that it does not"
        OFF = "off", "off: it is not asked"

    id = models.CharField("tenant", primary_key=True, max_length=63, validators=[label])
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.ACTIVE)
    contact_email = models.EmailField(blank=True)
    metadata = models.JSONField(default=dict, db_default={}, blank=True, help_text="Whatever is to be kept.")
    rate_limit = models.CharField(
        max_length=20,
        blank=True,
        default="",
        db_default="",
        validators=[written],
        help_text="Requests a second and at once, such as 200/400; empty: the platform's default.",
    )
    callback_check = models.CharField(
        max_length=6,
        blank=True,
        default="",
        db_default="",
        choices=CallbackCheck.choices,
        help_text="When somebody subscribes; empty: the platform's setting.",
    )
    callback_networks = models.JSONField(default=list, db_default=[], blank=True, help_text=NETWORKS)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    resource = Resource.TENANT

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.id

    @property
    def own_rate(self) -> Limit | None:
        """How fast its people may ask together; None: the platform's default."""
        return Limit.parse(self.rate_limit)

    @property
    def own_networks(self) -> tuple[Network, ...]:
        """Where its callbacks may go, beside where everybody's may. Raises `ValueError` where something else
        has been written into the database."""
        return tuple(ip_network(one) for one in self.callback_networks)


class Role(Revocable):
    """What its holders may do. Roles of no tenant are built in (`tenancy/roles.py`): a migration made them,
    and nobody changes them. A tenant's own hold no more than its Owner does."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, models.PROTECT, null=True, related_name="roles")
    name = models.CharField(max_length=63)
    description = models.TextField(blank=True)
    system = models.BooleanField(default=False, editable=False, help_text="For the platform's people.")
    permissions = models.JSONField(default=list, help_text="Texts such as ResourcePool:manage:tenant.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    resource = Resource.ROLE

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="one_role_of_a_name"),
            models.CheckConstraint(
                condition=models.Q(system=False) | models.Q(tenant=None), name="system_roles_are_no_tenants"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.tenant_id}" if self.tenant_id else self.name

    @classmethod
    def built_in(cls, name: str) -> "Role":
        """The built-in role of this name."""
        return cls.objects.get(pk=BUILT_IN[name].id)

    @property
    def grants(self) -> frozenset[Permission]:
        """Its permissions. Raises `Unfit` where one of them is none."""
        try:
            return rights_of(frozenset(self.permissions)).permissions
        except ValueError as error:
            raise Unfit("permissions", str(error)) from error

    def needed_to_give(self) -> frozenset[Permission]:
        """What one must hold to give this role to somebody: all that it allows. The platform's own are given,
        and taken, by a platform admin alone."""
        return BUILT_IN["PlatformAdmin"].permissions if self.system else self.grants

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Saves. Raises `BuiltInRole`, `Unfit` or `Taken`."""
        with one_at_a_time():
            self._must_be_a_tenants()
            if self.name.strip().casefold() in {name.casefold() for name in BUILT_IN}:
                raise Unfit("name", "is the name of a built-in role")
            if Role.objects.filter(tenant=self.tenant_id, name=self.name).exclude(pk=self.pk).exists():
                raise Taken(f"There is a role of the name {self.name} already.")
            if beyond := CEILING.lacks(self.grants):
                raise Unfit("permissions", f"{beyond[0]} is nothing that a tenant's role can hold")
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Deletes. Raises `BuiltInRole`, or `InUse` while somebody has it."""
        with one_at_a_time():
            self._must_be_a_tenants()
            if count := self.bindings.count():
                raise InUse(f"{count} {'person has' if count == 1 else 'people have'} this role.")
            return super().delete(*args, **kwargs)

    def _must_be_a_tenants(self) -> None:
        stored = Role.objects.filter(pk=self.pk).first()
        if self.tenant_id is None or (stored and stored.tenant_id is None):
            raise BuiltInRole(stored.name if stored else self.name)
        if stored and stored.tenant_id != self.tenant_id:
            raise Unfit("tenant", "cannot be changed")


class People(UserManager["User"]):
    """Users; `createsuperuser` makes a platform admin."""

    use_in_migrations = False

    def known(self, typed: str) -> str:
        """A login name that somebody typed, if anybody has it; '' otherwise: it may be a password."""
        return typed if "\0" not in typed and self.filter(username=typed).exists() else ""

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **_: Any
    ) -> "User":
        """A user of the platform with the role PlatformAdmin."""
        with one_at_a_time():
            user = self.create_user(username, email, password)
            Binding(user=user, role=Role.built_in("PlatformAdmin")).save()
        return user


class User(Revocable, AbstractUser):
    """A person or a machine. The login name is unique across tenants (`alice@acme`); no tenant means the
    platform's. What somebody may do is what their roles say: Django's own flags, groups and permissions of
    users mean nothing here."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, models.PROTECT, null=True, blank=True, related_name="users")
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[People] = People()
    resource = Resource.USER

    class Meta:
        ordering = ["username"]

    def __str__(self) -> str:
        return self.username

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Saves; signing in (`last_login` alone) takes nothing from anybody and is not noted. Raises
        `LastOwner`, or `Unfit` for another tenant: roles were given for the one there is."""
        if kwargs.get("update_fields") == ["last_login"]:
            models.Model.save(self, *args, **kwargs)
            return
        with one_at_a_time(), an_owner_stays(self.tenant_id):
            stored = User.objects.filter(pk=self.pk).first()
            if stored and stored.tenant_id != self.tenant_id:
                raise Unfit("tenant", "cannot be changed")
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Deletes, with roles and tokens. Raises `LastOwner`."""
        with one_at_a_time(), an_owner_stays(self.tenant_id):
            return super().delete(*args, **kwargs)

    def grants(self) -> tuple[Grant, ...]:
        """What this user has been given, expired grants too."""
        bindings = self.bindings.select_related("role")
        return tuple(Grant(one.role.name, one.role.grants, one.expires_at) for one in bindings)

    @cached_property
    def rights(self) -> Rights:
        """What this user holds, as it was when first asked: a row in hand lives for one request."""
        return rights_at(self.grants(), timezone.now())

    def within(self, rights: Rights) -> bool:
        """Whether this user may do nothing beyond `rights`: only then may their holder act as this user."""
        return rights.cover(self.rights.to_others())

    def role_names(self) -> list[str]:
        """The names of the roles in force."""
        now = timezone.now()
        return [one.role.name for one in self.bindings.all() if not one.expires_at or one.expires_at > now]

    @property
    def common_name(self) -> str | None:
        """The CN of a certificate for this user, `alice.acme.<suffix>`; None where the login name cannot be
        written so."""
        name, _, tenant = self.username.partition("@")
        fits = tenant == self.tenant_id and re.fullmatch(LABEL, name)
        return f"{name}.{tenant}.{settings.CERTIFICATE_CN_SUFFIX}" if fits else None

    @property
    def is_welcome(self) -> bool:
        """Whether a good credential of theirs lets them in: neither they nor their tenant is suspended."""
        return self.is_active and (self.tenant is None or self.tenant.status == Tenant.Status.ACTIVE)

    @property
    def runs_the_platform(self) -> bool:
        """Whether this is an active user with a role of the platform: who may sign in to the admin site."""
        return self.is_active and self.tenant_id is None and bool(self.rights.permissions)

    def has_perm(self, perm: str, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        """What Django's admin site asks: `tenancy.view_user`. The model says which resource it is; a model
        that does not is nobody's."""
        app, _, codename = perm.partition(".")
        verb, _, model = codename.partition("_")
        resource = getattr(apps.all_models.get(app, {}).get(model), "resource", None)
        if resource is None or verb not in _VERBS or not self.runs_the_platform:
            return False
        return Scope.ALL in self.rights.scopes(resource, _VERBS[verb])

    def has_module_perms(self, app_label: str) -> bool:
        """Whether any page of an app is for this user."""
        return any(self.has_perm(f"{app_label}.view_{model}") for model in apps.all_models.get(app_label, {}))


_VERBS = {
    "view": Action.READ,
    "add": Action.CREATE,
    "change": Action.UPDATE,
    "delete": Action.DELETE,
    "export": Action.EXPORT,
}


@contextmanager
def an_owner_stays(tenant: str | None) -> Iterator[None]:
    """Whoever answered for `tenant` before is still there after, or somebody else who does: an active user
    who is Owner without an end. Raises `LastOwner`; within `one_at_a_time`."""
    owners = Binding.objects.filter(
        user__tenant=tenant, user__is_active=True, role=BUILT_IN[OWNER].id, expires_at__isnull=True
    )
    had_one = tenant is not None and owners.exists()
    yield
    if tenant is not None and had_one and not owners.exists():
        raise LastOwner(tenant)


class Binding(Revocable):
    """That somebody has a role, for good or until `expires_at`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="bindings")
    role = models.ForeignKey(Role, models.PROTECT, related_name="bindings")
    expires_at = models.DateTimeField(null=True, blank=True, help_text="From then on it gives nothing.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    resource = Resource.BINDING

    class Meta:
        ordering = ["user__username", "role__name"]
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="one_binding_of_a_role")]

    def __str__(self) -> str:
        return f"{self.user} is {self.role.name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Saves. Raises `Unfit` for a role that is not for this user, `Taken` or `LastOwner`."""
        with one_at_a_time(), an_owner_stays(self.user.tenant_id):
            self.must_fit()
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Deletes. Raises `LastOwner`."""
        with one_at_a_time(), an_owner_stays(self.user.tenant_id):
            return super().delete(*args, **kwargs)

    def must_fit(self) -> None:
        """Raises `Unfit` or `Taken`: system roles are for the platform's people, the other built-in ones for
        any tenant's, a tenant's own roles for its own."""
        role, tenant = self.role, self.user.tenant_id
        if role.system != (tenant is None) or role.tenant_id not in {None, tenant}:
            raise Unfit("role", f"{role} is no role for {self.user}")
        stored = Binding.objects.filter(pk=self.pk).first()
        if stored and stored.user_id != self.user_id:
            raise Unfit("user", "cannot be changed")
        if Binding.objects.filter(user=self.user, role=role).exclude(pk=self.pk).exists():
            raise Taken(f"{self.user} has the role {role.name} already.")


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

    resource = Resource.TOKEN

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


import tenancy.quotas  # noqa: E402
import tenancy.trail  # noqa: E402 - models too, and this is where Django looks for them
import tenancy.trust  # noqa: E402, F401
