"""The list of deliveries in the admin site: its form, and pages whose rows know what their tables do not."""

from collections.abc import Sequence

from django.contrib.admin.views.main import PAGE_VAR
from django.http import HttpRequest, QueryDict

from subscriptions import roll
from subscriptions.models import Delivery, Endpoint, Lane
from subscriptions.selection import CLASSES, TRIED, Selection
from tenancy.admin.selecting import FormFilter, Pages, filled

SUBSCRIPTIONS = 200  # that are offered; any other may be written


class SelectionFilter(FormFilter):
    """The form."""

    labels = {
        "from": "From",
        "to": "Before",
        "state": "State",
        "tenantId": "Tenant",
        "statusClass": "Status",
        "subscription": "Subscription",
        "requestId": "Request id",
        "triedFrom": "Tried from",
        "triedTo": "Tried before",
        "tried": "Attempt",
        "ids": "Ids",
    }
    offered = {"state": Delivery.State.values, "statusClass": CLASSES, "tried": TRIED}
    hidden = ("triedFrom", "triedTo", "tried", "ids")

    def suggested(self) -> dict[str, list[tuple[str, str]]]:
        """Tenants, and subscriptions by their names."""
        rows = roll.look({}, "", SUBSCRIPTIONS).rows
        named = [(one.id, one.name) for one in sorted(rows, key=lambda one: one.name.lower())]
        return super().suggested() | {"subscription": named}

    @classmethod
    def asked(cls, query: QueryDict) -> Selection:
        """What a form or a link asks for. Raises `PageError`."""
        return Selection.of(filled(query), PAGE_VAR)


class DeliveryPages(Pages):
    """A page of deliveries; each row's `whose` is its tenant (None: its subscription has ended),
    `endpoint_state` how the other end does, `lane_of` its lane, `to` its subscription."""

    def get_results(self, request: HttpRequest) -> None:
        """One page, with the tenants and lanes of its rows, which may be chosen from."""
        super().get_results(request)
        found(self.result_list)
        self.show_admin_actions = True


def found(rows: Sequence[Delivery]) -> None:
    """Gives each row what the tables of endpoints and lanes say, and the subscription."""
    ids = {row.subscription for row in rows}
    there = roll.those({str(id_) for id_ in ids})
    ends = {end.pk: end for end in Endpoint.objects.filter(pk__in=ids).only("tenant", "state")}
    lanes = {(lane.endpoint_id, lane.number): lane for lane in Lane.objects.filter(endpoint__in=ids)}
    for row in rows:
        end = ends.get(row.subscription)
        row.whose = end.tenant if end else None  # type: ignore[attr-defined]
        row.endpoint_state = end.state if end else ""  # type: ignore[attr-defined]
        row.lane_of = lanes.get((row.subscription, row.lane))  # type: ignore[attr-defined]
        row.to = there.get(str(row.subscription))  # type: ignore[attr-defined]
