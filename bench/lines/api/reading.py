"""What a page of contacts and a campaign cost a web worker, up to 200 a second: beside `{}` on the same server."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median

from bench.asking import ask, ask_by_turns
from bench.spent import of_family
from bench.stand import Stand, load, rounds, seconds, stand, wait_for
from bench.table import Row, goal_at_most
from bench.windows import median_ratio
from local.process import end, free_port, spawn
from local.stack import ROOT

PER_SECOND = 200.0
BARE, CONTACTS, CAMPAIGN = "bare", "contacts?limit=100", "GET campaign"
GOALS = {CONTACTS: 2.5, CAMPAIGN: 2.0}


def measure(quick: bool) -> Sequence[Row]:
    """In turns, of one worker."""
    with stand() as at, served(at) as (base, pid):
        made = load(at, 1, 200)
        (campaign,) = made.campaigns
        url = f"{base}/api/v1/campaigns/{campaign}"
        urls = {BARE: f"{base}/bare", CONTACTS: f"{url}/contacts?limit=100", CAMPAIGN: url}
        each: dict[str, list[float]] = {name: [] for name in urls}
        for _ in range(rounds(quick)):
            for name, found in each.items():
                before = of_family(pid)
                answers = ask_by_turns(urls[name], at.key, PER_SECOND, seconds(quick), tenant=made.tenant.id)
                assert not answers.failed, f"{answers.failed} of {len(answers.seconds)} failed: {urls[name]}"
                found.append((of_family(pid) - before) / len(answers.seconds))
    return [
        goal_at_most(
            f"CPU of a web worker for {name}",
            median_ratio(each[name], each[BARE]),
            goal,
            f"{{}}: {median(each[BARE]) * 1e6:.0f} µs; ours {median(each[name]) * 1e6:.0f} µs",
        )
        for name, goal in GOALS.items()
    ]


@contextmanager
def served(at: Stand) -> Iterator[tuple[str, int]]:
    """One more web server of this installation, with the route that costs nothing: its address and its process."""
    port = free_port()
    argv = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "bench.api_app:wsgi()"]
    process = spawn(argv, cwd=ROOT, env=at.environ | {"PORT": str(port), "WEB_CONCURRENCY": "1"})
    base = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: ask(f"{base}/bare", ""), "the web server")
        yield base, process.pid
    finally:
        end(process, signal.SIGTERM, grace=5.0)
