"""What do-not-call lists of ten million entries add to a claim: CPU time of this process and of its backend, beside
the same claim without looking at them, in turns."""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from unittest import mock

from bench.recording import OWNER, Cpu, database
from bench.table import Bound, Figure, Row
from campaigns.number_hash import NumberHash
from dialer.dispatch import claims
from dialer.dispatch.claims import ClaimRequest, claim
from models import db, new_id, rows
from tests.factories import World, make_campaign

IN_PAIRS = True

ENTRIES, QUICK_ENTRIES = 10_000_000, 1_000_000
PREFIXES, ERASED = 1_000, 10_000
ROUNDS, QUICK_ROUNDS = 100, 30
BATCH = 50
MOST, KEEPS = 5.0, 15.0
"""Per cent."""

# Half of them the platform's; contacts have the even numbers between them, so that none is suppressed.
_ENTRIES = """
INSERT INTO suppression (id, scope, number, source, created_by)
SELECT gen_random_uuid(), CASE WHEN n %% 2 = 0 THEN '*' ELSE 'demo' END, '+1' || (2000000001 + 2 * n), 'bench', 'x'
FROM generate_series(1, {count}) AS n"""
_PREFIXES = """
INSERT INTO suppression (id, scope, prefix, source, created_by)
SELECT gen_random_uuid(), 'demo', '+44' || (100000 + n), 'bench', 'bench' FROM generate_series(1, {count}) AS n"""
_ERASED = """
INSERT INTO suppression (id, scope, digest, source, created_by)
SELECT gen_random_uuid(), 'demo', sha256(n::text::bytea), 'bench', 'bench' FROM generate_series(1, {count}) AS n"""
_CONTACT = "INSERT INTO contact (id, campaign_id, position, phone_number) VALUES (%s, %s, %s, %s)"
_NOT_SUPPRESSED = f"        AND NOT {claims.SUPPRESSED}\n"
HASH = NumberHash("a pepper for the bench")


def measure(quick: bool) -> Sequence[Row]:
    """Claims of fifty, by turns with the look at the lists and without it."""
    entries, rounds = (QUICK_ENTRIES, QUICK_ROUNDS) if quick else (ENTRIES, ROUNDS)
    with database() as world:
        with db.connection_context():
            for statement, count in ((_ENTRIES, entries), (_PREFIXES, PREFIXES), (_ERASED, ERASED)):
                db.execute_sql(statement.format(count=count))
        campaign_id, contacts = _campaign(world, entries, 2 * (rounds + 10) * BATCH)
        with db.connection_context():
            db.execute_sql("VACUUM (ANALYZE)")
        cpu = Cpu()
        took: dict[bool, list[float]] = {True: [], False: []}
        for number in range(rounds + 10):
            for looks in random.sample((True, False), 2):
                batch = [contacts.pop() for _ in range(BATCH)]
                with _looking(looks):
                    began = cpu.seconds()
                    claimed = claim(OWNER, [_wanted(campaign_id, *one) for one in batch], number_hash=HASH)
                    if number >= 10:
                        took[looks].append(cpu.seconds() - began)
                assert len(claimed) == BATCH
    ours, theirs = median(took[True]), median(took[False])
    more = (ours / theirs - 1) * 100 if theirs else math.nan
    without, with_them = (seconds / BATCH * 1e6 for seconds in (theirs, ours))
    beside = f"without: {without:.0f} µs of CPU a call; with {entries:,} entries {with_them:.0f}"
    what = "what do-not-call lists add to a claim"
    return [Figure(what, more, "%", Bound.AT_MOST, MOST, beside, goal=True, keeps=KEEPS)]


@contextmanager
def _looking(looks: bool) -> Iterator[None]:
    """The claim as it is, or without the lists."""
    assert _NOT_SUPPRESSED in claims.CLAIM
    without = claims.CLAIM.replace(_NOT_SUPPRESSED, "")
    with mock.patch.object(claims, "CLAIM", claims.CLAIM if looks else without):
        yield


def _campaign(world: World, entries: int, count: int) -> tuple[str, list[tuple[str, str]]]:
    """One with so many contacts, whose numbers lie anywhere among those of the entries: ids and numbers."""
    campaign_id: uuid.UUID = make_campaign(world, 0)
    chosen = random.Random(1).sample(range(entries), count)
    contacts = [(str(new_id()), f"+1{2_000_000_000 + 2 * n}") for n in chosen]
    with db.connection_context(), db.atomic():
        for position, (contact_id, number) in enumerate(contacts):
            rows(_CONTACT, contact_id, campaign_id, position, number)
        rows("UPDATE campaign_count SET pending = %s WHERE campaign_id = %s", count, campaign_id)
    return str(campaign_id), contacts


def _wanted(campaign_id: str, contact_id: str, number: str) -> ClaimRequest:
    return ClaimRequest(
        campaign_id, 0, contact_id, str(new_id()), "fs1", None, str(new_id()), 0, phone_number=number
    )
