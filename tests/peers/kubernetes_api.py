"""What a test says to a Kubernetes API server: requests as admin, any manifest applied or deleted."""

import json as jsonlib
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

Manifest = dict[str, Any]

APPLY = "application/apply-patch+yaml"


class ApiError(Exception):
    """The API server said no: `status` is HTTP's, `body` its Status object or text."""

    def __init__(self, method: str, path: str, status: int, body: str) -> None:
        super().__init__(f"{method} {path}: {status} {body[:500]}")
        self.status = status
        self.body = body


class Api:
    """One API server, asked with a client certificate over a pool of connections; threads may share it."""

    def __init__(self, url: str, *, ca_file: Path, cert_file: Path, key_file: Path) -> None:
        self._url = url
        self._paths: dict[tuple[str, str], tuple[str, bool]] = {}
        self._pool = urllib3.PoolManager(
            maxsize=16,
            block=True,
            ca_certs=str(ca_file),
            cert_file=str(cert_file),
            key_file=str(key_file),
            timeout=urllib3.Timeout(connect=5, read=60),
            retries=False,
        )

    def close(self) -> None:
        self._pool.clear()

    def ok(self, path: str) -> bool:
        """Does a path answer 200 within two seconds?"""
        try:
            return self._pool.request("GET", self._url + path, timeout=2).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def request(
        self, method: str, path: str, json: Any = None, *, content_type: str = "application/json"
    ) -> Manifest:
        """One request; the answer's JSON object. ApiError for any status from 400 on."""
        body = None if json is None else jsonlib.dumps(json).encode()
        headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": "netweave-tests"}
        answer = self._pool.request(method, self._url + path, body=body, headers=headers)
        if answer.status >= 400:
            raise ApiError(method, path, answer.status, answer.data.decode(errors="replace"))
        return dict(jsonlib.loads(answer.data))

    def apply(self, manifest: Manifest) -> Manifest:
        """Creates an object, or changes it by server-side apply; with its `status`, and with its namespace.

        Returns the object as it is then. A field that a second manifest lacks stays as it is.
        """
        collection, kind_has_status = self._collection(manifest)
        try:
            done = self._create(collection, manifest)
        except ApiError as error:
            if error.status != 409 or "AlreadyExists" not in error.body:
                raise
            done = self._patch(f"{collection}/{manifest['metadata']['name']}", manifest)
        status = manifest.get("status")
        if status and kind_has_status and not _contains(done.get("status"), status):
            name = {key: done["metadata"][key] for key in ("name", "namespace") if key in done["metadata"]}
            only = {
                "apiVersion": manifest["apiVersion"],
                "kind": manifest["kind"],
                "metadata": name,
                "status": status,
            }
            done = self._patch(f"{collection}/{name['name']}/status", only)
        return done

    def delete(self, manifest: Manifest) -> None:
        """Deletes the object that a manifest names; harmless when it is not there."""
        collection, _ = self._collection(manifest)
        try:
            self.request("DELETE", f"{collection}/{manifest['metadata']['name']}")
        except ApiError as error:
            if error.status != 404:
                raise

    def _create(self, collection: str, manifest: Manifest) -> Manifest:
        path = f"{collection}?fieldManager=tests"
        try:
            return self.request("POST", path, manifest)
        except ApiError as error:
            if error.status != 404 or "/namespaces/" not in collection:
                raise
        namespace = collection.split("/namespaces/")[1].partition("/")[0]
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        return self.request("POST", path, manifest)

    def _patch(self, path: str, manifest: Manifest) -> Manifest:
        query = urlencode({"fieldManager": "tests", "force": "true"})
        return self.request("PATCH", f"{path}?{query}", manifest, content_type=APPLY)

    def _collection(self, manifest: Manifest) -> tuple[str, bool]:
        """Where objects of a manifest's kind live, and whether `status` is a subresource of theirs."""
        version, kind = manifest["apiVersion"], manifest["kind"]
        if (version, kind) not in self._paths:
            self._discover(version)
        if (version, kind) not in self._paths:
            msg = f"the API server knows no {kind} in {version}"
            raise LookupError(msg)
        pattern, has_status = self._paths[version, kind]
        return pattern.format(namespace=manifest["metadata"].get("namespace", "default")), has_status

    def _discover(self, version: str) -> None:
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        resources = self.request("GET", root)["resources"]
        names = {resource["name"] for resource in resources}
        for resource in resources:
            if "/" in resource["name"]:
                continue
            scope = "/namespaces/{namespace}" if resource["namespaced"] else ""
            path = f"{root}{scope}/{resource['name']}"
            self._paths[version, resource["kind"]] = (path, f"{resource['name']}/status" in names)


def _contains(whole: Any, part: Any) -> bool:
    """Is every field of `part` in `whole`, with the same value?"""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and _contains(whole[key], value) for key, value in part.items())
    return bool(whole == part)
