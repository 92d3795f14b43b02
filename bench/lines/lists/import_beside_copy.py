"""A list of 100,000 that is uploaded, beside a bare COPY of its rows; and those who ask meanwhile."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

import gevent
import psycopg

from bench.asking import asking
from bench.stand import Stand, rounds, seconds, stand
from bench.table import Row, goal_at_most
from bench.windows import median_ratio, percentile
from tests.e2e.rig import Tenant, new_tenant

PER_SECOND = 50.0
BARE = (
    "CREATE TABLE bare (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), campaign_id uuid, position int, phone_number"
    " text, status text DEFAULT 'pending', custom_fields jsonb, created_at timestamptz DEFAULT now())"
)
COPY = "COPY bare (campaign_id, position, phone_number, custom_fields) FROM STDIN"


def measure(quick: bool) -> Sequence[Row]:
    """One web worker; in turns with the COPY, which writes the same rows into a table with one index."""
    count = 20_000 if quick else 100_000
    with stand() as at:
        tenant = new_tenant(at)
        at.command(BARE)
        url = f"{at.web_url}/api/v1/campaigns"
        with asking(url, at.key, PER_SECOND) as at_rest:
            gevent.sleep(seconds(quick))
        imports, copies, meanwhile, failed = [], [], [], 0
        for turn in range(1 if quick else rounds(quick) // 2):
            copies.append(copied(at, count))
            imports.append(uploaded(tenant, count, turn))
            with asking(url, at.key, PER_SECOND) as beside:
                uploaded(tenant, count, turn)
            meanwhile.append(percentile(beside.seconds, 0.99))
            failed += beside.failed
    rest = percentile(at_rest.seconds, 0.99) * 1000
    what = f"an upload of {count:,}"
    return [
        goal_at_most(
            what,
            median_ratio(imports, copies),
            2.5,
            f"a bare COPY: {median(copies):.2f} s; ours {median(imports):.2f} s",
        ),
        goal_at_most(
            f"p99 of others' requests during {what}",
            median(meanwhile) * 1000,
            50.0,
            f"at rest: {rest:.0f} ms; {PER_SECOND:.0f} requests a second, one worker",
            "ms",
        ),
        goal_at_most(f"others' requests that failed during {what}", float(failed), 0.0, "none", ""),
    ]


def numbers(count: int, turn: int) -> list[str]:
    """So many valid numbers."""
    return [f"+1415{5_000_000 + n:07d}" for n in range(turn, count + turn)]


def uploaded(tenant: Tenant, count: int, turn: int) -> float:
    """Seconds that a campaign of so many takes to be made."""
    lines = ["phone_number,first_name", *(f"{number},Ada" for number in numbers(count, turn))]
    body = "\n".join(lines).encode()
    began = time.monotonic()
    tenant.upload(body)
    return time.monotonic() - began


def copied(at: Stand, count: int) -> float:
    """Seconds that the same rows take without us."""
    rows = [
        f'00000000-0000-0000-0000-000000000001\t{index}\t{number}\t{{"first_name": "Ada"}}\n'
        for index, number in enumerate(numbers(count, 0))
    ]
    with psycopg.connect(at.database_url) as connection:
        began = time.monotonic()
        with connection.cursor().copy(COPY) as copy:
            copy.write("".join(rows))
        connection.commit()
        return time.monotonic() - began
