"""The Lua scripts, each with the common part in front, run by digest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError


@cache
def source(name: str) -> tuple[str, str]:
    """A script's text and digest."""
    here = Path(__file__).parent
    folders = (here, here.with_name("limits"))
    paths = [folder / f"{part}.lua" for part in ("common", name) for folder in folders]
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths if path.exists())
    return text, digest(text)


def digest(text: str) -> str:
    """The name under which Redis keeps a script."""
    return sha1(text.encode(), usedforsecurity=False).hexdigest()


def run(redis: Redis, name: str, keys: Sequence[str], job: Mapping[str, Any]) -> Any:
    """Run the script `name` once. Raises redis.RedisError; what the script did is then unknown."""
    text, name_in_redis = source(name)
    argument = json.dumps(job, separators=(",", ":"))
    try:
        return redis.evalsha(name_in_redis, len(keys), *keys, argument)
    except NoScriptError:
        return redis.eval(text, len(keys), *keys, argument)
