"""Servers that speak TLS with certificates of ours, which nobody trusts who is not told to: as hosted ones do."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
import psycopg
import trustme
from gevent.server import StreamServer

from local.postgres import EmbeddedPostgres

BLOCK = 65536


class Authority:
    """Who signs the certificates of these servers: `certificate` is the file by which they can be verified."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self.certificate = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.certificate))
        self.certificate.chmod(0o644)
        self._issued = self._authority.issue_cert("localhost", "127.0.0.1")

    def context(self) -> ssl.SSLContext:
        """For a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._issued.configure_cert(context)
        return context

    @property
    def chain(self) -> bytes:
        """The server's certificate, PEM."""
        return b"".join(one.bytes() for one in self._issued.cert_chain_pems)

    @property
    def key(self) -> bytes:
        """The server's private key, PEM."""
        return bytes(self._issued.private_key_pem.bytes())


class Terminator:
    """TLS in front of a server that speaks none: the embedded Valkey is built without it."""

    def __init__(self, url: str, authority: Authority) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port)
        self._server = StreamServer(("127.0.0.1", 0), self._serve, ssl_context=authority.context())
        self._server.start()
        self.url = f"rediss://:{parts.password}@127.0.0.1:{self._server.server_port}{parts.path}"

    def close(self) -> None:
        self._server.stop(timeout=1)

    def _serve(self, near: Any, _address: object) -> None:
        far = gevent.socket.create_connection(self._target)
        gevent.joinall([gevent.spawn(_pump, near, far), gevent.spawn(_pump, far, near)])


def _pump(source: Any, sink: Any) -> None:
    try:
        while data := source.recv(BLOCK):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        source.close()
        sink.close()


@contextmanager
def speaking_tls(postgres: EmbeddedPostgres, authority: Authority) -> Iterator[None]:
    """PostgreSQL with TLS beside plain connections."""
    owner = postgres.data.stat()
    settings = {"ssl_cert_file": "server.pem", "ssl_key_file": "server.key"}
    for name, content in (("server.pem", authority.chain), ("server.key", authority.key)):
        path = postgres.data / name
        path.write_bytes(content)
        path.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(path, owner.st_uid, owner.st_gid)
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        for name, value in {**settings, "ssl": "on"}.items():
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        connection.execute("SELECT pg_reload_conf()")
        yield
        for name in ("ssl", *settings):
            connection.execute(f"ALTER SYSTEM RESET {name}")
        connection.execute("SELECT pg_reload_conf()")
