"""What the settings let through is what the drivers can read, and nothing of it would be passed over."""

from __future__ import annotations

import redis
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from server_urls import LIBPQ_OPTIONS, postgresql_fault, redis_fault, without_secrets

PIECES = [
    "postgresql://", "postgres://", "redis://", "rediss://", "unix://",
    "user", ":", "@", "/", "?", "#", "&", "=", ",",
    "[", "]", "::1", "host", "a.b", "5432", "99999", "0", "%", "%2F", "%41", " ", "db", "sslmode", "require", "é",
    "ssl_cert_reqs", "none", "password", "//", "..", "\n",
]  # fmt: skip
STARTS = ["postgresql://", "postgresql://u:p@host/", "postgresql://host:", "postgresql://host/db?",
          "redis://", "redis://:p@host/", "redis://host:", "rediss://host/0?", "unix:///"]  # fmt: skip
URLS = st.builds(
    lambda start, rest: start + "".join(rest),
    st.sampled_from(STARTS),
    st.lists(st.sampled_from(PIECES), max_size=8),
)


def test_the_options_of_libpq_are_known() -> None:
    assert {option.keyword.decode() for option in pq.Conninfo.get_defaults()} == LIBPQ_OPTIONS


@given(URLS)
@example("postgresql://%2Fvar%2Frun%2Fpostgresql/carillon")
@example("postgresql:///carillon?host=/var/run/postgresql&user=carillon")
@example("postgresql://%DB@h/carillon")
def test_what_passes_for_postgresql_libpq_can_read(url: str) -> None:
    if postgresql_fault(url) is None:
        assert isinstance(conninfo_to_dict(url), dict)


@given(URLS)
@example("unix://:p@/run/redis.sock?db=1")
@example("rediss://user:p@redis:6380/1?ssl_cert_reqs=none")
def test_what_passes_for_redis_its_client_can_read(url: str) -> None:
    if redis_fault(url) is None:
        with redis.Redis.from_url(url) as client:
            pool = client.connection_pool
            pool.connection_class(**pool.connection_kwargs)
            kept = pool.connection_kwargs
        assert kept.get("host") or kept.get("path")
        assert isinstance(kept.get("db", 0), int)


@given(URLS, st.sampled_from(["postgresql://u:hush{}hush@host/db", "redis://:hush{}hush@host/0",
                              "esl://:hush{}hush@host", "esl://:hush{}hush", "redis:hush{}hush",
                              "postgresql://host/db?password=hush{}hush"]))  # fmt: skip
def test_no_part_of_a_password_is_ever_shown(noise: str, shape: str) -> None:
    between = noise.partition("://")[2].replace("@", "")
    assert "hush" not in without_secrets(shape.format(between))
