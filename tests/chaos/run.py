"""One run: starts the stage, dials campaigns, breaks things, waits until all is settled, and reads the records."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.faults import STOPS, Kind, Size, schedule
from tests.chaos.held_up import HeldUp
from tests.chaos.play import Play
from tests.chaos.records import Records, left_open, permits_held, read, settles, unpublished
from tests.chaos.stage import Stage, Watch
from tests.chaos.stops import Away
from tests.chaos.striker import Say, Striker

READY_SECONDS = 180.0
BACK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Result:
    """What a run gave: its records, the shares of the time in which calls could be started and in which nothing was
    broken, and how long each part took."""

    records: Records
    up: float
    whole: float
    seconds: float
    settled_after: float


def perform(
    home: Path,
    size: Size,
    seed: int,
    say: Say,
    output: Callable[[str, str], None],
    *,
    points: Sequence[str],
    kinds: Sequence[Kind],
    clocks: Mapping[str, float],
    on: type[Stage] = Stage,
) -> Result:
    """All of one run."""
    began = time.monotonic()
    held_up = HeldUp(output)
    stage = on(home, seed=seed, clocks=dict(clocks), output=held_up)
    with stage:
        stage.wait_ready(READY_SECONDS)
        play = Play(stage, size, stops=not STOPS.isdisjoint(kinds))
        say(f"up after {time.monotonic() - began:.0f} s")
        watch = Watch(stage)
        play.begin()
        striker = Striker(stage, say, play.upload_too_much, play.acts)
        watch.start(striker.broken)
        faults = schedule(seed, size, points, kinds)
        striker.run(play.changing(faults), watch.rested)
        play.acts.end()
        if play.manager is not None:
            play.manager.end()
            striker.struck.suppressed += play.manager.suppressed
            striker.struck.refused += play.manager.refused
        for stop in play.acts.stops:
            say(f"{stop}, {stop.answered - stop.asked:.1f} s after it was asked for")
        watch.stop()
        # A server whose backend was killed last may still be replaying its log.
        settles(lambda: unpublished(stage) >= 0, BACK_SECONDS)
        say(f"every fault is mended; {left_open(stage, list(play.uploaded))} contacts are left")
        settling = time.monotonic()
        settles(lambda: left_open(stage, list(play.uploaded)) == 0, size.settle + play.seconds_left())
        settled = time.monotonic() - settling
        play.upload_again()
        settles(lambda: unpublished(stage) == 0, 30)
        settles(play.quiet, 45)
        settles(lambda: permits_held(stage) == 0, 45)
        striker.struck.stops += play.acts.stops
        striker.struck.held_up |= held_up.seconds
        striker.struck.hung += held_up.hung
        striker.struck.warned += [
            f"{name} × {times}: {line}" for (name, _), (times, line) in list(held_up.trouble.items())
        ]
        striker.struck.away += [Away(begin, end) for begin, end in watch.down]
        records = read(stage, play.played(), striker.struck)
        play.end()
    return Result(records, watch.up, watch.whole, time.monotonic() - began, settled)
