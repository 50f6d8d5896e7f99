"""The admin page of tokens."""

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from tenancy.admin.endings import EndingFilter
from tenancy.admin.page import deed_of
from tenancy.admin.words import TenantFilter, rights_of
from tenancy.models import Token
from tenancy.permissions import Action
from tenancy.readonly import ReadOnlyAdmin
from tenancy.times import exactly
from tenancy.told import told, wire


@admin.register(Token)
class TokenAdmin(ReadOnlyAdmin):
    """Tokens: what is known of them. They are issued on the user's page and revoked here."""

    list_display = ["prefix", "user", "name", "state_word", "created", "expires", "used"]
    list_filter = [("user__tenant", TenantFilter), EndingFilter]
    list_select_related = ["user__tenant"]
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
        if not token.user.is_welcome:
            return format_html('<span class="state state-retired">{} user suspended</span>', "□")
        if token.expires_at and token.expires_at <= timezone.now():
            return format_html('<span class="state state-retired">{} expired</span>', "□")
        return format_html('<span class="state state-up">{} valid</span>', "●")

    @admin.action(description="Revoke for good", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Token]) -> None:
        """Takes the selected tokens away."""
        mine = [token for token in queryset if token.user.tenant_id or token.user.within(rights_of(request))]
        deed = deed_of(request)
        with transaction.atomic():
            for token in mine:
                before = wire(token)
                token.revoke()
                deed.tell(told(deed, Action.DELETE, token, before=before, after=wire(token)))
        if left := len(queryset) - len(mine):
            self.message_user(request, f"Left alone, as theirs may do more than you: {left}.", messages.ERROR)
        self.message_user(request, f"Revoked: {len(mine)}. Running processes refuse them within seconds.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Who may delete tokens may revoke them."""
        return request.user.has_perm("tenancy.delete_token")
