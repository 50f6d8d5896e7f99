"""The servers that floors are measured on: nginx with a static file, and a bare Django view."""

import shutil
import sys
import time
import urllib.request
from pathlib import Path

from bench.bare import BODY
from bench.load import SERVER_CORE, Case
from tests.peers.process import Den, Process, free_port

ROOT = Path(__file__).parent.parent
_NGINX = """
daemon off; worker_processes 1; error_log stderr warn; pid {den}/nginx.pid.own; user {user};
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {den}/b; proxy_temp_path {den}/p; fastcgi_temp_path {den}/f;
  uwsgi_temp_path {den}/u; scgi_temp_path {den}/s;
  server {{ listen 127.0.0.1:{port}; root {den}/www; default_type application/json; keepalive_requests
  1000000000; }}
}}
"""


class Floors:
    """Both floors, pinned to the server's core; closes what it started."""

    def __init__(self) -> None:
        self.den = Den("floors")
        self.den.path.chmod(0o755)
        self.cases: list[Case] = []
        self._processes: list[Process] = []
        if shutil.which("nginx"):
            self._nginx()
        self._start("bare Django view", "pools", [sys.executable, "-m", "bench.bare"])

    def close(self) -> None:
        """Stops both."""
        for process in self._processes:
            process.stop()
        self.den.close()

    def _nginx(self) -> None:
        port = free_port()
        (self.den.path / "www").mkdir(mode=0o755)
        (self.den.path / "www" / "pools").write_bytes(BODY)
        configuration = self.den.path / "nginx.conf"
        configuration.write_text(_NGINX.format(den=self.den.path, port=port, user="root"))
        self._launch(
            "nginx static file", f"http://127.0.0.1:{port}/pools", ["nginx", "-c", str(configuration)]
        )

    def _start(self, name: str, path: str, command: list[str]) -> None:
        port = free_port()
        self._launch(name, f"http://127.0.0.1:{port}/{path}", [*command, str(port)])

    def _launch(self, name: str, url: str, command: list[str]) -> None:
        where = ["env", f"PYTHONPATH={ROOT}", "taskset", "-c", SERVER_CORE]
        process = Process(name.partition(" ")[0], [*where, *command], den=self.den)
        process.start()
        process.wait_ready(lambda: _answers(url))
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        self._processes.append(process)
        self.cases.append(Case(name, url, [process.pid, *(int(child) for child in children)]))


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        time.sleep(0.05)
        return False
