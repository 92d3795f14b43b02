"""What the drivers say of a server that cannot be used, and what a person is told of it: one line."""

from __future__ import annotations

import peewee
import psycopg
import pytest
import redis

from server_faults import DISK_FULL, LONGEST, reason_of, state_of

SERVER = 'connection failed: connection to server at "127.0.0.1", port 5432 failed: '
TLS = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)"

SAID = {
    f"{SERVER}Connection refused\n\tIs the server running on that host?": (
        "nothing listens there (Connection refused)"
    ),
    f'{SERVER}FATAL:  password authentication failed for user "u"': (
        'it refuses the user or the password (password authentication failed for user "u")'
    ),
    f'{SERVER}FATAL:  database "x" does not exist': 'database "x" does not exist',
    f"{SERVER}server does not support SSL, but SSL was required": (
        "it does not speak TLS (server does not support SSL, but SSL was required)"
    ),
    f'{SERVER}FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "u", database "d", no encryption': (
        "it wants TLS: add ?sslmode=require"
        ' (no pg_hba.conf entry for host "1.2.3.4", user "u", database "d", no encryption)'
    ),
    "failed to resolve host 'db.invalid': [Errno -2] Name or service not known": (
        "its host name is not known (failed to resolve host 'db.invalid': [Errno -2] Name or service not known)"
    ),
    "connection timeout expired": "it does not answer (connection timeout expired)",
    "Error 111 connecting to 127.0.0.1:6379. Connection refused.": "nothing listens there (Connection refused)",
    "invalid username-password pair or user is disabled.": (
        "it refuses the user or the password (invalid username-password pair or user is disabled)"
    ),
    "Authentication required.": "it asks for a password, and the URL has none (Authentication required)",
    "Redis is unavailable for a lease: Timeout connecting to server": (
        "it does not answer (Timeout connecting to server)"
    ),
}


@pytest.mark.parametrize("said", SAID)
def test_a_driver_is_quoted_in_one_line_that_says_what_it_means(said: str) -> None:
    for error in (psycopg.OperationalError(said), redis.ConnectionError(said), RuntimeError(said)):
        assert reason_of(error) == SAID[said]
    assert reason_of(said) == SAID[said]


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        (
            f"Error 1 connecting to redis:6379. {TLS}.",
            "its certificate is not trusted (docs/deploying.md, Servers elsewhere)",
        ),
        (
            "MISCONF Valkey is configured to save RDB snapshots, but it is currently unable to persist to disk.",
            "its disk is full; make room there",
        ),
        (
            "OOM command not allowed when used memory > 'maxmemory'.",
            "its memory is full (maxmemory); give it more",
        ),
        ("READONLY You can't write against a read only replica.", "it takes no writes: it is a replica"),
    ],
)
def test_what_a_redis_says_is_told_with_what_to_do(said: str, meaning: str) -> None:
    assert reason_of(redis.RedisError(said)).startswith(f"{meaning} (")


def test_a_full_disk_is_known_by_its_state_also_where_peewee_wraps_it() -> None:
    full = psycopg.errors.DiskFull('could not extend file "base/1/2": No space left on device')
    wrapped = peewee.OperationalError(*full.args)
    wrapped.__cause__ = full
    for error in (full, wrapped):
        assert state_of(error) == DISK_FULL
        assert reason_of(error) == "its disk is full; make room there"


def test_whatever_it_is_fits_into_one_line() -> None:
    said = "FATAL:  \x1b[31m" + "x" * 10_000 + "\nDETAIL: more"
    found = reason_of(psycopg.OperationalError(said))
    assert (len(found), found.isprintable()) == (LONGEST + 1, True)
    assert reason_of(psycopg.OperationalError("")) == "OperationalError"
