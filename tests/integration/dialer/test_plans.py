"""What the statements on calls and contacts read: rows that they are about, and nobody else's.

The tables of a statement's plan are of the size at which reading all of one would show. A statement that names one of
them is in the list below, or says why not.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from api.routes import cdr
from api.routes import dialers as dialers_api
from api.routes import nodes as nodes_api
from campaigns import (
    call_counts,
    calls_to_end,
    expiry,
    lifecycle,
    preflight,
    single_calls,
    stopping,
    suppressed_contacts,
)
from database import BY_ID
from dialer import call_rows, identity, lookout, process, shut_retries
from dialer.capacity import limiter_snapshot
from dialer.dispatch import plan_rows
from dialer.record import cdr_correction, cdr_inbox, locked_rows, outcome_rows
from dialer.record.outcome_rows import Answered, Seen, items_of
from dialer.recovery import audit, delivery_unknown, hangup_markers, maybe_live, takeover
from limits.caps import LONGEST_WINDOW_SECONDS
from models import connect, db, new_id
from tests.databases import Databases
from tests.factories import World, make_campaign, make_world
from tests.integration.dialer.test_claims_and_outcomes import DIALER, ended

ROOT = Path(__file__).parents[3]
NAMES_A_TABLE = re.compile(r"\b(?:FROM|JOIN|UPDATE) (?:call|contact)\b")
GROUP = 100
MOST_FOR_EACH = 40
"""Rows that the steps of a plan may read for each call of the group."""
OURS, THEIRS, OVER = 150, 2_850, 60_000

CALLS_IN_FLIGHT = """
WITH claimed AS (
    INSERT INTO contact (id, campaign_id, position, phone_number, status, attempts, sends, version, call_id)
    SELECT gen_random_uuid(), %(campaign)s, n, '+1415' || n, 'originated', 1, 1, 1, gen_random_uuid()
    FROM generate_series(1, %(count)s) AS n RETURNING *
)
INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, attempt, generation, phone_number, caller_id,
    gateway_id, node, dialer_id, sent_by, sent_at)
SELECT call_id, %(tenant)s, campaign_id, id, 1, 1, 1, phone_number, '+14155550100', %(gateway)s, 'fs1', %(owner)s,
    %(owner)s, now() FROM claimed
RETURNING id::text
"""
CALLS_OVER = """
WITH over AS (
    INSERT INTO contact (id, campaign_id, position, phone_number, status, disposition, attempts, sends, version)
    SELECT gen_random_uuid(), %(campaign)s, n, '+1415' || n, 'failed', 'outcome_unknown', 1, 1, 3
    FROM generate_series(1, %(count)s) AS n RETURNING *
)
INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, attempt, generation, phone_number, caller_id,
    gateway_id, node, dialer_id, sent_by, created_at, sent_at, state, ended_at, disposition, cause)
SELECT gen_random_uuid(), %(tenant)s, campaign_id, id, 1, 1, 1, phone_number, '+14155550100', %(gateway)s, 'fs1',
    %(owner)s, %(owner)s, now() - interval '2 days', now(), 'ended', now(), 'outcome_unknown', 'X' FROM over
RETURNING id::text
"""

EXEMPT = {
    "dialer.record.outcome_rows._LOCKED": "a part of the three others there",
    "dialer.call_rows.TRIED": "a part of others, by a contact's calls",
    "dialer.call_rows.REJECTED": "a part of others, by a contact's calls",
    "dialer.call_rows._LIVE_CALLS": "a part of the two others there",
    "dialer.record.cdr_inbox.WAITS": "a part of dialer.lookout.LOOK",
    "campaigns.calls_to_end.WANTED": "a part of dialer.lookout.LOOK",
    "campaigns.expiry.WAITS": "a part of dialer.lookout.LOOK",
    "dialer.capacity.limiter_snapshot.RECENT": "test_a_limiter_is_rebuilt_without_reading_what_is_over",
    "dialer.capacity.limiter_snapshot.DAYS": "test_a_limiter_is_rebuilt_without_reading_what_is_over",
    "dialer.capacity.number_rows._CALL": "a part of the two others there",
    "dialer.capacity.number_rows._SINCE": "a page of a tenant's calls, after a loss of Redis or when a cap is set",
    "dialer.capacity.number_rows._AGAIN": "by call, behind that",
    "campaigns.contact_changes._CONTACT": "one contact, by its id",
    "campaigns.contact_changes._CHANGE": "one contact by its id, or so many places of a list",
    "campaigns.window_waits._WAITING": "by campaign and group, a part of the other there: test_window_waits.py",
    "campaigns.contact_decisions._DECISIONS": "one contact, by its id, for one client",
    "campaigns.contact_changes._LAST": "the last place of a list, by the index of places",
    "dialer.record.outbox.LEFT": "test_large_lists.py",
    "dialer.record.outbox.NOTED": "test_large_lists.py",
    "dialer.calling_hours_sql._FIRST": "a part of others, by campaign and group",
    "campaigns.openings._CANCEL": "by group, of a list that is being stored",
    "campaigns.contact_queries._CONTACT": "a part of others",
    "campaigns.contact_queries._BY_NUMBER": "by number in one campaign, for one client",
    "campaigns.contact_pages._CONTACT": "a part of others",
    "campaigns.call_counts._AT_ENDS": "of a campaign or tenant, the ends of a time, for a client",
    "campaigns.never_open._CANCEL": "by campaign and group, a slice at a time, of who can never be called",
    "campaigns.never_open._GO_ON": "likewise",
    "campaigns.duplicates._STAGE": "of a tenant's calls the last hours, for a list that leaves out whom it called",
    "campaigns.duplicates._OF_CALLS": "likewise",
    "campaigns.duplicates._AMONG": "by number in each campaign of one tenant, for a few rows of such a list",
    "campaigns.single_calls._BOUND": "one contact, by its id",
    "campaigns.single_calls._TESTED": "one campaign and the first of its list, by the index of places",
    "campaigns.single_calls._PLACED": "one contact and its last call, by their ids",
    "campaigns.openings._NUMBERS": "by campaign and group, of one whose places nobody noted",
    "campaigns.openings._WAITS": "by campaign and group, of who can never be called",
    "campaigns.number_waits._FREE": "by campaign, a slice at a time, when a tenant's caps are changed",
    "campaigns.cloning._CONTACTS": "by campaign, whose list is copied for a client",
    "campaigns.cloning._NUMBERS": "by campaign, whose list is copied for a client",
    "campaigns.cloning._TAKE_OUT": "by campaign and position, of a list that is copied for a client",
    "campaigns.further_numbers.SEVERAL": "by campaign, for the client who copies its list or adds one to it",
    "campaigns.additions._CANCELLED": "by id, of the few rows that a client adds",
    "campaigns.addition_rows._ADDED": "by the numbers and tokens of a list, for the client who adds it",
    "campaigns.call_outcomes._CAUSES": "the last calls of one campaign, for one client",
    "campaigns.call_outcomes._OUTCOMES": "likewise",
    "campaigns.call_outcomes.RECENT": "a part of others, the last 5 s of one campaign",
    "campaigns.call_outcomes._FIGURES": "by the campaigns of a page, in what is kept of them and the last 5 s",
    "campaigns.retention._OVER": "a part of the two others there, by campaign, once an hour",
    "campaigns.suppressed_rows._FOUND": "by campaign and position, while a list is imported",
    "campaigns.erasure._CONTACTS": "by number in each campaign of one tenant, for one person",
    "campaigns.erasure._LENT": "by campaign, whose first contact it is, and by the test calls of that, of one person",
    "campaigns.erasure._IN_USE": "by contact and by call, of one person",
    "campaigns.erasure._ERASE_WARNINGS": "by campaign and by contact, of one person",
    "campaigns.erasure._ERASE": "by contact and by call, of one person",
    "campaigns.suppressed_contacts._CANCEL": "a part of the two others there",
    "campaigns.suppressed_contacts._FREE": "a part of others there",
    "campaigns.retention._SLICES": "by campaign, what its tenant keeps no longer",
    "dialer.housekeeping._BY_AGE": "by the dialer that is over, in a partial index",
    "campaigns.outcome_breakers._COMING_BACK": "by call, where a breaker holds calls of a campaign that may be over",
    "dialer.capacity.outcome_breaker_rows._CAUSES": "by call, when a breaker was tripped",
    "dialer.capacity.outcome_breaker_rows._NOBODY_LEFT": "by call, while a breaker is held and due to be probed",
    "dialer.capacity.outcome_breaker_rows._LOCK_CALLS": "by call, when a breaker is released",
    "dialer.capacity.outcome_breaker_rows._LOCK_CAMPAIGNS": "by call, when a breaker is released",
    "dialer.capacity.outcome_breaker_rows._BRING_BACK": "by call, when a breaker is released",
    "dialer.capacity.gateway_rows._AGAIN": "by contact and by call, when calls failed at a gateway",
    "dialer.capacity.gateway_rows._TELLING": "by call and by contact, when nobody responded to calls in a row",
    "dialer.capacity.gateway_rows._GIVE_BACK": "by call and by contact, when a gateway was paused",
}


def placed(world: World, sql: str, count: int, owner: str) -> tuple[str, list[str]]:
    """A new campaign with so many calls; its id and theirs."""
    parameters = {
        "campaign": make_campaign(world, 0),
        "count": count,
        "tenant": world.tenant_id,
        "gateway": world.gateway_id,
        "owner": owner,
    }
    with db.connection_context():
        found = [call_id for (call_id,) in db.execute_sql(sql, parameters).fetchall()]
        db.execute_sql("ANALYZE")
    return str(parameters["campaign"]), found


LOOKED_UP = "dialer.record.outcome_rows.", "dialer.lookout.LOOK"
"""Statements of connections on which nothing is read from end to end."""


def settings_of(name: str) -> None:
    """Set for this transaction what the connections have that this statement is run by."""
    if name.startswith(LOOKED_UP):
        for setting, value in BY_ID.items():
            db.execute_sql(f"SET LOCAL {setting} = {value}")


def explained(sql: str, parameters: Any, name: str = "") -> str:
    """The plan of a statement that is run and undone."""
    with db.connection_context(), db.atomic():
        settings_of(name)
        cursor = db.execute_sql("EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) " + sql, parameters)
        plan = "\n".join(row[0] for row in cursor.fetchall())
        db.rollback()
    return plan


def kept_plan(sql: str, parameters: Any, name: str = "") -> str:
    """The plan that a connection keeps for the statement once it has run it often: made without its parameters."""
    given = parameters if isinstance(parameters, dict) else dict(enumerate(parameters))
    names: list[object] = []

    def numbered(found: re.Match[str]) -> str:
        name = found[1] or len(names)
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    prepare = "PREPARE kept AS " + re.sub(r"%\((\w+)\)s|%s", numbered, sql)
    execute = f"EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) EXECUTE kept({', '.join(['%s'] * len(names))})"
    with db.connection_context(), db.atomic(), psycopg.ClientCursor(db.connection()) as cursor:
        settings_of(name)
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute(prepare)
        cursor.execute(execute, [given[name] for name in names])
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("DEALLOCATE kept")
        db.rollback()
    return plan


def read_by(plan: str) -> int:
    """How many rows all steps of the plan have read."""
    steps = re.findall(r"actual rows=([\d.]+) loops=(\d+)", plan)
    removed = re.findall(r"Rows Removed by \w+(?: \w+)*: (\d+)", plan)
    return sum(int(float(number)) * int(loops) for number, loops in steps) + sum(map(int, removed))


def recording(call_ids: Sequence[str]) -> dict[str, tuple[str, Any]]:
    """Every statement that records what became of these calls, with its parameters."""
    seen = [Seen(call_id, 0.0, 1.0, progress=True, ring=True) for call_id in call_ids]
    answered = [Answered(call_id, 0.0, 1.0) for call_id in call_ids]
    over = [ended(call_id, "failed") for call_id in call_ids]
    whose, ids = {"owner": DIALER, "lane": "x"}, (list(call_ids),)
    return {
        "dialer.record.outcome_rows.LOCK_CALLS": (outcome_rows.LOCK_CALLS, ids),
        "dialer.record.outcome_rows.LOCK_FREE_CALLS": (outcome_rows.LOCK_FREE_CALLS, ids),
        "dialer.record.outcome_rows.LOCK_CAMPAIGNS": (outcome_rows.LOCK_CAMPAIGNS, {"calls": list(call_ids)}),
        "dialer.record.outcome_rows.OVER": (outcome_rows.OVER, ids),
        "dialer.record.outcome_rows.SEEN": (outcome_rows.SEEN, items_of(seen)),
        "dialer.record.outcome_rows.ANSWERED": (outcome_rows.ANSWERED, items_of(answered) | whose),
        "dialer.record.outcome_rows.ENDED": (outcome_rows.ENDED, items_of(over) | whose),
        "dialer.record.cdr_correction.CORRECT": (
            cdr_correction.CORRECT,
            items_of(over) | whose,
        ),
        "dialer.record.locked_rows.FREE": (locked_rows.FREE, ids),
        "dialer.record.locked_rows.GONE": (locked_rows.GONE, ids),
    }


def others(call_ids: Sequence[str], campaign_id: str) -> dict[str, tuple[str, Any]]:
    """The other statements on calls and contacts, but for those of dispatch (test_large_lists.py)."""
    ids = list(call_ids)
    return {
        "dialer.record.cdr_correction.SECONDS_TODAY": (cdr_correction.SECONDS_TODAY, (ids,)),
        "dialer.record.cdr_correction.UNCOUNTED": (cdr_correction.UNCOUNTED, (ids,)),
        "dialer.record.cdr_inbox.WAITING": (cdr_inbox.WAITING, (DIALER, 500)),
        "dialer.record.cdr_inbox.LOCKED": (cdr_inbox.LOCKED, (ids,)),
        "dialer.call_rows.ADOPT": (call_rows.ADOPT, (DIALER, "d1")),
        "dialer.call_rows.OPEN_LIVE_CALLS": (call_rows.OPEN_LIVE_CALLS, (DIALER, ids)),
        "dialer.capacity.limiter_snapshot.LIVE": (limiter_snapshot.LIVE, ()),
        "dialer.identity.PURGE": (identity.PURGE, ()),
        "dialer.lookout.LOOK": (
            lookout.LOOK,
            {"dialer": DIALER, "unsent": ids, "digests": [b""] * len(ids)},
        ),
        "dialer.process.OWNED": (process.OWNED, (DIALER,)),
        "dialer.recovery.audit.OPEN": (audit.OPEN, (DIALER,)),
        "dialer.recovery.audit.ROWS": (audit.ROWS, (ids,)),
        "dialer.recovery.delivery_unknown.NOTE": (delivery_unknown.NOTE, (ids, DIALER)),
        "dialer.recovery.hangup_markers.OVER": (hangup_markers.OVER, (ids,)),
        "dialer.recovery.maybe_live.HELD": (maybe_live.HELD, (DIALER,)),
        "dialer.recovery.maybe_live.RELEASED": (maybe_live.RELEASED, (ids, DIALER)),
        "dialer.recovery.takeover.UNSETTLED": (takeover.UNSETTLED, ()),
        "dialer.recovery.takeover.SENDERS": (takeover.SENDERS, (DIALER,)),
        "dialer.recovery.takeover.PERMITS": (takeover.PERMITS, (ids,)),
        "dialer.recovery.takeover.SETTLED": (takeover.SETTLED, {"id": DIALER}),
        "dialer.shut_retries.MOVE": (shut_retries.MOVE, {"campaign": campaign_id, "most": 1_000}),
        "campaigns.calls_to_end.MARK_TENANT": (calls_to_end.MARK_TENANT, ("another",)),
        "campaigns.calls_to_end.MARK_CAMPAIGN": (calls_to_end.MARK_CAMPAIGN, (campaign_id,)),
        "campaigns.calls_to_end.MARK_DIALER": (calls_to_end.MARK_DIALER, (DIALER,)),
        "campaigns.calls_to_end.TO_END": (calls_to_end.TO_END, ("*",)),
        "campaigns.calls_to_end.STILL_UP": (calls_to_end.STILL_UP, ("*", None)),
        "campaigns.stopping.CANCEL": (
            stopping.CANCEL,
            (campaign_id, 5_000, campaign_id, "web", campaign_id, "web:stop"),
        ),
        "campaigns.stopping.FINISH": (stopping.FINISH, (campaign_id, "web")),
        "campaigns.expiry.EXPIRE": (expiry.EXPIRE, (1_000, DIALER, f"{DIALER}:expiry")),
        "campaigns.suppressed_contacts._CONCERNED": (
            suppressed_contacts.CANCEL_CONCERNED,
            {"entries": [new_id()], "owner": DIALER, "lane": "x"},
        ),
        "campaigns.suppressed_contacts._NAMED": (
            suppressed_contacts.CANCEL_NAMED,
            {"contacts": ids, "numbers": ids, "digests": [b""] * len(ids), "owner": DIALER, "lane": "x"},
        ),
        "campaigns.suppressed_contacts._GO_ON": (
            suppressed_contacts.GO_ON_CONCERNED,
            {"entries": [new_id()]},
        ),
        "campaigns.suppressed_contacts.IN_CALLS": (suppressed_contacts.IN_CALLS, ()),
        "campaigns.preflight.PLACES": (preflight.PLACES, {"campaign": campaign_id}),
        "campaigns.preflight.EXAMINE": (
            preflight.EXAMINE,
            {
                "campaign": campaign_id,
                "tenant": "demo",
                "list": campaign_id,
                "windowed": True,
                "from": datetime.now(UTC),
                "until": None,
                "first": 1,
                "last": preflight.SLICE,
            },
        ),
        "campaigns.preflight._ENDED": (preflight.BY_TENANT, ("demo", preflight.LAST_CALLS)),
        "campaigns.preflight.NUMBERS": (preflight.NUMBERS, (campaign_id, 200)),
        "campaigns.single_calls.WAITING": (single_calls.WAITING, ("demo",)),
        "campaigns.lifecycle.IN_FLIGHT": (lifecycle.IN_FLIGHT, (campaign_id,)),
        "campaigns.call_counts.OPEN": (
            call_counts.OPEN.format(which="campaign_id = %s"),
            (campaign_id,),
        ),
        "campaigns.lifecycle._NOBODY": (lifecycle.NOBODY_LEFT, ([campaign_id],)),
        "api.routes.nodes.IN_PROGRESS": (nodes_api.IN_PROGRESS, ("fs1",)),
        "api.routes.nodes.CALLS_AT_PREVIOUS_ADDRESS": (
            nodes_api.CALLS_AT_PREVIOUS_ADDRESS,
            ("fs1", "fs1", "h", 1),
        ),
        "api.routes.dialers.OPEN": (dialers_api.OPEN, (["d1"],)),
        "api.routes.cdr.STORE": (cdr.STORE, (list(ids), ["fs1"] * len(ids), ["{}"] * len(ids))),
    }


@pytest.fixture(scope="module")
def filled(databases: Databases) -> Iterator[tuple[str, list[str], str]]:
    """A database of 60,000 calls that are over and 3,000 in flight, of which 150 are ours; a group of them, and their
    campaign."""
    name = databases.new()
    pool = connect(databases.server.url_of(name))
    world = make_world()
    placed(world, CALLS_OVER, OVER, "d0000000000fe")
    placed(world, CALLS_IN_FLIGHT, THEIRS, "d0000000000ff")
    campaign_id, calls = placed(world, CALLS_IN_FLIGHT, OURS, DIALER)
    pool.close_all()
    yield name, calls[:GROUP], campaign_id
    databases.give_back(name)


@pytest.fixture
def busy(databases: Databases, filled: tuple[str, list[str], str]) -> Iterator[tuple[list[str], str]]:
    """A copy of it for one test: the group, and its campaign."""
    name, group, campaign_id = filled
    copy = databases.copy(name)
    pool = connect(databases.server.url_of(copy))
    yield group, campaign_id
    pool.close_all()
    databases.give_back(copy)


def test_no_statement_reads_calls_or_contacts_that_it_is_not_about(busy: tuple[list[str], str]) -> None:
    group, campaign_id = busy
    for name, statement in (recording(group) | others(group, campaign_id)).items():
        kept = [kept_plan(*statement, name)] if name.startswith(LOOKED_UP) else []
        for plan in (explained(*statement, name), *kept):
            assert not re.search(r"Seq Scan on (call|contact)\b", plan), f"{name}\n{plan}"
            assert read_by(plan) < 3 * (OURS + THEIRS), f"{name}\n{plan}"


def test_what_is_recorded_does_not_depend_on_how_many_are_in_flight(busy: tuple[list[str], str]) -> None:
    group, _ = busy
    for name, statement in recording(group).items():
        for plan in (explained(*statement, name), kept_plan(*statement, name)):
            assert read_by(plan) <= MOST_FOR_EACH * GROUP, f"{name}\n{plan}"


@pytest.mark.parametrize("state", ["sent", "over"])
def test_no_call_of_a_group_is_compared_with_each_of_the_others(world: World, state: str) -> None:
    _, group = placed(world, CALLS_IN_FLIGHT if state == "sent" else CALLS_OVER, 3 * GROUP, DIALER)
    for name, statement in recording(group).items():
        for plan in (explained(*statement, name), kept_plan(*statement, name)):
            assert read_by(plan) <= MOST_FOR_EACH * len(group), f"{name}\n{plan}"
            # Sorted anew for each row, a list of them costs the square of what they are: no figure of a plan says so.
            assert not re.search(r"Index Cond: \(.*\bid = \w+\.\w+\).* AND .*\bid = ANY", plan), (
                f"{name}\n{plan}"
            )


@pytest.mark.parametrize("calls", [10, 100])
def test_a_plan_made_of_small_tables_looks_rows_up_one_by_one(world: World, calls: int) -> None:
    _, group = placed(world, CALLS_IN_FLIGHT, calls, DIALER)
    for name, statement in recording(group).items():
        if name.startswith(LOOKED_UP):
            plan = kept_plan(*statement, name)
            scans = re.findall(
                r"Scan [^\n]*\bon (?:call|contact)\b[^\n]*\n\s*(?:Index|TID|Recheck) Cond", plan
            )
            assert len(scans) == len(re.findall(r"Scan [^\n]*\bon (?:call|contact)\b", plan)), (
                f"{name}\n{plan}"
            )


def test_a_limiter_is_rebuilt_without_reading_what_is_over(
    busy: tuple[list[str], str],
) -> None:
    with db.connection_context():
        db.execute_sql("UPDATE call SET ended_at = now() - interval '3 min' WHERE ended_at IS NOT NULL")
        db.execute_sql("VACUUM ANALYZE call")
    minute = LONGEST_WINDOW_SECONDS
    read = {"LIVE": (), "RECENT": (minute, minute), "DAYS": ()}
    for name, parameters in read.items():
        sql = getattr(limiter_snapshot, name)
        kept = [kept_plan(sql, parameters)] if parameters else []
        for plan in (explained(sql, parameters), *kept):
            assert not re.search(r"Seq Scan on call\b", plan), f"{name}\n{plan}"
            assert read_by(plan) <= 3 * (OURS + THEIRS), f"{name}\n{plan}"


def test_which_gateways_second_legs_may_leave_by_is_told_without_what_is_over(
    busy: tuple[list[str], str],
) -> None:
    plan = explained(plan_rows.BRIDGED, ())
    assert not re.search(r"Seq Scan on call\b", plan), plan
    assert read_by(plan) <= 3 * (OURS + THEIRS), plan


def test_every_statement_on_calls_or_contacts_is_in_the_list() -> None:
    listed = recording([str(new_id())]).keys() | others([str(new_id())], str(new_id())).keys()
    assert set(constants()) - EXEMPT.keys() == listed


def constants() -> Iterator[str]:
    """The constants that hold such a statement, by module and name; those of dispatch are in test_large_lists.py,
    those of the API's lists answer one client."""
    files = [*(ROOT / "dialer").rglob("*.py"), *(ROOT / "campaigns").glob("*.py")]
    files += [ROOT / "api" / "routes" / name for name in ("cdr.py", "dialers.py", "nodes.py")]
    for file in files:
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        if module.startswith("dialer.dispatch."):
            continue
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                texts = [part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)]
                if any(isinstance(text, str) and NAMES_A_TABLE.search(text) for text in texts):
                    yield f"{module}.{node.targets[0].id}"
