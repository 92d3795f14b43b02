"""How soon a browser on the same machine has painted the people of a campaign of a million; beside one of 1,000."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.boards import signed_in
from bench.browsing import missing, paints
from bench.stand import Stand, load, rounds, stand
from bench.table import Row, Unmeasured, goal_at_most

MOST_MS = 500.0
FEW = 1_000
LOOKS = ("", "?status=pending", "?status=failed", "?disposition=busy&order=newest", "?order=newest")
"""As the list is, and by what is asked of it."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A campaign, and a key of its tenant."""

    campaign: str
    key: str


def measure(quick: bool) -> Sequence[Row]:
    """Page by page, in turns."""
    people = 50_000 if quick else 1_000_000
    what = f"first paint of a page of {people:,} contacts"
    if why := missing():
        return [Unmeasured(what, why, passes=True)]
    with stand() as at:
        lists = {count: filled(at, count) for count in (people, FEW)}
        at.command("VACUUM ANALYZE")
        port = int(at.web_url.rpartition(":")[2])
        worst = {}
        for count, one in lists.items():
            pages = [f"{at.web_url}/campaigns/{one.campaign}/contacts{look}" for look in LOOKS]
            found = paints(signed_in(port, one.key), 2 * rounds(quick), pages)
            worst[count] = max(median(each) for each in found.values())
    beside = f"of {FEW:,}: {worst[FEW]:.0f} ms; the slowest of {len(LOOKS)} pages"
    return [goal_at_most(what, worst[people], MOST_MS, beside, "ms")]


def filled(at: Stand, people: int) -> Filled:
    """A campaign of so many contacts: half of them wait, and of the others one in five was busy and is not called
    again."""
    made = load(at, 1, 1)
    (campaign,) = made.campaigns
    ended = "CASE WHEN n % 2 = 0 THEN 'pending' WHEN n % 5 = 0 THEN 'failed' ELSE 'completed' END"
    how = "CASE WHEN n % 2 = 0 THEN NULL WHEN n % 5 = 0 THEN 'busy' ELSE 'answered' END"
    contact = {"id": "gen_random_uuid()", "position": "n + 1", "phone_number": "'+1' || 2000000000 + n"}
    contact |= {"status": ended, "disposition": how}
    at.copy_rows("contact", people - 1, contact, where=f"campaign_id = '{campaign}'")
    key = made.tenant.api.post("/api/v1/api-keys", {"name": "board", "role": "read"})["key"]
    return Filled(campaign, key)
