"""The limiter's Lua scripts. The header of each file says what it does and what it takes and returns."""

from __future__ import annotations

from pathlib import Path

from coordination.lua import COMMON, Script, load

FOLDER = Path(__file__).parent


def _job_script(name: str, *behind: str) -> Script:
    return load(FOLDER / f"{name}.lua", behind=[COMMON, *(FOLDER / f"{part}.lua" for part in behind)])


ACQUIRE = _job_script("acquire", "rates", "slots", "numbers")
EPOCH = _job_script("epoch")
LATE_SECONDS = _job_script("late_seconds")
NUMBER_FILL = _job_script("number_fill")
POSTPONE = _job_script("postpone")
PUBLISH_EPOCH = _job_script("publish_epoch")
RELEASE = _job_script("release")
RENEW = _job_script("renew")
TRANSFER = _job_script("transfer")
UNLOCK = _job_script("unlock")
USAGE = _job_script("usage")
