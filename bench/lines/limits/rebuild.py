"""How long nobody dials after Redis has lost its memory: the limiter made whole from the calls' rows.

Ten million of them with CARILLON_BENCH_CALL_ROWS=10000000, a million otherwise; beside a table that is all but empty.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from statistics import median

import redis

from bench.stand import Stand, load, stand, wait_for
from bench.table import Row, goal_at_most
from limits.keys import Keys

ROWS = "CARILLON_BENCH_CALL_ROWS"
FULL, QUICK = 1_000_000, 20_000
SENDS = 30_000
"""For each contact: a seq is a small number."""
TRIES = 3


def measure(quick: bool) -> Sequence[Row]:
    """Before and after the rows are there."""
    count = QUICK if quick else int(os.environ.get(ROWS, FULL))
    with stand() as at:
        dialled = load(at, 1, 1, ending="01")
        dialled.start()
        wait_for(lambda: dialled.over() == 1, "one call")
        empty = median(rebuilt(at) for _ in range(TRIES))
        copy_calls(at, count)
        full = median(rebuilt(at) for _ in range(TRIES))
    return [
        goal_at_most(
            f"nobody dials after Redis lost its memory, {count:,} call rows",
            full,
            empty + 1.0,
            f"1 row: {empty:.2f} s; {full - empty:+.2f} s",
            "s",
        )
    ]


def rebuilt(at: Stand) -> float:
    """Seconds from a state that is void, as after a loss of memory, to one that is whole."""
    epoch = Keys(at.settings.redis_prefix).epoch
    with redis.Redis.from_url(at.redis_url) as client:
        wait_for(lambda: client.exists(epoch), "a whole limiter")
        client.delete(epoch)
        began = time.monotonic()
        wait_for(lambda: client.exists(epoch), "a limiter that is whole again")
        return time.monotonic() - began


def copy_calls(at: Stand, count: int) -> None:
    """So many rows like the one that is there, of the last thirty days, each contact with thousands of them."""
    ((first,),) = at.sql("SELECT id::text FROM contact")
    contacts = -(-count // SENDS)
    at.copy_rows(
        "contact",
        contacts - 1,
        {"id": "gen_random_uuid()", "position": "n + 1", "phone_number": "'+1' || 2000000000 + n"},
    )
    at.command("ALTER TABLE call SET (autovacuum_enabled = off)")
    when = f"now() - make_interval(secs => 61 + n * {30 * 86_400.0 / SENDS})"
    moments = dict.fromkeys(("created_at", "sent_at", "ended_at"), when)
    for (contact,) in at.sql("SELECT id::text FROM contact ORDER BY position"):
        rows = min(SENDS, count)
        count -= rows
        same = {
            "id": "gen_random_uuid()",
            "contact_id": f"'{contact}'::uuid",
            "seq": "n + 1",
            "attempt": "NULL",
        }
        at.copy_rows("call", rows, same | moments, where=f"contact_id = '{first}' AND seq = 1")
    at.command("VACUUM ANALYZE call")
