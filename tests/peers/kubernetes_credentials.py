"""Who may enter the test run's Kubernetes API server, and with what: certificates, tokens, kubeconfigs.

admin    group system:masters; by client certificate, or by token
reader   group readers, by token; may do nothing until ControlPlane.grant()
nobody   a token the API server does not know: 401
"""

import base64
import json
import secrets
from pathlib import Path
from typing import Any

import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

GROUPS = {"admin": "system:masters", "reader": "readers"}


class Credentials:
    """Everything the API server and its clients need, as files in one private folder."""

    def __init__(self, folder: Path, url: str) -> None:
        folder.mkdir(mode=0o700)
        self.folder = folder
        self.url = url
        self.ca_file = folder / "ca.crt"
        self.token_file = folder / "tokens.csv"
        self._written = 0
        self._tokens = {user: secrets.token_hex(16) for user in ("admin", "reader", "nobody")}
        self._ca = trustme.CA(organization_name="netweave tests")
        self._ca.cert_pem.write_to_path(str(self.ca_file))
        self._issue(
            "api", "127.0.0.1", "10.0.0.1", "localhost", "kubernetes.default.svc", name="kube-apiserver"
        )
        self._issue("admin", "admin.test", name="admin", group=GROUPS["admin"])
        self._issue("controllers", "controllers.test", name="system:kube-controller-manager")
        self._service_account_keys()
        known = [f'{self._tokens[user]},{user},{user},"{group}"' for user, group in GROUPS.items()]
        self.token_file.write_text("\n".join(known) + "\n")

    def certificate(self, name: str) -> Path:
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        return self.folder / f"{name}.key"

    def token(self, user: str) -> str:
        return self._tokens[user]

    def kubeconfig(
        self, user: str, *, embed: bool = False, token: bool = False, url: str | None = None
    ) -> Path:
        """A kubeconfig with files by absolute path, or, with `embed`, with everything inside as base64."""
        who: dict[str, Any] = {"token": self._tokens.get(user)}
        if self.certificate(user).exists() and not token:
            who = {"client-certificate": self.certificate(user), "client-key": self.key(user)}
        cluster = {"server": url or self.url, "certificate-authority": self.ca_file}
        if embed:
            cluster, who = _embedded(cluster), _embedded(who)
        return self._write(user, cluster, who)

    def kubeconfig_of_token(self, token: str) -> Path:
        """A kubeconfig with a bearer token that the API server gave somebody."""
        return self._write(
            "token", {"server": self.url, "certificate-authority": self.ca_file}, {"token": token}
        )

    def _write(self, user: str, cluster: dict[str, Any], who: dict[str, Any]) -> Path:
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": user, "user": who}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        }
        self._written += 1
        path = self.folder / f"{user}-{self._written}.kubeconfig"
        path.write_text(json.dumps(content, indent=1, default=str))  # JSON is YAML
        path.chmod(0o600)
        return path

    def _issue(self, file: str, *identities: str, name: str, group: str | None = None) -> None:
        leaf = self._ca.issue_cert(*identities, common_name=name, organization_name=group or "netweave tests")
        leaf.cert_chain_pems[0].write_to_path(str(self.certificate(file)))
        leaf.private_key_pem.write_to_path(str(self.key(file)))

    def _service_account_keys(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (self.folder / "service-accounts.key").write_bytes(private)
        (self.folder / "service-accounts.pub").write_bytes(public)


def _embedded(section: dict[str, Any]) -> dict[str, Any]:
    """The same section with each file replaced by its content, as kubeconfigs spell that."""
    return {
        f"{key}-data" if isinstance(value, Path) else key: (
            base64.b64encode(value.read_bytes()).decode() if isinstance(value, Path) else value
        )
        for key, value in section.items()
    }
