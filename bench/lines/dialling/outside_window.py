"""Reading who is due, and when the next is, while a million are outside their calling window, beside nobody.

One group of contacts is within its window, and the others are outside, in twenty groups.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import psycopg

from bench.stand import Stand, load, stand
from bench.table import Row, goal_at_most
from bench.windows import median_ratio
from campaigns.opening_tables import LABEL
from dialer.dispatch import due as reading

INSIDE, READ = 1_000, 200
GROUPS = 20
TURNS = 200
WINDOWS = '[{"days": ["mon"], "from": "00:00", "to": "24:00"}]'


def measure(quick: bool) -> Sequence[Row]:
    """Turn by turn."""
    count = 50_000 if quick else 1_000_000
    with stand() as at:
        nobody, few, many = filled(at, 0), filled(at, GROUPS), filled(at, count)
        at.command("VACUUM ANALYZE contact")
        with psycopg.connect(at.database_url, autocommit=True) as connection:

            def due(campaign: str) -> None:
                wanted = reading.due_parameters({campaign: READ}, (0, 1))
                assert len(connection.execute(reading.DUE.encode(), wanted).fetchall()) == READ

            def next_due(campaign: str) -> None:
                assert connection.execute(reading.NEXT_DUE.encode(), ([campaign],)).fetchall()

            rows = [beside(f"who is due of {count:,} outside", due, nobody, many)]
            # Nobody who is within is left: the next opening is looked for among all groups.
            connection.execute(b"UPDATE contact SET status = 'failed' WHERE zone_group = 0")
            connection.execute(b"VACUUM ANALYZE contact")
            rows.append(beside(f"when the next is due of {count:,} outside", next_due, few, many))
    return rows


def filled(at: Stand, outside: int) -> str:
    """A campaign of which INSIDE contacts are within their window and so many are not; its id."""
    (campaign,) = load(at, 1, 1).campaigns
    where = f"campaign_id = '{campaign}'"
    contact = {"id": "gen_random_uuid()", "position": "n + 1", "phone_number": "'+1' || 2000000000 + n"}
    contact["zone_group"] = f"CASE WHEN n >= {INSIDE} THEN 1 + n % {GROUPS} ELSE 0 END"
    at.copy_rows("contact", INSIDE - 1 + outside, contact, where=where)
    window = f"windows = '{WINDOWS}', time_zone = 'UTC', openings_by = '{LABEL}'"
    at.command(f"UPDATE campaign SET {window} WHERE id = '{campaign}'")
    at.command(f"UPDATE contact SET zone_group = 0 WHERE {where} AND position = 1")
    at.command(f"DELETE FROM campaign_zone WHERE {where}")
    at.command(
        f"INSERT INTO campaign_zone SELECT '{campaign}', n, '[]' FROM generate_series(0, {GROUPS}) AS n"
    )
    at.command(
        f"INSERT INTO opening SELECT '{campaign}', n, now() + day * interval '1 day' + CASE n WHEN 0 THEN"
        " interval '-1 h' ELSE interval '8 h' END, now() + day * interval '1 day' + interval '16 h'"
        f" FROM generate_series(0, {GROUPS}) AS n, generate_series(0, 14) AS day"
    )
    return str(campaign)


def beside(what: str, ask: Callable[[str], None], nobody: str, many: str) -> Row:
    """How much longer it takes."""
    theirs, ours = [], []
    for _ in range(TURNS):
        theirs.append(took(ask, nobody))
        ours.append(took(ask, many))
    told = f"of none: {median(theirs) * 1000:.2f} ms; ours {median(ours) * 1000:.2f} ms"
    return goal_at_most(what, median_ratio(ours, theirs), 1.3, told)


def took(ask: Callable[[str], None], campaign: str) -> float:
    """Seconds that one question takes."""
    began = time.monotonic()
    ask(campaign)
    return time.monotonic() - began
