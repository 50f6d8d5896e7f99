"""The admin pages of tenants, users and tokens."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest

from tenancy.models import Tenant, Token, User
from tenancy.readonly import ReadOnlyAdmin

admin.site.unregister(Group)


@admin.register(Tenant)
class TenantAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Tenants. One with people or objects is not deleted here."""

    list_display = ["id", "name", "status", "people", "created_at"]
    list_filter = ["status"]
    search_fields = ["id", "name"]
    search_help_text = "id or name"
    readonly_fields = ["created_at", "updated_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # noqa: ARG002
        """The id is what objects are labelled with: it never changes."""
        return ["id", "created_at", "updated_at"] if obj else ["created_at", "updated_at"]

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

    list_display = ["username", "tenant", "is_active", "is_staff", "last_login"]
    list_filter = ["tenant", "is_active", "is_staff"]
    list_select_related = ["tenant"]
    search_fields = ["username", "email"]
    search_help_text = "login name or e-mail"
    filter_horizontal = ["user_permissions"]
    fieldsets = [
        (None, {"fields": ["username", "password", "tenant", "email"]}),
        ("Admin site", {"fields": ["is_active", "is_staff", "is_superuser", "user_permissions"]}),
        ("Times", {"fields": ["last_login", "date_joined"]}),
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
    readonly_fields = ["last_login", "date_joined"]
    actions = ["issue_token"]

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

    list_display = ["prefix", "user", "name", "created_at", "expires_at", "last_used_at", "revoked_at"]
    list_filter = ["user__tenant"]
    list_select_related = ["user"]
    search_fields = ["prefix", "user__username", "name"]
    fields = ["prefix", "user", "name", "created_at", "expires_at", "last_used_at", "revoked_at"]
    actions = ["revoke"]

    @admin.action(description="Revoke for good", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Token]) -> None:
        """Takes the selected tokens away."""
        for token in queryset:
            token.revoke()
        self.message_user(request, f"Revoked: {len(queryset)}. Running processes refuse them within seconds.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Who may change tokens may revoke them."""
        return request.user.has_perm("tenancy.change_token")
