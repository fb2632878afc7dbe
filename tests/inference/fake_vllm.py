"""Behaves as the `vllm` command does towards its owner: arguments, log, a slow start, children of its own, HTTP.

FAKE says how: words out of
  slow       binds and is ready late          fails      ends with the traceback of FAKE_LOG before it is ready
  stubborn   does not mind SIGTERM            never      is never ready
  family     has a child and a grandchild that mind no signal, the latter in a session of its own; logs their pids
GET /args tells arguments and environment; GET /die ends it with exit code 3.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(600)"
CHILD = f"""
import subprocess, sys
grandchild = subprocess.Popen([sys.executable, "-c", {DEAF!r}], start_new_session=True, stdout=subprocess.PIPE)
grandchild.stdout.readline()
print(grandchild.pid, flush=True)
{DEAF}
"""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/die":
            os._exit(3)
        self.send_response(200)
        self.end_headers()
        if self.path == "/args":
            self.wfile.write(json.dumps({"args": sys.argv[1:], "env": dict(os.environ)}).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


def log(text: str) -> None:
    for line in text.split("\n"):
        sys.stdout.write(f"(APIServer pid={os.getpid()}) INFO 11-21 06:58:54 [api_server.py:42] {line}\n")
    sys.stdout.flush()


def main() -> None:
    how = os.environ.get("FAKE", "").split()
    port = int(sys.argv[sys.argv.index("--port") + 1])
    if "stubborn" in how:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "family" in how:
        child = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        log(f"family {os.getpid()} {child.pid} {int(child.stdout.readline())}")
    log("Loading weights\nLoading shards:  50%\rLoading shards: 100%")
    log("---")
    if "slow" in how:
        time.sleep(1.5)
    if "fails" in how:
        sys.exit(Path(os.environ["FAKE_LOG"]).read_text())
    if "never" in how:
        time.sleep(600)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler, bind_and_activate=False)
    server.socket = sock
    server.server_activate()
    server.serve_forever()


main()
