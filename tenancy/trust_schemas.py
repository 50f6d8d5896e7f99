"""The bodies of issuers and certificates in the OpenAPI document."""

from typing import Any

from tenancy import drafts
from tenancy.schemas import STRING, TIME, UUID, answered, or_null, sent

_FINGERPRINT = {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "SHA-256."}
_PEM = "-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----\n"
_SHOWN = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

SCHEMAS: dict[str, dict[str, Any]] = {
    "Issuer": answered(
        "A CA whose client certificates are believed about one tenant's people (null: the platform's).",
        {
            "issuerId": "2f1c8f5e-0a5d-4d0b-8f53-6a0e3b1f7c11",
            "tenantId": "acme",
            "subject": "CN=Acme CA",
            "fingerprint": _SHOWN,
            "certificate": _PEM,
            "expiresAt": "2030-01-31T12:00:00Z",
            "createdAt": "2026-11-26T09:30:00Z",
        },
        issuerId=UUID,
        tenantId=or_null(STRING),
        subject=STRING,
        fingerprint=_FINGERPRINT,
        certificate=STRING,
        expiresAt=TIME,
        createdAt=TIME,
    ),
    "Certificate": answered(
        "A client certificate that was used here. To revoke it is to refuse it, on open connections too.",
        {
            "certificateId": "8c0f3d52-51d4-4a55-a0ce-0d9a2a9d7e01",
            "tenantId": "acme",
            "userId": "0b3f2b52-6c31-4b0e-9a52-0f4a4f9f3d11",
            "userName": "alice@acme",
            "subject": "CN=alice.acme.o2ims.example.com",
            "issuer": "CN=Acme CA",
            "serialNumber": "5f3a",
            "fingerprint": _SHOWN,
            "expiresAt": "2027-01-31T12:00:00Z",
            "firstUsedAt": "2026-11-26T09:30:00Z",
            "revokedAt": None,
        },
        certificateId=UUID,
        tenantId=or_null(STRING),
        userId=UUID,
        userName=STRING,
        subject=STRING,
        issuer=STRING,
        serialNumber=STRING,
        fingerprint=_FINGERPRINT,
        expiresAt=TIME,
        firstUsedAt=TIME,
        revokedAt=or_null(TIME),
    ),
    "CreateIssuer": sent(
        "A CA to believe: about the caller's tenant where none is named, the platform's people with null. "
        "Whoever has its key can act as any of them: so its adder must hold what they may.",
        ["certificate"],
        {"tenantId": "acme", "certificate": _PEM},
        tenantId=or_null(STRING),
        certificate={"type": "string", "minLength": 1, "maxLength": drafts.PEM_MOST},
    ),
}
