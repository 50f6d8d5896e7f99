"""TLS proxies in front of a gateway, by the machine's nginx and HAProxy: they verify callers' certificates
and say in headers what they saw, configured as docs/security.md tells."""

import shutil
from pathlib import Path
from typing import Self

from tests.certificates import Authority
from tests.peers.process import Den, PeerMissingError, Process, free_port

NGINX = """
daemon off;
pid {den}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {den}/body; proxy_temp_path {den}/proxy; fastcgi_temp_path {den}/fastcgi;
    uwsgi_temp_path {den}/uwsgi; scgi_temp_path {den}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_client_certificate {ca};
        ssl_verify_client optional;
        ssl_session_tickets off;
        ssl_session_cache off;
        location / {{
            proxy_pass http://127.0.0.1:{target};
            proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;
            proxy_set_header X-SSL-Client-Verify $ssl_client_verify;
            proxy_set_header X-Forwarded-Client-Cert "";
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
}}
"""
HAPROXY = """
global
    tune.ssl.cachesize 0
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend tls
    bind 127.0.0.1:{port} ssl crt {both} ca-file {ca} verify optional no-tls-tickets
    http-request del-header X-Forwarded-Client-Cert
    http-request set-header X-SSL-Client-Cert %[ssl_c_der,base64]
    http-request set-header X-SSL-Client-Verify %[ssl_c_verify]
    option forwardfor
    default_backend netweave
backend netweave
    server netweave 127.0.0.1:{target}
"""


class Proxy:
    """`nginx` or `haproxy`, listening with TLS on `port`, in front of a port of this machine."""

    def __init__(self, kind: str, target: int, authority: Authority) -> None:
        program = shutil.which(kind, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        if program is None:
            raise PeerMissingError(f"{kind} is not installed: apt-get install {kind}")
        self.port = free_port()
        self._den = Den(kind)
        issued = authority.issue(names=[kind], hosts=["localhost"])
        both = self._den.path / "both.pem"
        both.write_bytes(issued.certificate.read_bytes() + issued.key.read_bytes())
        configuration = self._den.path / f"{kind}.conf"
        text = (NGINX if kind == "nginx" else HAPROXY).format(
            den=self._den.path,
            port=self.port,
            target=target,
            certificate=issued.certificate,
            key=issued.key,
            both=both,
            ca=authority.file,
        )
        configuration.write_text(text)
        self._server = Process(kind, self._words(program, configuration), den=self._den)

    def __enter__(self) -> Self:
        self._server.start()
        self._server.wait_ready(self._listens)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._den.close()

    @staticmethod
    def _words(program: str, configuration: Path) -> list[str]:
        if program.endswith("nginx"):
            return [program, "-e", "stderr", "-p", str(configuration.parent), "-c", str(configuration)]
        return [program, "-db", "-f", str(configuration)]

    def _listens(self) -> bool:
        import socket

        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
