"""What whether, when and how often somebody may be called costs: CPU for a call of a campaign with windows, with
do-not-call lists, with caps on its numbers and with policy packs, beside one with none of these.

Two tenants of one installation, whose campaigns are dialled in turns as fast as one dialer can. Both have the same
people in the United Kingdom, whose pack asks each claim for two rests and bars no hour of the day.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from statistics import median

from bench.lines.dialling.a_call import ended_in, micro
from bench.stand import UNLIMITED, Load, Stand, Window, account, rounds, seconds, stand
from bench.table import Row, goal_at_least, goal_at_most
from bench.windows import median_ratio
from tests.e2e.rig import PARK, new_tenant

ENTRIES, QUICK_ENTRIES = 10_000_000, 1_000_000
CONTACTS, QUICK_CONTACTS = 50_000, 8_000
NUMBER_CAPS = {
    "number_gap_seconds": 60,
    "number_calls_24h": 3,
    "number_calls_7d": 7,
    "number_calls_30d": 20,
}
NO_CAPS = dict.fromkeys(("concurrent_max", "calls_per_minute", "daily_calls_max", "daily_minutes_max"))
# Beside the numbers that are called: none of these is suppressed.
_ENTRIES = """
INSERT INTO suppression (id, scope, number, source, created_by)
SELECT gen_random_uuid(), '*', '+44208' || lpad(n::text, 7, '0'), 'bench', 'bench'
FROM generate_series(0, {last}) AS n"""


def measure(quick: bool) -> Sequence[Row]:
    """Turn by turn."""
    entries, contacts = (QUICK_ENTRIES, QUICK_CONTACTS) if quick else (ENTRIES, CONTACTS)
    with stand() as at:
        at.command(_ENTRIES.format(last=entries - 1))
        loads = {False: _load(at, contacts, bound=False), True: _load(at, contacts, bound=True)}
        at.command("VACUUM (ANALYZE)")
        spent: dict[bool, list[Window]] = {False: [], True: []}
        for turn in range(2 * rounds(quick)):
            bound = turn % 2 == 1
            began = at.spent()
            with loads[bound].dialled():
                at.window(seconds(quick))
            ended = at.spent()
            spent[bound].append(Window(began.clock, ended.clock, ended.since(began)))
            assert loads[bound].left(), "the list was at its end"
        calls = {bound: ended_in(account(load), spent[bound]) for bound, load in loads.items()}
    cpu = {
        bound: [one.spent.ours / count for one, count in zip(spent[bound], calls[bound], strict=True)]
        for bound in loads
    }
    rate = {
        bound: [count / one.seconds for one, count in zip(spent[bound], calls[bound], strict=True)]
        for bound in loads
    }
    postgres = [one.spent.postgres / count for one, count in zip(spent[True], calls[True], strict=True)]
    return [
        goal_at_most(
            "CPU for a call with windows, lists, number caps and packs",
            median_ratio(cpu[True], cpu[False]),
            1.1,
            f"without: {micro(cpu[False])}; with {entries:,} entries {micro(cpu[True])}, of which PostgreSQL "
            f"{micro(postgres)}",
        ),
        goal_at_least(
            "calls by one dialer with these",
            median_ratio(rate[True], rate[False]),
            0.9,
            f"without: {median(rate[False]):.0f} a second; with them {median(rate[True]):.0f}",
        ),
    ]


def _load(at: Stand, contacts: int, *, bound: bool) -> Load:
    """A tenant with one campaign, in draft, `bound` by all that can bind it."""
    tenant = new_tenant(at, action=PARK)
    fields: dict[str, object] = {"max_concurrent_calls": UNLIMITED}
    if bound:
        tenant.api.put("/api/v1/call-limits", NO_CAPS | NUMBER_CAPS)
        fields |= {
            "windows": json.dumps([{"from": "00:00", "to": "24:00"}]),
            "time_zone": "Europe/London",
            "purpose": "sales",
            "policy_packs": "on",
        }
    # Each answers after 0.1 s and talks for 2.
    called = [f"+44207{number:05}10" for number in range(contacts)]
    return Load(at, tenant, [tenant.campaign(called, **fields)], contacts)
