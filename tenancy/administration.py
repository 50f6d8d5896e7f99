"""A caller's changes of tenants, people and roles. Nobody gives others what they do not hold: a role that is
made, changed or bound, and a token that is issued, allows nothing beyond what its giver may do.

To be used within `one_at_a_time`: what was looked at still holds when it is written.
"""

from collections.abc import Iterable

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet

from api.bodies import Absent, Fault
from tenancy import quotas
from tenancy.directory import Directory, NotListed, Row, one_of
from tenancy.drafts import BindingDraft, IssuerDraft, RoleDraft, TenantDraft, TokenDraft, UserDraft
from tenancy.models import Binding, Role, Tenant, Token, User
from tenancy.permissions import Action, Permission, Resource, Scope
from tenancy.principals import Principal
from tenancy.refusals import NotHeld, Taken
from tenancy.roles import BUILT_IN, OWNER
from tenancy.trust import Certificate, Issuer


class Administration:
    """What `caller` does. Each method raises `Refused` where a rule says no, and `Absent` for what a body
    names and the caller's directory does not have."""

    def __init__(self, caller: Principal) -> None:
        self._caller = caller

    def create_tenant(self, draft: TenantDraft) -> Tenant:
        """A new tenant, active and empty."""
        if Scope.ALL not in self._caller.rights.scopes(Resource.TENANT, Action.CREATE):
            raise PermissionDenied
        if Tenant.objects.filter(pk=draft.id).exists():
            raise Taken(f"There is a tenant {draft.id} already.")
        return self.change_tenant(Tenant(pk=draft.id), draft)

    def change_tenant(self, tenant: Tenant, draft: TenantDraft) -> Tenant:
        """The tenant as the draft says. Where its callbacks may go, and whether they have to answer, is the
        platform's to say, whoever may change the rest."""
        tenant.name, tenant.description = draft.name, draft.description
        tenant.status, tenant.contact_email = draft.status, draft.contact_email
        tenant.metadata = dict(draft.metadata)
        limited = draft.quotas or draft.rate_limit != tenant.own_rate
        if limited and Scope.ALL not in self._caller.rights.scopes(Resource.QUOTA, Action.UPDATE):
            raise PermissionDenied
        tenant.rate_limit = str(draft.rate_limit or "")
        was = tenant.callback_check, tenant.callback_networks
        tenant.callback_check, tenant.callback_networks = draft.callback_check, draft.callback_networks
        let_out = was != (tenant.callback_check, tenant.callback_networks)
        if let_out and Scope.ALL not in self._caller.rights.scopes(Resource.TENANT, Action.UPDATE):
            raise PermissionDenied
        tenant.save()
        for name, limit in draft.quotas.items():
            quotas.set_limit(tenant.pk, name, limit)
        return tenant

    def create_user(self, tenant: Tenant, draft: UserDraft) -> User:
        """A new user of `tenant`, who may do nothing yet."""
        if User.objects.filter(username=draft.name).exists():
            raise Taken(f"There is a user {draft.name} already.")
        user = User(username=draft.name, tenant=tenant)
        user.set_unusable_password()
        return self.change_user(user, draft)

    def change_user(self, user: User, draft: UserDraft) -> User:
        """The user as the draft says."""
        user.email, user.is_active = draft.email, draft.active
        user.save()
        return user

    def create_role(self, draft: RoleDraft) -> Role:
        """A new role of a tenant: of the caller's own, where the draft names none."""
        tenants = Directory(self._caller, Resource.ROLE, Action.CREATE).tenants()
        tenant = self._named(tenants, "tenantId", draft.tenant or self._caller.tenant or "")
        return self.change_role(Role(tenant=tenant), draft)

    def change_role(self, role: Role, draft: RoleDraft) -> Role:
        """The role as the draft says, for everybody who has it."""
        self._must_hold(draft.permissions)
        role.name, role.description = draft.name, draft.description
        role.permissions = sorted(map(str, draft.permissions))
        role.save()
        return role

    def bind(self, draft: BindingDraft) -> Binding:
        """Somebody gets a role."""
        users = Directory(self._caller, Resource.BINDING, Action.CREATE).users()
        return self._bound(Binding(user=self._named(users, "userId", draft.user)), draft)

    def rebind(self, binding: Binding, draft: BindingDraft) -> Binding:
        """Somebody gets another role instead, or another end of it."""
        self._must_be_able_to_take(binding.role)
        return self._bound(binding, draft)

    def unbind(self, binding: Binding) -> None:
        """Somebody has a role no longer."""
        self._must_be_able_to_take(binding.role)
        binding.delete()

    def issue(self, draft: TokenDraft) -> tuple[Token, str]:
        """A token, and its secret. Whoever has it acts as its user: so it must allow nothing that the caller
        may not do."""
        users = Directory(self._caller, Resource.TOKEN, Action.CREATE).users()
        user = self._named(users, "userId", draft.user or self._caller.user_id)
        if str(user.pk) != self._caller.user_id:
            self._must_hold(user.rights.to_others())
        return Token.issue(user, name=draft.name, expires_at=draft.expires_at)

    def revoke(self, shown: Token | Certificate) -> None:
        """Nobody can use it any more. Those of the platform's people are revoked by who may do all that they
        may."""
        if shown.user.tenant_id is None:
            self._must_hold(shown.user.rights.to_others())
        shown.revoke()

    def trust(self, draft: IssuerDraft) -> Issuer:
        """A CA is believed about a tenant's people, or the platform's. Whoever has its key can act as any of
        them: so the caller must hold all that they may."""
        tenant = self._caller.tenant if draft.tenant is None else draft.tenant
        if tenant:
            tenants = Directory(self._caller, Resource.CERTIFICATE, Action.CREATE).tenants()
            issuer = Issuer(tenant=self._named(tenants, "tenantId", tenant), pem=draft.pem)
        else:
            issuer = Issuer(tenant=None, pem=draft.pem)
        self._must_speak_for(issuer)
        issuer.read()
        if Issuer.objects.filter(tenant=issuer.tenant, fingerprint=issuer.fingerprint).exists():
            raise Taken("This CA is believed already.")
        issuer.save()
        return issuer

    def distrust(self, issuer: Issuer) -> None:
        """A CA is believed no longer: by who could have added it."""
        self._must_speak_for(issuer)
        issuer.delete()

    def _must_speak_for(self, issuer: Issuer) -> None:
        most = "PlatformAdmin" if issuer.tenant_id is None else OWNER
        self._must_hold(BUILT_IN[most].permissions)

    def _bound(self, binding: Binding, draft: BindingDraft) -> Binding:
        roles = Directory(self._caller, Resource.BINDING, Action.CREATE).roles()
        binding.role = self._named(roles, "roleId", draft.role)
        self._must_hold(binding.role.needed_to_give())
        binding.expires_at = draft.expires_at
        binding.save()
        return binding

    def _must_hold(self, permissions: Iterable[Permission]) -> None:
        if lacking := self._caller.rights.lacks(permissions):
            raise NotHeld(lacking)

    def _must_be_able_to_take(self, role: Role) -> None:
        if role.system:
            self._must_hold(role.needed_to_give())

    @staticmethod
    def _named(rows: QuerySet[Row], key: str, id_: str) -> Row:
        """What a body names: foreign and unknown are the same."""
        try:
            return one_of(rows, id_)
        except NotListed as error:
            raise Absent(Fault(f"/{key}", f"there is no such {rows.model._meta.model_name}")) from error
