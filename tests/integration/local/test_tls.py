"""PostgreSQL and Valkey over TLS, with certificates that are signed by nobody whom a machine trusts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from coordination.redis_client import client
from local.demo import demo_stack
from local.postgres import EmbeddedPostgres
from server_faults import reason_of
from settings import Settings
from tests.examples import first
from tests.integration.local.test_wrong_servers import first_line, one_sentence
from tests.tls import Authority, Terminator, speaking_tls
from tests.waiting import wait_until

UNTRUSTED = "its certificate is not trusted (docs/deploying.md, Servers elsewhere)"


@pytest.fixture
def authority(server_home: Path, tmp_path: Path) -> Authority:
    folder = server_home / tmp_path.name
    folder.mkdir()
    return Authority(folder)


@pytest.fixture
def database(postgres: EmbeddedPostgres, database_url: str, authority: Authority) -> Iterator[str]:
    """The URL of a database as hosts write it, whose server speaks TLS."""
    with speaking_tls(postgres, authority):
        yield database_url.replace("postgresql://", "postgres://")


@pytest.fixture
def valkey_url(redis_url: str, authority: Authority) -> Iterator[str]:
    """The URL of a Valkey that speaks TLS."""
    terminator = Terminator(redis_url, authority)
    yield terminator.url
    terminator.close()


def connected(url: str) -> str:
    """The TLS version that the connection of this setting has."""
    settings = Settings.from_environ({"DATABASE_URL": url})
    with psycopg.connect(str(settings.database_url)) as connection:
        (version,) = connection.execute(
            "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl"
        ).fetchone() or ("",)
        return str(version)


def test_a_hosted_database_is_encrypted_and_where_one_wants_it_verified(
    database: str, authority: Authority
) -> None:
    wait_until(lambda: connected(database) != "", what="PostgreSQL speaking TLS")
    assert connected(f"{database}?sslmode=require").startswith("TLS")
    verified = f"{database}?sslmode=verify-full&sslrootcert={authority.certificate}"
    assert connected(verified).startswith("TLS")
    with pytest.raises(psycopg.OperationalError) as refused:
        connected(f"{database}?sslmode=verify-full&sslrootcert={Path(__file__).parent}/none.pem")
    assert "none.pem" in reason_of(refused.value)
    with pytest.raises(psycopg.OperationalError) as refused:
        connected(f"{database}?sslmode=verify-full&sslrootcert=system")
    assert reason_of(refused.value).startswith(UNTRUSTED)


def test_a_hosted_redis_is_encrypted_and_where_one_wants_it_verified(
    valkey_url: str, authority: Authority
) -> None:
    for option in ("ssl_cert_reqs=none", f"ssl_ca_certs={authority.certificate}"):
        settings = Settings.from_environ({"REDIS_URL": f"{valkey_url}?{option}"})
        with client(str(settings.redis_url)) as redis_client:
            assert redis_client.ping()
    with client(valkey_url) as redis_client, pytest.raises(redis.ConnectionError) as refused:
        redis_client.ping()
    assert reason_of(refused.value).startswith(UNTRUSTED)


@pytest.mark.full
def test_every_process_serves_and_dials_over_tls(database: str, valkey_url: str, server_home: Path) -> None:
    """Ready means: the API reaches both servers, and a living dialer does, with its nodes."""
    environ = os.environ | {
        "DATABASE_URL": f"{database}?sslmode=require",
        "REDIS_URL": f"{valkey_url}?ssl_cert_reqs=none",
    }
    said: list[str] = []
    stack = demo_stack(
        server_home / "tls",
        port=0,
        dialers=1,
        web_workers=1,
        environ=environ,
        durable=False,
        output=lambda name, line: said.append(f"{name}: {line}"),
    )
    try:
        with stack:
            stack.wait_ready()
            with psycopg.connect(database) as connection:
                (plain,) = connection.execute(
                    "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)"
                    " WHERE a.datname = current_database() AND a.application_name LIKE 'carillon%' AND NOT s.ssl"
                ).fetchone() or (None,)
            assert plain == 0
    finally:
        print("\n".join(said))
    # On a busy machine a server may answer late; what is wrong with TLS is told by other words.
    assert not [line for line in said if "outage_began" in line and "does not answer" not in line]


@pytest.mark.parametrize("kind", first("dialer", "web"))
def test_a_process_says_that_it_does_not_trust_the_server(
    kind: str, database: str, valkey_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    line = first_line(kind, re.compile("server=redis"), log, DATABASE_URL=database, REDIS_URL=valkey_url)
    assert f'reason="{UNTRUSTED}' in line
    one_sentence(line)
