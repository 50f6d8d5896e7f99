"""A Kubernetes control plane for tests: etcd, kube-apiserver, on demand the controller-manager and kwok.

The API server and its admission are the real thing. There is no kubelet and no machine controller: a test
that needs a Machine to become a Node plays that controller. `python -m tests.peers.build` makes the binaries.
"""

import base64
import json as jsonlib
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import urllib3
import yaml

from tests.peers import build
from tests.peers.kubernetes_api import Api, ApiError, Manifest
from tests.peers.kubernetes_credentials import GROUPS, Credentials
from tests.peers.process import Den, Process, free_port, wait_until

SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")

# What the control plane writes for itself at any time; clean() leaves these keys of etcd alone.
_ITS_OWN = re.compile(
    r"/registry/(ranges|masterleases|servicecidrs|flowschemas|prioritylevelconfigurations)/"
    r"|/registry/apiregistration\.k8s\.io/"
    r"|/kube-(system|public|node-lease)(/|$)"
    r"|/registry/(serviceaccounts/default/default|configmaps/default/kube-root-ca\.crt)$"
)


class ControlPlane:
    """URL and kubeconfigs exist from the start; `start()` makes the servers. Data lives until `close()`."""

    def __init__(
        self, *, controllers: bool = False, kwok: bool = False, api_flags: Sequence[str] = ()
    ) -> None:
        programs = {tool.name: build.binary(tool.name) for tool in build.TOOLS}
        build.manifests("kwok")  # missing manifests, too, are said before anything starts
        self.url = f"https://127.0.0.1:{free_port()}"
        self._den = Den("kubernetes")
        self.credentials = Credentials(self._den.path / "pki", self.url)
        self.ca_file = self.credentials.ca_file
        self.api = Api(
            self.url,
            ca_file=self.ca_file,
            cert_file=self.credentials.certificate("admin"),
            key_file=self.credentials.key("admin"),
        )
        self._etcd_url = f"http://127.0.0.1:{free_port()}"
        self._http = urllib3.PoolManager(retries=False, timeout=10)
        self.etcd = Process("etcd", [programs["etcd"], *self._etcd_flags()], den=self._den)
        self.apiserver = Process(
            "kube-apiserver", [programs["kube-apiserver"], *self._api_flags(), *api_flags], den=self._den
        )
        self.controllers = Process(
            "kube-controller-manager",
            [programs["kube-controller-manager"], *self._controllers_flags()],
            den=self._den,
        )
        self.kwok = Process("kwok", [programs["kwok"], *self._kwok_flags()], den=self._den)
        self._wants = (controllers, kwok)
        self._baseline: set[str] = set()
        self._installed: dict[str, set[str]] = {}
        self._flags: tuple[str, ...] = ()
        self._granted: dict[str, Mapping[str, Any]] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Life and death

    def start(self) -> None:
        """Starts what is not running, with the data of last time; returns when the API is ready."""
        controllers, kwok = self._wants
        if not self.etcd.alive:
            self.start_etcd()
        if not self.apiserver.alive:
            self.start_api()
        if controllers and not self.controllers.alive:
            self.start_controllers()
        if kwok and not self.kwok.alive:
            self.start_kwok()
        if not self._baseline:
            namespaces = [f"/registry/namespaces/{name}" for name in SYSTEM_NAMESPACES]
            wait_until(lambda: set(namespaces) <= self._keys(), seconds=30, what="the system namespaces")
            self._baseline = self._keys()

    def close(self) -> None:
        """Stops everything and removes its data."""
        for server in (self.kwok, self.controllers, self.apiserver, self.etcd):
            server.kill()  # the data goes anyway, and an orderly end of the API server takes seconds
        self.api.close()
        self._http.clear()
        self._den.close()

    def start_api(self, *flags: str) -> None:
        """Starts the API server on its port; `flags` win over the usual ones until the next start.

        A watch of "410 Gone" at will: `--watch-cache-sizes=namespaces#0`, `--etcd-compaction-interval=2s`.
        """
        self._flags = flags
        self.apiserver.start(*flags)
        self.apiserver.wait_ready(lambda: self.api.ok("/readyz"))

    def kill_api(self) -> None:
        """kill -9: every watch breaks in the middle, connections are refused until start_api()."""
        self.apiserver.kill()

    def restart_api(self, *flags: str) -> None:
        """kill -9 and start: about five seconds; a watch from a version of before is then 410."""
        self.kill_api()
        self.start_api(*flags)

    def pause_api(self) -> None:
        """SIGSTOP: connections are accepted by the kernel, and nothing answers."""
        self.apiserver.pause()

    def resume_api(self) -> None:
        self.apiserver.resume()

    def start_etcd(self) -> None:
        self.etcd.start()
        self.etcd.wait_ready(self._etcd_healthy)

    def kill_etcd(self) -> None:
        """kill -9: the API server stays, and answers reads of its caches, errors and timeouts."""
        self.etcd.kill()

    def start_controllers(self) -> None:
        """Starts the controller-manager: garbage collection, namespaces' end, taints of nodes go."""
        self.controllers.start()

    def start_kwok(self) -> None:
        """Starts kwok: nodes annotated `kwok.x-k8s.io/node: fake` become Ready, if controllers run too."""
        self.kwok.start()

    # Who may come in

    def kubeconfig(
        self, user: str = "admin", *, embed: bool = False, token: bool = False, url: str | None = None
    ) -> Path:
        """A kubeconfig file of "admin", "reader" or "nobody"; admin's is by certificate unless `token`.

        With `embed` it holds the files' contents; `url` is where a proxy listens, for instance a FaultProxy.
        """
        return self.credentials.kubeconfig(user, embed=embed, token=token, url=url)

    def token(self, user: str) -> str:
        return self.credentials.token(user)

    def grant(self, user: str, rules: Sequence[Mapping[str, Any]]) -> None:
        """Allows exactly these RBAC rules to a user, in every namespace; returns when they hold."""
        rbac = "rbac.authorization.k8s.io"
        name = f"test-{user}"
        subject = {"kind": "User", "name": user, "apiGroup": rbac}
        self.revoke(user)
        for kind, rest in (
            ("ClusterRole", {"rules": [dict(rule) for rule in rules]}),
            (
                "ClusterRoleBinding",
                {"roleRef": {"kind": "ClusterRole", "name": name, "apiGroup": rbac}, "subjects": [subject]},
            ),
        ):
            self.apply({"apiVersion": f"{rbac}/v1", "kind": kind, "metadata": {"name": name}, **rest})
        wait_until(
            lambda: all(self._may(user, rule) for rule in rules), seconds=10, what=f"the grant to {user}"
        )
        self._granted[user] = rules[0]

    def until_allowed(self, user: str, rule: Mapping[str, Any], *, namespace: str = "") -> None:
        """Waits until everything that a rule allows is allowed, in all namespaces or in one."""
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                one = {**rule, "resources": [resource], "verbs": [verb]}
                wait_until(
                    partial(self._may, user, one, namespace), seconds=10, what=f"{user} may {verb} {resource}"
                )

    def until_refused(self, user: str, rule: Mapping[str, Any], *, namespace: str = "") -> None:
        """Waits until the first thing of a rule is not allowed."""
        what = f"{user} may not {rule['verbs'][0]}"
        wait_until(lambda: not self._may(user, rule, namespace), seconds=10, what=what)

    def revoke(self, user: str) -> None:
        """Takes back what grant() gave; returns when that holds."""
        if (rule := self._granted.pop(user, None)) is None:
            return
        for kind in ("ClusterRoleBinding", "ClusterRole"):
            what = {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": kind,
                "metadata": {"name": f"test-{user}"},
            }
            self.delete(what)
        self.until_refused(user, rule)

    # Objects

    def request(
        self, method: str, path: str, json: Any = None, *, content_type: str = "application/json"
    ) -> Manifest:
        """One request of the admin; the answer's JSON. ApiError for any status from 400 on."""
        return self.api.request(method, path, json, content_type=content_type)

    def apply(self, manifest: Manifest) -> Manifest:
        """Creates or changes the object of any manifest, with its status and its namespace; see Api.apply."""
        return self.api.apply(manifest)

    def delete(self, manifest: Manifest) -> None:
        """Deletes the object that a manifest names; harmless when it is not there."""
        self.api.delete(manifest)

    def install_crds(self, name: str) -> None:
        """Installs the real CRDs that `build.MANIFESTS` has under a name ("openshift", "cluster-api");
        returns when their objects can be listed.

        They stay: clean() removes their objects only. A second call costs nothing.
        """
        if name in self._installed:
            return
        definitions = [_read(path) for path in build.manifests(name)]
        for definition in definitions:
            self.apply(definition)
        for definition in definitions:
            self._wait_served(definition)
        self._installed[name] = {f"{_CRD_KEY}{definition['metadata']['name']}" for definition in definitions}

    def only_crds(self, *names: str) -> None:
        """Has the CRDs of `names` installed and no others; their objects go with those that go."""
        for name in [name for name in self._installed if name not in names]:
            for definition in map(_read, build.manifests(name)):
                self.delete(definition)
            for definition in map(_read, build.manifests(name)):
                self._wait_gone(definition)
            del self._installed[name]
        for name in names:
            self.install_crds(name)

    def clean(self) -> None:
        """Makes the control plane as after start(): what a test made is gone, what it killed is back.

        It deletes in etcd, as another API server would: at once, whatever finalizers say; watches see it.
        """
        for server in (self.kwok, self.controllers):
            if not self._wants[server is self.kwok]:
                server.kill()
        self.apiserver.resume()
        self.etcd.resume()
        if self._flags:
            self.kill_api()
        self.start()
        wait_until(lambda: self.api.ok("/readyz"), seconds=60, what="the API server's readiness")
        for user in list(self._granted):
            self.revoke(user)
        kept = self._baseline.union(*self._installed.values())
        made = [key for key in self._keys() - kept if not _ITS_OWN.search(key)]
        for start in range(0, len(made), 100):
            deletes = [{"request_delete_range": {"key": _b64(key)}} for key in made[start : start + 100]]
            self._etcd("txn", {"success": deletes})

    # Inside

    def _wait_served(self, definition: Manifest) -> None:
        """Waits until its objects can be listed, and whoever asks what is served is told so."""
        spec = definition["spec"]
        served = [f"{spec['group']}/{version['name']}" for version in spec["versions"] if version["served"]]
        plural = spec["names"]["plural"]

        def told() -> bool:
            groups = self.request("GET", "/apis")["groups"]
            there = {version["groupVersion"] for group in groups for version in group["versions"]}
            return there.issuperset(served) and all(
                self.api.ok(f"/apis/{api}/{plural}?limit=1") and plural in self._resources(api)
                for api in served
            )

        wait_until(told, seconds=30, what=f"{definition['metadata']['name']} served")

    def _resources(self, api: str) -> set[str]:
        try:
            return {found["name"] for found in self.request("GET", f"/apis/{api}")["resources"]}
        except ApiError:
            return set()

    def _wait_gone(self, definition: Manifest) -> None:
        group = definition["spec"]["group"]

        def served() -> bool:
            return group in {found["name"] for found in self.request("GET", "/apis")["groups"]}

        wait_until(lambda: not served(), seconds=30, what=f"the end of {group}")

    def _may(self, user: str, rule: Mapping[str, Any], namespace: str = "") -> bool:
        """Does the API server allow the first thing of a rule?"""
        verb = rule["verbs"][0]
        if "resources" in rule:
            resource, _, subresource = rule["resources"][0].partition("/")
            attributes = {
                "verb": verb,
                "group": rule["apiGroups"][0],
                "resource": resource,
                "subresource": subresource,
                "namespace": namespace,
            }
            if names := rule.get("resourceNames"):
                attributes["name"] = names[0]
            asked: Manifest = {"resourceAttributes": attributes}
        else:
            asked = {"nonResourceAttributes": {"verb": verb, "path": rule["nonResourceURLs"][0]}}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "groups": [GROUPS.get(user, ""), "system:authenticated"], **asked},
        }
        answer = self.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    def _keys(self) -> set[str]:
        everything = {"key": _b64("/registry/"), "range_end": _b64("/registry0"), "keys_only": True}
        return {base64.b64decode(kv["key"]).decode() for kv in self._etcd("range", everything).get("kvs", [])}

    def _etcd(self, call: str, body: Manifest) -> Manifest:
        answer = self._http.request("POST", f"{self._etcd_url}/v3/kv/{call}", body=jsonlib.dumps(body))
        if answer.status != 200:
            raise ApiError("POST", f"etcd {call}", answer.status, answer.data.decode(errors="replace"))
        return dict(jsonlib.loads(answer.data))

    def _etcd_healthy(self) -> bool:
        try:
            return self._http.request("GET", f"{self._etcd_url}/health", timeout=2).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def _etcd_flags(self) -> list[str]:
        return [
            "--name=test",
            f"--data-dir={self._den.path / 'etcd'}",
            f"--listen-client-urls={self._etcd_url}",
            f"--advertise-client-urls={self._etcd_url}",
            "--listen-peer-urls=http://127.0.0.1:0",
            "--unsafe-no-fsync",
            "--quota-backend-bytes=8589934592",
            "--log-level=warn",
        ]

    def _api_flags(self) -> list[str]:
        pki = self.credentials
        return [
            f"--etcd-servers={self._etcd_url}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.url.rpartition(':')[2]}",
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged",
            # Pods and Jobs may be made without the service account that only the controllers would make.
            "--disable-admission-plugins=ServiceAccount",
            f"--tls-cert-file={pki.certificate('api')}",
            f"--tls-private-key-file={pki.key('api')}",
            f"--client-ca-file={pki.ca_file}",
            f"--token-auth-file={pki.token_file}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={pki.folder / 'service-accounts.pub'}",
            f"--service-account-signing-key-file={pki.folder / 'service-accounts.key'}",
        ]

    def _controllers_flags(self) -> list[str]:
        pki = self.credentials
        config = pki.kubeconfig("controllers")
        return [
            f"--kubeconfig={config}",
            "--bind-address=127.0.0.1",
            "--secure-port=0",
            "--leader-elect=false",
            "--use-service-account-credentials",
            f"--service-account-private-key-file={pki.folder / 'service-accounts.key'}",
            f"--root-ca-file={pki.ca_file}",
            "--node-monitor-grace-period=3600s",  # nodes here have nobody who renews their lease
        ]

    def _kwok_flags(self) -> list[str]:
        stages = [f"--config={path}" for path in build.manifests("kwok")]
        selector = "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake"
        return [f"--kubeconfig={self.kubeconfig()}", "--manage-all-nodes=false", selector, *stages]


_CRD_KEY = "/registry/apiextensions.k8s.io/customresourcedefinitions/"


def _read(path: Path) -> Manifest:
    return dict(yaml.load(path.read_text(), yaml.CSafeLoader))


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
