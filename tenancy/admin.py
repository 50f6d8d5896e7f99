"""The admin pages of tenants, users and tokens."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tenancy.models import Tenant, Token, User
from tenancy.readonly import ReadOnlyAdmin
from tenancy.times import exactly

admin.site.unregister(Group)
_PLATFORM = SafeString("the platform")  # as Django types a filter's word for nothing


class TenantFilter(admin.RelatedFieldListFilter):
    """Tenants; who is of none is the platform's."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.empty_value_display = _PLATFORM


@admin.register(Tenant)
class TenantAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Tenants. One with people or objects is not deleted here."""

    list_display = ["id", "name", "status", "people", "created"]
    list_filter = ["status"]
    search_fields = ["id", "name"]
    search_help_text = "id or name"
    when_empty = "Everything is the platform's until a tenant is added."
    created = exactly("created_at", "created")
    updated = exactly("updated_at", "updated")
    fields = ["id", "name", "description", "status", "contact_email", "created", "updated"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # noqa: ARG002
        """The id is what objects are labelled with: it never changes."""
        return ["id", "created", "updated"] if obj else ["created", "updated"]

    @admin.display(description="people")
    def people(self, tenant: Tenant) -> int:
        """How many users."""
        return tenant.users.count()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> None:  # noqa: ARG002
        """One by one, so that each is noted in the revocation log."""
        for row in queryset:
            row.delete()


@admin.register(User)
class UserAdmin(DjangoUserAdmin):  # type: ignore[type-arg]
    """People and machines."""

    list_display = ["username", "tenant_word", "is_active", "signed_in"]
    list_filter = [("tenant", TenantFilter), "is_active"]
    list_select_related = ["tenant"]
    search_fields = ["username", "email"]
    search_help_text = "login name or e-mail"
    filter_horizontal = []
    signed_in = exactly("last_login", "last signed in", never="never")
    joined = exactly("date_joined", "added")
    fieldsets = [
        (None, {"fields": ["username", "password", "tenant", "email"]}),
        ("State", {"fields": ["is_active"]}),
        ("Times", {"fields": ["signed_in", "joined"]}),
    ]
    add_fieldsets = [
        (
            None,
            {
                "classes": ["wide"],
                "fields": ["username", "tenant", "usable_password", "password1", "password2"],
            },
        )
    ]
    readonly_fields = ["signed_in", "joined"]
    actions = ["issue_token"]

    @admin.display(description="tenant", ordering="tenant")
    def tenant_word(self, user: User) -> str:
        """Whose people they are."""
        return user.tenant_id or _PLATFORM

    @admin.action(description="Issue a token (shown once)", permissions=["add"])
    def issue_token(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """A token for each selected user."""
        for user in queryset:
            _, secret = Token.issue(user, name="issued in the admin site")
            self.message_user(request, f"Token of {user}, shown this once: {secret}", messages.SUCCESS)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:  # noqa: ARG002
        """One by one, so that each is noted in the revocation log."""
        for row in queryset:
            row.delete()


@admin.register(Token)
class TokenAdmin(ReadOnlyAdmin):
    """Tokens: what is known of them. They are issued on the user's page and revoked here."""

    list_display = ["prefix", "user", "name", "state_word", "created", "expires", "used"]
    list_filter = [("user__tenant", TenantFilter)]
    list_select_related = ["user"]
    search_fields = ["prefix", "user__username", "name"]
    search_help_text = "prefix, user or name"
    when_empty = "None has been issued yet: choose users in their list, and the action there."
    created = exactly("created_at", "created")
    expires = exactly("expires_at", "expires", never="never")
    used = exactly("last_used_at", "last used", never="never")
    revoked = exactly("revoked_at", "revoked")
    fields = ["prefix", "user", "name", "state_word", "created", "expires", "used", "revoked"]
    actions = ["revoke"]

    @admin.display(description="state")
    def state_word(self, token: Token) -> str:
        """A word, a shape and a colour."""
        if token.revoked_at:
            return format_html('<span class="state state-down">{} revoked</span>', "✕")
        if token.expires_at and token.expires_at <= timezone.now():
            return format_html('<span class="state state-retired">{} expired</span>', "□")
        return format_html('<span class="state state-up">{} valid</span>', "●")

    @admin.action(description="Revoke for good", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Token]) -> None:
        """Takes the selected tokens away."""
        for token in queryset:
            token.revoke()
        self.message_user(request, f"Revoked: {len(queryset)}. Running processes refuse them within seconds.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Who may change tokens may revoke them."""
        return request.user.has_perm("tenancy.change_token")


import tenancy.certificate_pages  # noqa: E402, F401 - pages too, and this is where Django looks for them
