"""Client certificates that were used here: read, and revoked. One that was revoked stays to be seen."""

from django.db.models import QuerySet
from rest_framework.request import Request

from tenancy.administration import Administration
from tenancy.permissions import Resource
from tenancy.representation import CERTIFICATE
from tenancy.trust import Certificate
from tenancy.views.collection import Collection


class Certificates(Collection):
    """Certificates."""

    resource = Resource.CERTIFICATE
    noun = CERTIFICATE

    def rows(self, request: Request) -> QuerySet[Certificate]:
        """The certificates of those who concern the caller."""
        return self.directory(request).certificates()

    def remove(self, row: Certificate, administration: Administration) -> None:
        """It is refused from now on."""
        administration.revoke(row)
