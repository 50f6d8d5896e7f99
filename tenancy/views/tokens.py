"""Tokens: issued (the secret is shown once), read, revoked. One that was revoked stays to be seen."""

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework.request import Request

from tenancy import drafts
from tenancy.administration import Administration
from tenancy.guard import principal_of
from tenancy.models import Token
from tenancy.permissions import Resource
from tenancy.representation import TOKEN
from tenancy.revocations import one_at_a_time
from tenancy.views import answers
from tenancy.views.collection import Collection


class Tokens(Collection):
    """Tokens."""

    resource = Resource.TOKEN
    noun = TOKEN

    def create(self, request: Request) -> HttpResponse:
        """A new token, with its secret."""
        with one_at_a_time():
            token, secret = Administration(principal_of(request)).issue(drafts.new_token(request.data))
            answers.tell(request, token, 201, after=TOKEN.wire(token))
        return answers.created(request, TOKEN, TOKEN.wire(token), secret=secret)

    def rows(self, request: Request) -> QuerySet[Token]:
        """The tokens of those who concern the caller."""
        return self.directory(request).tokens()

    def remove(self, row: Token, administration: Administration) -> None:
        """Nobody can use it any more."""
        administration.revoke(row)
