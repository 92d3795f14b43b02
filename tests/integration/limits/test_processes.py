"""Four processes at the same caps: not one call too many in any window.

`bench/lines/limits/shared_rates.py`: hardly one too few.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from limits.limiter import Usage
from tests.examples import first
from tests.integration.limits.limiter_rig import PREFIX, Dialer, HookedRedis
from tests.waiting import HANG_SECONDS

ROOT = Path(__file__).resolve().parents[3]
PROCESSES = 4


def hammer(
    url: str, *, seconds: int, tasks: int, per_minute: int = 0, cps: int = 0, concurrency: int = 1000
) -> dict[str, int]:
    """Let the processes ask for as much as they get; the calls granted, each with how many were open then."""
    command = [sys.executable, "-m", "tests.integration.limits.acquiring_process", url]
    arguments = [str(number) for number in (seconds, per_minute, cps, concurrency, tasks)]
    processes = [
        subprocess.Popen([*command, f"d{n}", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for n in range(PROCESSES)
    ]
    outputs = [process.communicate(timeout=HANG_SECONDS)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES
    lines = [line.split() for output in outputs for line in output.splitlines()]
    granted = {call: int(beside) for call, beside in lines}
    assert len(granted) == len(lines)
    return granted


def stamps(client: HookedRedis) -> list[float]:
    """Seconds at which Redis admitted each call of the last minute, in order."""
    (log,) = client.scan_iter(match=f"{PREFIX}*:rate:tenant:t")
    admitted = cast("list[tuple[str, float]]", client.zrange(log, 0, -1, withscores=True))
    return [score / 1e6 for _, score in admitted]


def fullest(times: list[float], window: float) -> int:
    """The most calls in any window of that length, half open."""
    return max(sum(start <= time < start + window for time in times) for start in times)


@pytest.mark.parametrize(("per_minute", "cps"), first((600, 0), (0, 50)))
def test_no_window_is_overfull(redis_url: str, client: HookedRedis, per_minute: int, cps: int) -> None:
    Dialer(client, "opener").open()
    granted = hammer(redis_url, seconds=5, tasks=2, per_minute=per_minute, cps=cps)
    times = stamps(client)
    assert len(granted) == len(times)

    window, limit = (1.0, cps) if cps else (60.0, per_minute)
    assert fullest(times, window) <= limit


def test_no_moment_has_more_calls_than_the_cap(redis_url: str, client: HookedRedis) -> None:
    dialer = Dialer(client, "opener").open()
    granted = hammer(redis_url, seconds=3, tasks=3, concurrency=5)
    assert max(granted.values()) <= 5
    assert len(granted) > 5, "no slot was used again: nothing was proven"
    assert dialer.limiter.usage("t") == Usage(0, len(granted), len(granted), 0)


@pytest.mark.full
def test_hundreds_of_greenlets_in_each_process_change_nothing(redis_url: str, client: HookedRedis) -> None:
    dialer = Dialer(client, "opener").open()
    granted = hammer(redis_url, seconds=20, tasks=200, cps=50, concurrency=20)
    assert fullest(stamps(client), 1.0) <= 50
    assert max(granted.values()) <= 20
    assert dialer.limiter.usage("t") == Usage(0, len(granted), len(granted), 0)
