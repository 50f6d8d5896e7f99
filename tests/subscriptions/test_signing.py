"""Signatures: those of the published example and of openssl, and everything that must not pass."""

import base64

import pytest

from subscriptions.signing import Invalid, headers, new_secret, verify

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OTHER = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
AT = 1_700_000_000
BODY = '{"name":"Zürich"}'.encode()

# The first is the example of the Standard Webhooks specification; all were made with
# printf 'id.timestamp.body' | openssl dgst -sha256 -mac HMAC -macopt hexkey:… -binary | base64
VECTORS = [
    (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        b'{"test": 2432232314}',
        "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
    (SECRET, "a1b2", AT, BODY, "h02NLnqB+E1b1qKr/Pv29I9JnK8lP9h1yHaWmhJM5ao="),
    (SECRET, "a1b2", AT, b"", "+HYbhDSFmSsCGabD2x1SAxauEXATnE+Wdii/314Lmic="),
]


def signed() -> dict[str, str]:
    return headers([SECRET], "a1b2", AT, BODY)


@pytest.mark.parametrize(("secret", "message_id", "at", "body", "signature"), VECTORS)
def test_a_signature_is_the_one_that_openssl_makes(
    secret: str, message_id: str, at: int, body: bytes, signature: str
) -> None:
    made = headers([secret], message_id, at, body)
    assert made == {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{signature}",
    }
    verify(secret, made, body, now=at)


def test_a_new_secret_is_32_random_bytes_and_never_the_same() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    for secret in made:
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


def test_during_rotation_both_secrets_sign_and_either_verifies() -> None:
    made = headers([OTHER, SECRET], "a1b2", AT, BODY)
    assert made["webhook-signature"].count("v1,") == 2
    verify(SECRET, made, BODY, now=AT)
    verify(OTHER, made, BODY, now=AT)
    with pytest.raises(Invalid):
        verify(new_secret(), made, BODY, now=AT)


def test_the_names_of_headers_are_found_in_any_case() -> None:
    verify(SECRET, {name.title(): value for name, value in signed().items()}, BODY, now=AT)


def test_a_signature_of_another_version_beside_ours_does_no_harm() -> None:
    made = signed()
    made["webhook-signature"] = f"v1a,AAAA v2,x {made['webhook-signature']} nonsense"
    verify(SECRET, made, BODY, now=AT)


@pytest.mark.parametrize("now", [AT - 300, AT, AT + 300])
def test_five_minutes_either_way_are_in_time(now: int) -> None:
    verify(SECRET, signed(), BODY, now=now)


@pytest.mark.parametrize(("now", "what"), [(AT + 301, "past"), (AT - 301, "future")])
def test_more_is_out_of_time_and_the_error_says_which_way(now: int, what: str) -> None:
    with pytest.raises(Invalid, match=what):
        verify(SECRET, signed(), BODY, now=now)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_header_that_is_missing_or_empty_is_named(name: str) -> None:
    for made in ({key: value for key, value in signed().items() if key != name}, {**signed(), name: ""}):
        with pytest.raises(Invalid, match=name):
            verify(SECRET, made, BODY, now=AT)


@pytest.mark.parametrize(
    "timestamp", ["soon", "-1", "1e9", "17000000٠٠", " 1700000000", "+1700000000", "1" * 5000, "1700000000.0"]
)
def test_a_time_that_is_no_number_of_seconds_is_refused(timestamp: str) -> None:
    with pytest.raises(Invalid, match="no number"):
        verify(SECRET, {**signed(), "webhook-timestamp": timestamp}, BODY, now=AT)


@pytest.mark.parametrize(
    "signature",
    ["v1,", "v1", "v1,AAAA", "h02NLnqB+E1b1qKr/Pv29I9JnK8lP9h1yHaWmhJM5ao=", "v1,ünicode", "v1,\udcff", " "],
)
def test_a_signature_that_does_not_fit_is_refused(signature: str) -> None:
    with pytest.raises(Invalid, match="does not fit"):
        verify(SECRET, {**signed(), "webhook-signature": signature}, BODY, now=AT)


def test_whatever_is_changed_the_signature_does_not_fit_any_more() -> None:
    made = signed()
    for change, body in (
        (made, BODY + b" "),
        ({**made, "webhook-id": "a1b3"}, BODY),
        ({**made, "webhook-id": "a1b2\udcff"}, BODY),
        ({**made, "webhook-timestamp": str(AT + 1)}, BODY),
    ):
        with pytest.raises(Invalid, match="does not fit"):
            verify(SECRET, change, body, now=AT)


def test_only_so_many_signatures_are_looked_at() -> None:
    made = signed()
    made["webhook-signature"] = "v1,AAAA " * 20 + made["webhook-signature"]
    with pytest.raises(Invalid):
        verify(SECRET, made, BODY, now=AT)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_ä", "whsec_A", "whsec_not base64"])
def test_what_is_no_secret_neither_signs_nor_verifies(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        headers([secret], "a1b2", AT, BODY)
    with pytest.raises(ValueError, match="secret"):
        verify(secret, signed(), BODY, now=AT)


def test_nothing_is_sent_unsigned_nor_under_an_id_that_could_be_another() -> None:
    with pytest.raises(ValueError, match="no secret"):
        headers([], "a1b2", AT, BODY)
    with pytest.raises(ValueError, match="dot"):
        headers([SECRET], "a1.1700000000", AT, BODY)
