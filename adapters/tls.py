"""TLS towards a backend: what we trust and who we are. Verification is always on; nothing here can turn it
off."""

import ssl

from adapters.errors import Misconfigured


def context(
    source: str, *, ca_file: str = "", ca_data: str = "", cert_file: str = "", key_file: str = ""
) -> ssl.SSLContext:
    """A client's context: trusts the CA given (PEM file or PEM text), else the machine's own; shows a
    certificate if given one.

    Host names are checked, TLS is 1.2 or later. A file that is missing or no PEM raises `Misconfigured` with
    its name.
    """
    try:
        made = ssl.create_default_context(cafile=ca_file or None, cadata=ca_data or None)
    except (OSError, ValueError) as error:
        raise Misconfigured(
            source, f"cannot read the CA certificate {ca_file or '(given as text)'}"
        ) from error
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if cert_file:
        try:
            # Without a password of ours, OpenSSL would ask for an encrypted key's on the terminal, and wait.
            made.load_cert_chain(cert_file, key_file or None, password="")
        except (OSError, ValueError) as error:
            raise Misconfigured(
                source, f"cannot use the client certificate {cert_file} with its key"
            ) from error
    return made
