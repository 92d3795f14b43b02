"""The fixtures that every other test relies on."""

from __future__ import annotations

import psycopg
import pytest
import redis


@pytest.mark.parametrize("round_", [1, 2, 3])
def test_each_test_gets_a_database_of_its_own(database_url: str, round_: int) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE of_this_test (round int)")
        connection.execute("INSERT INTO of_this_test VALUES (%s)", (round_,))
        assert connection.execute("SELECT round FROM of_this_test").fetchall() == [(round_,)]


@pytest.mark.parametrize("round_", [1, 2, 3])
def test_each_test_gets_an_empty_redis(redis_url: str, round_: int) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("key", round_)
