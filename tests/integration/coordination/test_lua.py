"""Running a script: by its digest, and by its text where the server does not hold it."""

from __future__ import annotations

from pathlib import Path

import redis

from coordination.lua import COMMON, Script, load, run, run_job

ECHO = Script.of("echo", "return {KEYS[1], ARGV[1], ARGV[2]}")


def test_a_script_runs_on_a_server_that_never_saw_it_and_on_one_that_forgot_it(client: redis.Redis) -> None:
    for _ in range(2):
        client.script_flush()
        for _ in range(2):
            assert run(client, ECHO, ["key"], [7, b"x"]) == ["key", "7", "x"]
        assert client.script_exists(ECHO.digest) == [True]


def test_what_a_script_is_loaded_behind_stands_in_front_of_it(client: redis.Redis, tmp_path: Path) -> None:
    path = tmp_path / "name.lua"
    path.write_text("return job.n + 1")
    script = load(path, behind=[COMMON])
    assert script.name == "name"
    assert run_job(client, script, [], {"n": 41}) == 42
