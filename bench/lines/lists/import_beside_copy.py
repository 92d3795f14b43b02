"""A list of 100,000 that is uploaded, beside a bare COPY of its rows; and those who ask meanwhile."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import gevent
import psycopg

from bench.asking import asking
from bench.stand import Stand, rounds, seconds, stand
from bench.table import Row, goal_at_most
from bench.windows import median_ratio, percentile
from tests.e2e.rig import Tenant, new_tenant

PER_SECOND = 50.0
BARE = "CREATE TABLE bare (LIKE contact INCLUDING ALL)"
COPY = "COPY bare (id, campaign_id, position, phone_number, custom_fields) FROM STDIN"


def measure(quick: bool) -> Sequence[Row]:
    """One web worker; in turns with the COPY, which writes the same rows into a table like theirs."""
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
            imports.append(uploaded(at, tenant, count, turn))
            with asking(url, at.key, PER_SECOND) as beside:
                uploaded(at, tenant, count, turn)
            meanwhile.append(percentile(beside.seconds, 0.99))
            failed += beside.failed
    rest = percentile(at_rest.seconds, 0.99) * 1000
    what = f"an upload of {count:,}"
    return [
        goal_at_most(
            f"CPU of {what}",
            median_ratio([one.cpu for one in imports], [one.cpu for one in copies]),
            2.5,
            f"a bare COPY: {median(one.cpu for one in copies):.2f} s, ours"
            f" {median(one.cpu for one in imports):.2f} s; by the clock"
            f" {median(one.clock for one in copies):.2f} and {median(one.clock for one in imports):.2f} s",
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


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of CPU of all that took part, and by the clock."""

    cpu: float
    clock: float


def uploaded(at: Stand, tenant: Tenant, count: int, turn: int) -> Took:
    """What it takes to make a campaign of so many: web and PostgreSQL."""
    lines = ["phone_number,first_name", *(f"{number},Ada" for number in numbers(count, turn))]
    body = "\n".join(lines).encode()
    before = at.spent()
    tenant.upload(body)
    spent = at.spent().since(before)
    return Took(spent.feeder + spent.postgres, spent.clock)


def copied(at: Stand, count: int) -> Took:
    """What the same rows take without us: this process and PostgreSQL."""
    campaign = uuid.uuid4()
    rows = [
        f'{uuid.uuid4()}\t{campaign}\t{index}\t{number}\t{{"first_name": "Ada"}}\n'
        for index, number in enumerate(numbers(count, 0))
    ]
    with psycopg.connect(at.database_url) as connection:
        before, own = at.spent(), time.process_time()
        with connection.cursor().copy(COPY) as copy:
            copy.write("".join(rows))
        connection.commit()
        spent = at.spent().since(before)
        return Took(time.process_time() - own + spent.postgres, spent.clock)
