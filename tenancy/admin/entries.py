"""The form that narrows the list of audit entries in the admin site: its fields are the parameters of
`/admin/v1/audit`."""

from django.contrib.admin.views.main import PAGE_VAR
from django.http import QueryDict

from tenancy.admin.selecting import FormFilter, filled
from tenancy.permissions import Action, Resource
from tenancy.proof import PRUNE, VERIFY
from tenancy.selection import Selection
from tenancy.trail import Result

ACTIONS = (*(one for one in Action if one is not Action.MANAGE), "login", "logout", "password", PRUNE, VERIFY)
KINDS = (*Resource, "Session")


class SelectionFilter(FormFilter):
    """The form."""

    labels = {
        "from": "From",
        "to": "Before",
        "tenantId": "Tenant",
        "userName": "Person",
        "action": "Action",
        "result": "Outcome",
        "resource": "Kind",
        "resourceId": "Object id",
        "requestId": "Request id",
        "userId": "User id",
    }
    offered = {"action": ACTIONS, "result": Result.values, "resource": KINDS}
    hidden = ("userId",)

    @classmethod
    def asked(cls, query: QueryDict) -> Selection:
        """What a form or a link asks for. Raises `PageError`."""
        return Selection.of(filled(query), PAGE_VAR)
