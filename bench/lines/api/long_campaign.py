"""The contacts of one status of a campaign of a million: first page and middle, beside those of a thousand.

Two such campaigns: of one every second contact was cancelled; of the other the first half was called, and nobody
behind the middle has ended.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from statistics import median

from bench.asking import ask
from bench.stand import Load, Stand, load, stand
from bench.table import Row, goal_at_most
from bench.windows import median_ratio

SHORT = 1_000
CANCELLED = {"pending": "n % 2 = 1", "cancelled": "true"}
HALF_CALLED = {"pending": "2 * n >= {count}", "failed": "n % 4 = 0", "completed": "true"}
"""Of each status those of whom this, and nothing before it, is true."""
STATUSES = (
    ("pending", CANCELLED),
    ("cancelled", CANCELLED),
    ("completed", HALF_CALLED),
    ("failed", HALF_CALLED),
)
PAGES = 40


def measure(quick: bool) -> Sequence[Row]:
    """Page by page, in turns."""
    count = 50_000 if quick else 1_000_000
    with stand() as at:
        campaigns = {
            id(shares): (filled(at, SHORT, shares), filled(at, count, shares))
            for shares in (CANCELLED, HALF_CALLED)
        }
        at.command("VACUUM ANALYZE contact")
        rows: list[Row] = []
        for status, shares in STATUSES:
            short, long = campaigns[id(shares)]
            for place, share in (("first page", 0.0), ("middle", 0.5)):
                urls = [page(at, one, status, share) for one in (short, long)]
                theirs, ours = [], []
                for _ in range(PAGES):
                    theirs.append(took(urls[0], at.key, short))
                    ours.append(took(urls[1], at.key, long))
                rows.append(
                    goal_at_most(
                        f"{place} of the {status} of {count:,}",
                        median_ratio(ours, theirs),
                        1.3,
                        f"of {SHORT:,}: {median(theirs) * 1000:.1f} ms; ours {median(ours) * 1000:.1f} ms",
                    )
                )
    return rows


def filled(at: Stand, count: int, shares: Mapping[str, str]) -> Load:
    """A campaign of so many in these states, put there without an import."""
    made = load(at, 1, 1)
    (campaign,) = made.campaigns
    cases = [f"WHEN {which.format(count=count)} THEN '{status}'" for status, which in shares.items()]
    others = {
        "id": "gen_random_uuid()",
        "position": "n + 1",
        "phone_number": "'+1' || 2000000000 + n",
        "status": f"CASE {' '.join(cases)} END",
    }
    at.copy_rows("contact", count - 1, others, where=f"campaign_id = '{campaign}'")
    counted = [f"count(*) FILTER (WHERE status = '{status}')" for status in shares]
    at.command(
        f"UPDATE campaign_count SET ({', '.join(shares)}) = (SELECT {', '.join(counted)}"
        f" FROM contact WHERE campaign_id = '{campaign}') WHERE campaign_id = '{campaign}'"
    )
    return made


def page(at: Stand, of: Load, status: str, share: float) -> str:
    """The address of a page that begins after this share of the list."""
    (campaign,) = of.campaigns
    url = f"{at.web_url}/api/v1/campaigns/{campaign}/contacts?status={status}&limit=100"
    if not share:
        return url
    ((contact,),) = at.sql(
        f"SELECT id::text FROM contact WHERE campaign_id = '{campaign}' AND position >= {share} *"
        f" (SELECT max(position) FROM contact WHERE campaign_id = '{campaign}') ORDER BY position LIMIT 1"
    )
    return f"{url}&starting_after={contact}"


def took(url: str, key: str, of: Load) -> float:
    """Seconds that a page takes."""
    began = time.monotonic()
    assert ask(url, key, tenant=of.tenant.id)
    return time.monotonic() - began
