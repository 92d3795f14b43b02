"""A stand-in for the children of a stack: `python stand_in.py KIND FOLDER`, as a Procfile's command line.

`release … new-key …` makes no key. `web` answers /readyz; every kind notes what it was given, and on SIGTERM whether
its database still answers.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import FrameType
from urllib.parse import urlsplit

KIND, FOLDER = sys.argv[1], Path(sys.argv[2])
GIVEN = (
    "CARILLON_CDR_KEY",
    "CARILLON_HOME",
    "DATABASE_URL",
    "FREESWITCH_URLS",
    "HOST",
    "PORT",
    "REDIS_URL",
    "SECRET_KEY",
    "WEB_CONCURRENCY",
)


class Handler(BaseHTTPRequestHandler):
    """GET /readyz only."""

    def do_GET(self) -> None:
        ready = not (FOLDER / "not-ready").exists()
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write(b"ready" if ready else b"database: no")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a test reads what the stack says."""


def servers_answer() -> bool:
    # Here: most of the stand-ins are never asked, and it takes longer than all the rest of one.
    import psycopg

    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute("SELECT 1")
    url = urlsplit(os.environ["REDIS_URL"])
    with socket.create_connection((url.hostname, url.port or 6379), timeout=10) as client:
        client.sendall(b"AUTH %s\r\nPING\r\n" % (url.password or "").encode())
        said = b""
        while said.count(b"\n") < 2 and (more := client.recv(4096)):
            said += more
    return said.endswith(b"+PONG\r\n")


def on_term(number: int, frame: FrameType | None) -> None:
    print(f"told to stop, servers answer: {servers_answer()}", flush=True)
    sys.exit(0)


def main() -> None:
    if "new-key" in sys.argv:
        return
    given = {name: os.environ[name] for name in GIVEN if name in os.environ}
    with open(FOLDER / f"{KIND}.jsonl", "a", encoding="utf-8") as notes:
        notes.write(json.dumps(given) + "\n")
    if KIND == "release":
        print("released", flush=True)
        sys.exit((FOLDER / "release-fails").exists())
    signal.signal(signal.SIGTERM, signal.SIG_IGN if KIND == "deaf" else on_term)
    if KIND == "web":
        server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
    # `signal.pause` would sleep on after a signal that came right before it.
    woken, waking = socket.socketpair()
    waking.setblocking(False)
    signal.set_wakeup_fd(waking.fileno())
    print("up", flush=True)
    while True:
        woken.recv(64)


if __name__ == "__main__":
    main()
