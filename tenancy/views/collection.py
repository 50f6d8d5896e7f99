"""What the nouns of the admin API have in common: they are listed, read, changed and removed in one way.
Subclasses say which rows, and what a change is.

What is to be changed is looked up first (404), then compared with `If-Match` (428, 412), then the body is
read (400): nobody learns from an answer about what they cannot see.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from api import conditional
from tenancy import openapi
from tenancy.administration import Administration
from tenancy.directory import Directory, one_of
from tenancy.drafts import Sent
from tenancy.guard import needed, principal_of
from tenancy.permissions import Action, Resource
from tenancy.representation import Noun
from tenancy.revocations import one_at_a_time
from tenancy.views import answers


class Collection(ViewSet, ABC):
    """A list and its items."""

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]  # as far as the route maps them
    resource: ClassVar[Resource]
    noun: ClassVar[Noun]

    def list(self, request: Request, **_path: str) -> HttpResponse:
        """The page that was asked for, of what the caller's directory has."""
        return answers.page(request, self.noun, self.rows(request))

    def retrieve(self, request: Request, id: str, **_path: str) -> HttpResponse:  # noqa: A002 - the path's name for it
        """One of them."""
        return answers.one(request, self.noun, self.noun.wire(one_of(self.rows(request), id)))

    def update(self, request: Request, id: str, **_path: str) -> HttpResponse:  # noqa: A002
        """It becomes what the body says."""
        return self._changed(request, id, whole=True)

    def partial_update(self, request: Request, id: str, **_path: str) -> HttpResponse:  # noqa: A002
        """What the body says of it becomes so; the rest stays."""
        return self._changed(request, id, whole=False)

    def destroy(self, request: Request, id: str, **_path: str) -> HttpResponse:  # noqa: A002
        """It goes."""
        with one_at_a_time():
            row = one_of(self.rows(request), id)
            before = self.noun.wire(row)
            answers.must_match(request, self.noun, before)
            self.remove(row, Administration(principal_of(request)))
            answers.tell(request, row, 204, before=before)
        return conditional.without_content(204)

    @abstractmethod
    def rows(self, request: Request) -> QuerySet[Any]:
        """What the caller may do this with. Raises `NotListed` for a path that leads nowhere."""

    def change(self, row: Any, sent: Sent, administration: Administration) -> None:  # noqa: ARG002 - most have it
        """Makes `row` what was `sent`."""
        raise MethodNotAllowed(str(self.request.method))

    def remove(self, row: Any, administration: Administration) -> None:  # noqa: ARG002 - some ask it
        """Removes `row`."""
        row.delete()

    def directory(self, request: Request) -> Directory:
        """The caller's, for what this request is."""
        wanted = needed(self, self.action)
        action = wanted[1] if isinstance(wanted, tuple) else Action.READ
        return Directory(principal_of(request), self.resource, action)

    def describe(self, path: str, method: str) -> dict[str, Any]:
        """The OpenAPI operation of `method` on `path`."""
        return openapi.describe(self.noun, path, method)

    def _changed(self, request: Request, id_: str, *, whole: bool) -> HttpResponse:
        with one_at_a_time():
            row = one_of(self.rows(request), id_)
            current = self.noun.wire(row)
            answers.must_match(request, self.noun, current)
            self.change(row, Sent(request.data, current, whole), Administration(principal_of(request)))
            after = self.noun.wire(one_of(self.rows(request), id_))
            answers.tell(request, row, 200, before=current, after=after)
        return answers.changed(self.noun, after)
