"""How much slower a campaign is dialled beside two hundred open boards on one web worker, window by window.

A board is its event stream and what its page reads again; one more is a real browser where there is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median

from bench.boards import Asked, Boards, signed_in
from bench.browsing import Watching, missing
from bench.listeners import Listeners
from bench.stand import Load, Stand, Window, account, load, rounds, seconds, stand
from bench.table import Row, goal_at_least, goal_at_most, shown
from bench.windows import median_ratio, within

PER_SECOND = 100
WARM_UP_SECONDS = 3.0
LEAST = 0.97


def measure(quick: bool) -> Sequence[Row]:
    """In turns, of one campaign."""
    boards = 50 if quick else 200
    length = rounds(quick) * 2 * (seconds(quick) + WARM_UP_SECONDS + 4)
    with stand() as at:
        dialled = load(at, 1, round(PER_SECOND * length * 1.3), gateway={"cps": PER_SECOND})
        key = dialled.tenant.api.post("/api/v1/api-keys", {"name": "boards", "role": "read"})["key"]
        beside: list[Window] = []
        alone: list[Window] = []
        asked: list[Asked] = []
        for _ in range(rounds(quick)):
            alone.append(window(at, dialled, quick))
            with opened(at, dialled, key, boards) as crowd:
                beside.append(window(at, dialled, quick))
                asked.append(crowd.asked())
        placed = account(dialled).placed_at
        rates = [
            [within(placed, one.began, one.ended) / one.seconds for one in each] for each in (beside, alone)
        ]
    browser = missing() or "one of them a browser"
    answers = sum(one.answers for one in asked)
    return [
        goal_at_least(
            f"calls placed beside {boards} open boards, at {PER_SECOND} a second",
            median_ratio(rates[0], rates[1]),
            LEAST,
            f"without: {median(rates[1]):.1f} a second; with {median(rates[0]):.1f}; {browser}",
        ),
        shown(
            f"p95 of what {boards} boards read again",
            median(one.p95 for one in asked),
            "ms",
            f"{answers:,} answers; p50 {median(one.p50 for one in asked):.0f} ms; the web worker used"
            f" {median(one.spent.feeder / one.seconds for one in beside):.2f} of a core",
        ),
        goal_at_most(
            f"of what {boards} boards read again failed",
            sum(one.failed for one in asked),
            0.0,
            f"{answers:,} answers",
            "",
        ),
    ]


def window(at: Stand, dialled: Load, quick: bool) -> Window:
    """One in which it is dialled."""
    with dialled.dialled(WARM_UP_SECONDS):
        return at.window(seconds(quick))


@contextmanager
def opened(at: Stand, dialled: Load, key: str, count: int) -> Iterator[Boards]:
    """So many boards at the page of the campaign."""
    (campaign,) = dialled.campaigns
    port = int(at.web_url.rpartition(":")[2])
    cookie = signed_in(port, key)
    with ExitStack() as stack:
        crowd = stack.enter_context(Listeners(port, [f"/api/v1/campaigns/{campaign}/events"], key, count))
        crowd.wait_ready(lambda: None)
        boards = stack.enter_context(Boards(port, cookie, campaign, count))
        if not missing():
            stack.enter_context(Watching(cookie, f"{at.web_url}/campaigns/{campaign}"))
        yield boards
