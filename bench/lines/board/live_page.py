"""How late the end of a call at the switch is on the screen of a browser, at two hundred calls a second; and how long
a thousand changes a second keep its page from answering whoever looks at it, beside none."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import gevent
from redis import Redis

from bench.boards import signed_in
from bench.browsing import Watching, missing
from bench.stand import Stand, load, seconds, settled, stand
from bench.table import Row, Unmeasured, goal_at_most
from bench.windows import percentile
from live.publisher import Publisher
from live.stream_events import StreamEvent
from models import new_id
from tests.e2e.rig import Api

MOST_MS, MOST_TASK_MS = 1_000.0, 200.0
CHANGES = 1_000
AT_ONCE = 20
"""Changes that are published together, as dialers do."""
WARM_UP_SECONDS = 3.0


def measure(quick: bool) -> Sequence[Row]:
    """A campaign that is dialled, then one of which only the stream tells."""
    per_second = 40 if quick else 200
    rows = f"p95 from the end of a call at the switch to its row on the screen, {per_second} calls a second"
    task = f"longest task of a page at {CHANGES:,} changes a second"
    if why := missing():
        return [Unmeasured(what, why, passes=True) for what in (rows, task)]
    with stand() as at:
        return [
            goal_at_most(rows, *lateness(at, per_second, quick), unit="ms"),
            goal_at_most(task, *longest(at, quick), unit="ms"),
        ]


def lateness(at: Stand, per_second: int, quick: bool) -> tuple[float, float, str]:
    """Of the calls whose rows were drawn: the figure, its bound, and what stands beside it."""
    length = 2 * seconds(quick)
    made = load(at, 1, round(per_second * (length + WARM_UP_SECONDS + 6) * 1.5), gateway={"cps": per_second})
    with watching(at, made.campaigns[0], made.tenant.api) as browser:
        with made.dialled(WARM_UP_SECONDS):
            window = at.window(length)
        found = settled(made)
        watched = browser.watched()
    ended = {call: moment for call, moment in found.ended.items() if window.began <= moment < window.ended}
    late = [(drawn - ended[call]) * 1000 for call, drawn in watched.rows if call in ended]
    if not late:
        raise RuntimeError("the page drew no row of a call")
    p50, p95 = (percentile(late, share) for share in (0.5, 0.95))
    beside = (
        f"{len(late)} rows of {len(ended) / window.seconds:.0f} calls that ended a second; p50 {p50:.0f} ms"
    )
    return p95, MOST_MS, beside


def longest(at: Stand, quick: bool) -> tuple[float, float, str]:
    """Of the page while nothing happens, and while everything does."""
    made = load(at, 1, 100)
    (campaign,) = made.campaigns
    with watching(at, campaign, made.tenant.api) as browser:
        gevent.sleep(seconds(quick))
        calm = browser.watched().longest
    with watching(at, campaign, made.tenant.api) as browser, Redis.from_url(at.redis_url) as client:
        publisher, told = Publisher(client, at.settings.redis_prefix), itertools.count()
        began, sent = time.monotonic(), round(2 * seconds(quick) * CHANGES / AT_ONCE)
        for turn in range(sent):
            gevent.sleep(max(0.0, began + turn * AT_ONCE / CHANGES - time.monotonic()))
            publisher.publish([change(campaign, next(told)) for _ in range(AT_ONCE)])
        rate = sent * AT_ONCE / (time.monotonic() - began)
        busy = browser.watched().longest
    return busy, MOST_TASK_MS, f"while nothing happens: {calm:.0f} ms; {rate:,.0f} a second were told"


def change(campaign: str, number: int) -> StreamEvent:
    """The steps of calls, each of somebody else."""
    status = ("originated", "connected", "completed", "failed")[number % 4]
    ended = status in ("completed", "failed")
    contact = str(new_id())
    payload = {
        "campaign_id": campaign, "contact_id": contact, "phone_number": f"+1202555{number % 10_000:04}",
        "status": status,
        "disposition": ("answered" if status == "completed" else "busy") if ended else None, "attempt": 1,
        "call_id": str(new_id()), "cause": "NORMAL_CLEARING" if ended else None,
        "at": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
    }  # fmt: skip
    return StreamEvent(campaign, contact, 1, payload)


@contextmanager
def watching(at: Stand, campaign: str, api: Api) -> Iterator[Watching]:
    """A browser at the page of a campaign, with a key of its tenant."""
    key = api.post("/api/v1/api-keys", {"name": "board", "role": "operate"})["key"]
    cookie = signed_in(int(at.web_url.rpartition(":")[2]), key)
    with Watching(cookie, f"{at.web_url}/campaigns/{campaign}") as browser:
        yield browser
