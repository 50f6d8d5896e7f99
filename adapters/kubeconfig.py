"""How to reach one Kubernetes API server, and who we are there: read from a kubeconfig, or in a pod from its
service account.

The `kubernetes` package (imported here, at connect: it costs half a second) reads the file and finds the
credentials. What it would do too freely is done before it gets the file: a cluster whose certificate is not
to be verified and a plain-http server are refused, and a credential plugin is run by us, with a time limit
and without its words in our log.
"""

import base64
import os
import ssl
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson
import urllib3

from adapters import tls
from adapters.errors import Misconfigured, MissingExtra, TimedOut

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"

_PLUGIN_SECONDS = 30.0
_FILES_SECONDS = 60.0
#: A credential that ends within this is fetched anew before it does.
_SKEW_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One API server and our credentials there. `client` is the `kubernetes` package's ApiClient (pooled,
    safe in threads), `headers` carry the credential where it is a token. `cluster` is the cluster's name in
    the kubeconfig, or ''."""

    client: Any
    server: str
    cluster: str
    headers: Mapping[str, str]
    tls: ssl.SSLContext
    server_name: str | None
    proxy: str | None
    expires: float
    read_at: float
    files: Mapping[str, tuple[int, int]]

    def stale(self) -> bool:
        """Whether to load it again: it expires, or (looked at once a minute) one of its files has changed."""
        if self.expires and time.time() > self.expires - _SKEW_SECONDS:
            return True
        return time.monotonic() - self.read_at > _FILES_SECONDS and _stamps(self.files) != self.files

    @property
    def secrets(self) -> tuple[str, ...]:
        """What of our credentials is sent with every request, and nobody is to read in an error."""
        return tuple(filter(None, (value.rpartition(" ")[2] for value in self.headers.values())))

    def close(self) -> None:
        """Closes the idle connections of `client`."""
        self.client.rest_client.close()


def load(source: str, *, kubeconfig: str, context: str, service_account: str) -> Access:
    """Reads `kubeconfig` (its current context, unless one is named), or without one the service account's
    folder.

    Raises `Misconfigured` naming what is missing or refused, `TimedOut` for a credential plugin that hangs.
    """
    try:
        client: Any = import_module("kubernetes.client")
        config: Any = import_module("kubernetes.config.kube_config")
    except ImportError as error:
        raise MissingExtra(source, "kubernetes") from error
    configuration = client.Configuration()
    read_at = time.monotonic()
    try:
        if kubeconfig:
            cluster, expires, files = _from_file(source, kubeconfig, context, configuration)
        else:
            cluster, expires, files = "", 0.0, _from_pod(service_account, configuration)
    except config.ConfigException as error:
        raise Misconfigured(source, f"its Kubernetes configuration cannot be used: {error}") from error
    parts = urlsplit(configuration.host)
    if parts.scheme != "https" or not parts.hostname:
        raise Misconfigured(source, "the API server's address must be an https URL")
    proxy = _proxy(source, configuration)
    # Every failure is ours to judge, and nobody follows a redirect with our token.
    configuration.retries = urllib3.Retry(0, raise_on_redirect=False)
    # Of idle connections: so many Leases (adapters/kubelease.py) may be renewed at the same moment.
    configuration.connection_pool_maxsize = 100
    bearer = (configuration.auth_settings().get("BearerToken") or {}).get("value")
    netloc = parts.netloc.rpartition("@")[2]
    return Access(
        client=client.ApiClient(configuration),
        server=urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), "", "")),
        cluster=cluster,
        headers={"Authorization": bearer.strip()} if bearer else {},
        tls=tls.context(
            source,
            ca_file=configuration.ssl_ca_cert or "",
            cert_file=configuration.cert_file or "",
            key_file=configuration.key_file or "",
        ),
        server_name=configuration.tls_server_name or None,
        proxy=proxy,
        expires=expires,
        read_at=read_at,
        files=_stamps(files),
    )


def _from_file(source: str, path: str, context: str, configuration: Any) -> tuple[str, float, list[str]]:
    config: Any = import_module("kubernetes.config.kube_config")
    path = str(Path(path).expanduser())
    if not Path(path).is_file():
        raise Misconfigured(source, f"there is no kubeconfig {path}")
    try:
        document = config.KubeConfigMerger(path).config
    except Exception as error:  # yaml's errors, and AttributeError for a file that is a list
        raise Misconfigured(
            source, f"the kubeconfig {path} cannot be read: {type(error).__name__}"
        ) from error
    if document is None:
        raise Misconfigured(source, f"the kubeconfig {path} is empty")
    chosen = document["contexts"].get_with_name(context or document["current-context"])["context"]
    cluster = document["clusters"].get_with_name(chosen["cluster"])["cluster"].value
    user = _user(document, chosen)
    if cluster.get("insecure-skip-tls-verify"):
        raise Misconfigured(
            source,
            f"insecure-skip-tls-verify in {path} is refused: give the cluster's certificate-authority",
        )
    if "auth-provider" in user:
        raise Misconfigured(
            source, f"auth-provider in {path} is not supported (Kubernetes removed it): use exec"
        )
    expires = 0.0
    if plugin := user.pop("exec", None):
        expires = _run_plugin(source, plugin, user, cluster, Path(path).parent)
    loader = config.KubeConfigLoader(
        config_dict=document, active_context=context or None, config_base_path=None
    )
    loader.load_and_set(configuration)
    keys = (
        user.get("tokenFile"),
        user.get("client-certificate"),
        user.get("client-key"),
        cluster.get("certificate-authority"),
    )
    return chosen["cluster"], expires, [path, *(str(Path(path).parent / key) for key in keys if key)]


def _user(document: Any, chosen: Any) -> dict[str, Any]:
    name = chosen.safe_get("user")
    if not name:
        return {}
    found: dict[str, Any] = document["users"].get_with_name(name)["user"].value
    return found


def _from_pod(folder: str, configuration: Any) -> list[str]:
    config: Any = import_module("kubernetes.config.incluster_config")
    token, ca = f"{folder}/token", f"{folder}/ca.crt"
    loader = config.InClusterConfigLoader(token_filename=token, cert_filename=ca, try_refresh_token=False)
    loader.load_and_set(configuration)
    return [token, ca]


def _run_plugin(
    source: str, plugin: Mapping[str, Any], user: dict[str, Any], cluster: Mapping[str, Any], folder: Path
) -> float:
    """Runs a credential plugin (client.authentication.k8s.io) and puts what it gives into `user`; the time
    when that ends."""
    version, command = plugin.get("apiVersion", ""), plugin.get("command", "")
    spec: dict[str, Any] = {"interactive": False}
    if plugin.get("provideClusterInfo"):
        spec["cluster"] = dict(cluster)
    asked = orjson.dumps({"apiVersion": version, "kind": "ExecCredential", "spec": spec}).decode()
    extra = {item["name"]: item["value"] for item in plugin.get("env") or ()}
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, from the operator's kubeconfig
            [command, *(plugin.get("args") or ())],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PLUGIN_SECONDS,
            cwd=folder,
            env={**os.environ, **extra, "KUBERNETES_EXEC_INFO": asked},
            check=True,
        )
        status = orjson.loads(done.stdout)["status"]
        if token := status.get("token"):
            user["token"] = token
        if certificate := status.get("clientCertificateData"):
            user["client-certificate-data"] = base64.b64encode(certificate.encode()).decode()
            user["client-key-data"] = base64.b64encode(status["clientKeyData"].encode()).decode()
        until = status.get("expirationTimestamp")
        expires = datetime.fromisoformat(until).timestamp() if until else 0.0
    except subprocess.TimeoutExpired as error:
        raise TimedOut(
            source, f"the credential plugin {command} took longer than {_PLUGIN_SECONDS:.0f} s"
        ) from error
    except subprocess.CalledProcessError as error:
        raise Misconfigured(
            source, f"the credential plugin {command} ended with {error.returncode}"
        ) from None
    except OSError as error:
        raise Misconfigured(
            source, f"the credential plugin {command} cannot be run: {error.strerror}"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Misconfigured(
            source, f"the credential plugin {command} did not answer with an ExecCredential"
        ) from None
    if not token and not certificate:
        raise Misconfigured(source, f"the credential plugin {command} gave no credential")
    return expires


def _proxy(source: str, configuration: Any) -> str | None:
    rest: Any = import_module("kubernetes.client.rest")
    if not configuration.proxy or rest.should_bypass_proxies(
        configuration.host, configuration.no_proxy or ""
    ):
        return None
    if not str(configuration.proxy).startswith("http://"):
        raise Misconfigured(source, "a proxy towards the API server must be an http:// one")
    return str(configuration.proxy)


def _stamps(files: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Time and size of each file; a missing one is a change too."""
    found = {}
    for path in files:
        try:
            stat = Path(path).stat()
        except OSError:
            found[path] = (0, 0)
            continue
        found[path] = (stat.st_mtime_ns, stat.st_size)
    return found
