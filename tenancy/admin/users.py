"""The admin page of users."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from tenancy.admin.page import Page, deed_of
from tenancy.admin.words import PLATFORM, TenantFilter, rights_of
from tenancy.models import Token, User
from tenancy.permissions import Action
from tenancy.times import exactly
from tenancy.told import told, wire


@admin.register(User)
class UserAdmin(Page, DjangoUserAdmin):  # type: ignore[type-arg]
    """People and machines. Their roles are on the page of bindings."""

    list_display = ["username", "tenant_word", "roles", "is_active", "signed_in"]
    list_filter = [("tenant", TenantFilter), "is_active"]
    list_select_related = ["tenant"]
    search_fields = ["username", "email"]
    search_help_text = "login name or e-mail"
    filter_horizontal = []
    signed_in = exactly("last_login", "last signed in", never="never")
    joined = exactly("date_joined", "added")
    fieldsets = [
        (None, {"fields": ["username", "password", "tenant", "email"]}),
        ("State", {"fields": ["is_active", "roles"]}),
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
    actions = ["issue_token"]

    @admin.display(description="tenant", ordering="tenant")
    def tenant_word(self, user: User) -> str:
        """Whose people they are."""
        return user.tenant_id or PLATFORM

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        """Those in force."""
        return ", ".join(sorted(user.role_names())) or "none"

    @admin.action(description="Issue a token (shown once)", permissions=["issue"])
    def issue_token(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """A token for each selected user who may do nothing that the person at the page may not."""
        deed = deed_of(request)
        for user in queryset:
            if not user.within(rights_of(request)):
                self.message_user(request, f"{user} may do more than you: no token.", messages.ERROR)
                continue
            token, secret = Token.issue(user, name="issued in the admin site")
            deed.tell(told(deed, Action.CREATE, token, after=wire(token)))
            self.message_user(request, f"Token of {user}, shown this once: {secret}", messages.SUCCESS)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """With their roles."""
        return super().get_queryset(request).prefetch_related("bindings__role")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # noqa: ARG002
        """Roles and certificates were given for this name in this tenant: neither changes."""
        shown = ["roles", "signed_in", "joined"]
        return ["username", "tenant", *shown] if obj else shown

    def has_issue_permission(self, request: HttpRequest) -> bool:
        """Who may issue tokens at all."""
        return request.user.has_perm("tenancy.add_token")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The platform's people are changed by who may do all that they may."""
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The platform's people are deleted by who may do all that they may."""
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002 - Django's name
        """Whoever sets a password can sign in as that user."""
        user = self.get_object(request, id)
        if user is not None and not user.within(rights_of(request)):
            raise PermissionDenied
        return super().user_change_password(request, id, form_url)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[str], Any]:
        """Tokens go with their user, though nobody deletes one by itself."""
        shown, counts, needed, protected = super().get_deleted_objects(objs, request)
        return shown, counts, needed - {str(Token._meta.verbose_name)}, protected


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    return user is None or user.tenant_id is not None or user.within(rights_of(request))
