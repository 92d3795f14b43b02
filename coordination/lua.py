"""Runs Lua in Redis, the one way of every package: by digest, and by its text where Redis does not hold it yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
from typing import Any

import orjson
from redis import Redis
from redis.exceptions import NoScriptError

COMMON = Path(__file__).with_name("common.lua")
"""What every script shares that takes its argument as one JSON job; such a script is run by `run_job`."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script as it is sent. `digest` is the name under which Redis keeps it."""

    name: str
    text: str
    digest: str

    @classmethod
    def of(cls, name: str, text: str) -> Script:
        """The script with this text; `name` is for people."""
        return cls(name, text, sha1(text.encode(), usedforsecurity=False).hexdigest())


def load(path: Path, *, behind: Sequence[Path] = ()) -> Script:
    """The script in the file `path`, with the text of the files `behind` in front of it."""
    parts = [part.read_text(encoding="utf-8") for part in (*behind, path)]
    return Script.of(path.stem, "\n".join(parts))


def run(redis: Redis, script: Script, keys: Sequence[str], arguments: Sequence[str | bytes | float]) -> Any:
    """Run `script` once; its answer, whose shape its header tells.

    Raises redis.RedisError; what the script did is then unknown.
    """
    try:
        return redis.evalsha(script.digest, len(keys), *keys, *arguments)
    except NoScriptError:
        return redis.eval(script.text, len(keys), *keys, *arguments)


def run_job(redis: Redis, script: Script, keys: Sequence[str], job: Mapping[str, object]) -> Any:
    """Run a script that was loaded behind COMMON, whose one argument is `job`. Raises redis.RedisError."""
    return run(redis, script, keys, [orjson.dumps(job)])
