"""Nothing grows without bound, and nothing goes that anybody may still need: one dialer forgets for all."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from peewee import fn

from campaigns import contact_queries, log_bounds, queries, retention
from campaigns.call_outcomes import of_campaign
from campaigns.campaign_log import LASTING
from dialer import housekeeping
from dialer.housekeeping import Housekeeping, delete_transitions, fold_lanes
from models import CampaignStatus, db, new_id, rows
from tests.factories import World, counts, make_campaign
from tests.integration.dialer.test_plans import read_by

KEEP = 30


def sql(statement: str, *values: Any) -> list[dict[str, Any]]:
    with db.connection_context():
        return rows(statement, *values)


def number(table: str, where: str = "true") -> int:
    return int(sql(f"SELECT count(*) AS n FROM {table} WHERE {where}")[0]["n"])


def work() -> None:
    Housekeeping(lambda: True).round()


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that every deletion takes several."""
    monkeypatch.setattr(housekeeping, "SLICE", 3)
    monkeypatch.setattr(retention, "SLICE", 3)


# Logs.


def noted(campaign_id: uuid.UUID, action: str, how_many: int) -> None:
    sql(
        "INSERT INTO campaign_log (campaign_id, action) SELECT %s, %s FROM generate_series(1, %s)",
        campaign_id,
        action,
        how_many,
    )


def test_a_log_keeps_its_newest_entries_and_what_became_of_the_campaign(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("MOST", 5), ("SLACK", 2), ("SLICE", 3)):
        monkeypatch.setattr(log_bounds, name, value)
    campaign_id, other = make_campaign(world, 0), make_campaign(world, 0)
    noted(other, "held", 7)
    assert log_bounds.thin() == 0
    noted(campaign_id, "started", 4)
    noted(campaign_id, "contacts_added", 20)
    noted(campaign_id, "held", 2)
    noted(campaign_id, "completed", 1)

    def entries() -> dict[str, int]:
        found = sql("SELECT action FROM campaign_log WHERE campaign_id = %s", campaign_id)
        actions = [row["action"] for row in found]
        return {action: actions.count(action) for action in actions if action != "created"}

    def went() -> int:
        found = sql("SELECT details FROM campaign_log WHERE action = 'thinned'")
        return sum(row["details"]["entries"] for row in found)

    assert log_bounds.thin() == 1
    assert {name: count for name, count in entries().items() if name != "thinned"} == {
        "started": 4,
        "contacts_added": 2,
        "held": 2,
        "completed": 1,
    }
    assert went() == 18
    noted(campaign_id, "let_go", 20)
    assert log_bounds.thin() == 1
    assert {name: count for name, count in entries().items() if name not in (*LASTING, "thinned")} == {
        "let_go": 4
    }
    assert went() == 38, "what had gone before is counted on"
    assert number("campaign_log", f"campaign_id = '{other}' AND action = 'held'") == 7


# Transitions.


def transitions(campaign_id: uuid.UUID, how_many: int, days: float, *, published: bool = True) -> list[int]:
    return [
        row["id"]
        for row in sql(
            "INSERT INTO transition (campaign_id, version, status, owner, published, at)"
            " SELECT %s, 1, 'running', 'd1', %s, now() - make_interval(secs => %s) FROM generate_series(1, %s)"
            " RETURNING id",
            campaign_id,
            published,
            days * 86_400,
            how_many,
        )
    ]


def test_transitions_go_once_they_are_published_and_90_days_old(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    transitions(campaign_id, 7, 91)
    waits = transitions(campaign_id, 2, 91, published=False)
    named = transitions(campaign_id, 2, 91)
    sql(
        "INSERT INTO outbox (owner, id, campaign_id, transition_ids) VALUES ('d1', 1, %s, %s)",
        campaign_id,
        named,
    )
    transitions(campaign_id, 4, 91)
    young = transitions(campaign_id, 4, 89)
    assert delete_transitions() == 11
    assert [row["id"] for row in sql("SELECT id FROM transition ORDER BY id")] == [*waits, *named, *young]
    assert delete_transitions() == 0


def test_the_newest_transition_stays_however_old(world: World) -> None:
    """Without it a database that was quiet for long would be taken for a copy of what it was."""
    newest = transitions(make_campaign(world, 1), 7, 91)[-1]
    assert delete_transitions() == 6
    assert [row["id"] for row in sql("SELECT id FROM transition")] == [newest]


# What goes by its age.


def test_answers_records_and_dialers_go_by_their_age(world: World) -> None:
    for hours in (23, 25):
        for key in range(5):
            sql(
                "INSERT INTO idempotency (tenant_id, key, route, body_hash, status, body, created_at)"
                " VALUES (%s, %s, 'r', 'h', 201, '{}', now() - make_interval(hours => %s))",
                world.tenant_id,
                f"{hours}-{key}",
                hours,
            )
            sql(
                "INSERT INTO cdr_inbox (uuid, node, variables, received_at, applied_at)"
                " VALUES (%s, 'fs1', '{}', now() - make_interval(hours => %s), now())",
                new_id(),
                hours,
            )
    for days in (29, 31):
        for one in range(5):
            sql(
                "INSERT INTO dialer (id, settled_at) VALUES (%s, now() - make_interval(days => %s))",
                f"d{days}{one:010}",
                days,
            )
    sql("INSERT INTO dialer (id, started_at) VALUES ('dead', now() - interval '99 days')")
    for released in ("89", "91", "NULL"):
        for one in range(5):
            sql(
                "INSERT INTO breaker (id, gateway_id, prefix, caller_id, probe_at, released_at)"
                f" VALUES (%s, 'g', %s, '', now(), now() - make_interval(days => {released}))",
                new_id(),
                f"{released}{one}",
            )
    work()
    assert number("breaker") == 10
    assert number("breaker", "released_at IS NULL") == 5
    assert number("idempotency") == number("cdr_inbox") == 5
    # What an outage of all dialers left to be applied goes after a week.
    sql("UPDATE cdr_inbox SET applied_at = NULL, received_at = now() - interval '6 days'")
    work()
    assert number("cdr_inbox") == 5
    assert number("idempotency", "key LIKE '25%%'") == 0
    assert [row["id"] for row in sql("SELECT id FROM dialer ORDER BY id")] == [
        *(f"d29{one:010}" for one in range(5)),
        "dead",
    ]


def test_a_dialer_with_a_call_that_may_be_up_stays(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    sql("INSERT INTO dialer (id, settled_at) VALUES ('d1', now() - interval '99 days')")
    call(world, campaign_id, 0, ended=False)
    work()
    assert number("dialer") == 1


# Lanes.


def test_lanes_of_dialers_that_are_gone_are_added_up_and_the_sums_stay(world: World) -> None:
    campaign_id = make_campaign(world, 100)
    for one in range(6):
        for part in ("claim", "record"):
            sql(
                "INSERT INTO campaign_count (campaign_id, lane, pending, completed) VALUES (%s, %s, -2, 2)",
                campaign_id,
                f"d{one:012x}:{part}",
            )
    sql("INSERT INTO dialer (id) VALUES ('d000000000000')")
    sql("INSERT INTO dialer (id, settled_at) VALUES ('d000000000001', now() - interval '50 minutes')")
    sql("INSERT INTO dialer (id, settled_at) VALUES ('d000000000002', now() - interval '70 minutes')")
    before = counts(campaign_id)
    for _ in range(2):
        assert fold_lanes() in (0, 1)
        assert counts(campaign_id) == before == {"pending": 76, "completed": 24}
        lanes = [row["lane"] for row in sql("SELECT lane FROM campaign_count ORDER BY lane")]
        assert lanes == [
            *(f"d{one:012x}:{part}" for one in (0, 1) for part in ("claim", "record")),
            "folded",
            "import",
        ]
        assert fold_lanes() == 0
        sql("INSERT INTO campaign_count (campaign_id, lane) VALUES (%s, 'd00000000000f:claim')", campaign_id)


def test_lanes_of_any_number_of_campaigns_are_added_up_in_one_turn(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "CAMPAIGNS", 2)
    monkeypatch.setattr(housekeeping, "LANES", 3)
    sql("INSERT INTO dialer (id) VALUES ('d000000000001')")
    campaigns = [make_campaign(world, 10) for _ in range(7)]
    for campaign_id in campaigns:
        for one in range(3):
            sql(
                "INSERT INTO campaign_count (campaign_id, lane, pending, failed) VALUES (%s, %s, -1, 1)",
                campaign_id,
                f"d{one:012x}:record",
            )
    work()
    lanes = {one: sql("SELECT lane FROM campaign_count WHERE campaign_id = %s", one) for one in campaigns}
    for campaign_id, kept_ in lanes.items():
        assert {row["lane"] for row in kept_} == {"d000000000001:record", "folded", "import"}
        assert counts(campaign_id) == {"pending": 7, "failed": 3}


class Hurried:
    """A clock by which everything takes too long."""

    def __init__(self) -> None:
        self.t = 0.0

    def __call__(self) -> float:
        self.t += housekeeping.BOUND_SECONDS
        return self.t


def test_a_turn_ends_and_the_next_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "CAMPAIGNS", 2)
    monkeypatch.setattr(housekeeping, "LANES", 3)
    keep(world, KEEP)
    for _ in range(5):
        campaign_id = finished(world, 40, 1)
        for one in range(3):
            sql(
                "INSERT INTO campaign_count (campaign_id, lane) VALUES (%s, %s)",
                campaign_id,
                f"d{one:012x}:record",
            )
    left = [(number("campaign", "purged_at IS NULL"), number("campaign_count", "lane LIKE 'd%%'"))]
    for _ in range(5):
        Housekeeping(lambda: True, Hurried()).round()
        left.append((number("campaign", "purged_at IS NULL"), number("campaign_count", "lane LIKE 'd%%'")))
    assert [campaigns for campaigns, _ in left] == [5, 3, 1, 0, 0, 0]
    assert left[0][1] > left[1][1] > 0


# Whose turn it is.


def test_only_the_dialer_whose_turn_it_is_does_it(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    transitions(campaign_id, 2, 91)
    Housekeeping(lambda: False).round()
    assert number("transition") == 2
    work()
    assert number("transition") == 1


# Retention.


def call(
    world: World,
    campaign_id: uuid.UUID,
    position: int,
    *,
    ended: bool = True,
    days: float = 40,
    **columns: Any,
) -> None:
    values = {"slot_until": None, "cause": "NORMAL_CLEARING"} | columns
    sql(
        "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, generation, phone_number, caller_id,"
        " gateway_id, node, dialer_id, sent_by, state, created_at, ended_at, disposition, cause, billsec, slot_until)"
        " SELECT gen_random_uuid(), %s, campaign_id, id, 1, 0, phone_number, '+1', %s, 'fs1', 'd1', 'd1', %s,"
        " now() - make_interval(secs => %s), CASE WHEN %s THEN now() - make_interval(secs => %s) END, %s, %s, 5,"
        " now() + make_interval(secs => %s) FROM contact WHERE campaign_id = %s AND position = %s",
        world.tenant_id,
        world.gateway_id,
        "ended" if ended else "ringing",
        days * 86_400,
        ended,
        days * 86_400,
        "answered" if ended else None,
        values["cause"],
        values["slot_until"],
        campaign_id,
        position,
    )


def finished(world: World, days: float, contacts: int = 8, **columns: Any) -> uuid.UUID:
    """A campaign that ended so long ago, with a call for each contact and two rejected rows."""
    ended: dict[str, Any] = {"completed_at": fn.now(), "end_reason": "exhausted"}
    campaign_id = make_campaign(world, contacts, status=CampaignStatus.COMPLETED, **ended | columns)
    for position in range(contacts):
        call(world, campaign_id, position, days=days)
    sql(
        "UPDATE contact SET status = 'completed', disposition = 'answered' WHERE campaign_id = %s",
        campaign_id,
    )
    sql("UPDATE campaign_count SET pending = 0, completed = %s WHERE campaign_id = %s", contacts, campaign_id)
    sql(
        "UPDATE campaign SET completed_at = now() - make_interval(secs => %s) WHERE id = %s",
        days * 86_400,
        campaign_id,
    )
    for line in (1, 2):
        sql("INSERT INTO import_reject VALUES (%s, %s, 'x', 'invalid', 'y')", campaign_id, line)
    for group in range(5):
        sql(
            "INSERT INTO campaign_zone (campaign_id, zone_group, zones) VALUES (%s, %s, '[]')",
            campaign_id,
            group,
        )
    transitions(campaign_id, 3, days)
    return campaign_id


def keep(world: World, days: int | None) -> None:
    sql("UPDATE tenant SET retention_days = %s WHERE id = %s", days, world.tenant_id)


def kept(campaign_id: uuid.UUID) -> dict[str, int]:
    which = f"campaign_id = '{campaign_id}'"
    return {table: number(table, which) for table in ALL}


ALL = {"contact": 8, "call": 8, "import_reject": 2, "contact_block": 2, "campaign_zone": 5}
NONE = dict.fromkeys(ALL, 0)


def outcomes(campaign_id: uuid.UUID) -> dict[str, Any]:
    with db.connection_context():
        found: dict[str, Any] = json.loads(json.dumps(of_campaign(campaign_id)))
    return found


def test_without_the_setting_nothing_goes(world: World) -> None:
    campaign_id = finished(world, 4000)
    work()
    assert kept(campaign_id) == ALL


def test_what_ended_longer_ago_than_the_setting_goes_and_the_report_and_the_log_stay(world: World) -> None:
    keep(world, KEEP)
    old, young = finished(world, KEEP + 0.1), finished(world, KEEP - 0.1)
    before = outcomes(old), counts(old)
    assert before[0]["dispositions"] == {"answered": 8}
    assert before[0]["top_causes"][0]["calls"] == 8
    work()
    assert kept(old) == NONE
    assert kept(young) == ALL
    assert (outcomes(old), counts(old)) == before
    assert number("transition", f"campaign_id = '{old}'") == 3
    with db.connection_context():
        page = contact_queries.contacts(old, world.tenant_id, limit=10, offset=0)
        assert (page and page.contacts, page and page.total) == ("[]", 0)
        told = [queries.campaign(campaign_id, world.tenant_id) for campaign_id in (old, young)]
        assert [one and one.purged_at is not None for one in told] == [True, False]
    work()
    assert (outcomes(old), counts(old)) == before


def test_with_a_list_goes_what_was_quoted_of_it(world: World) -> None:
    keep(world, KEEP)
    old, young = finished(world, KEEP + 0.1), finished(world, KEEP - 0.1)
    sql("UPDATE campaign SET import_warnings = '[\"+14155550100 among them\"]'")
    work()
    assert [number("campaign", f"id = '{one}' AND import_warnings <> '[]'") for one in (old, young)] == [0, 1]


def test_with_a_list_goes_what_its_first_contact_lent_to_test_calls(world: World) -> None:
    keep(world, KEEP)
    old, young = finished(world, KEEP + 0.1), finished(world, KEEP - 0.1)
    tests = [make_campaign(world, 1, single_call=True) for _ in (old, young)]
    sql('UPDATE contact SET custom_fields = \'{"first_name": "Ann"}\' WHERE campaign_id = ANY(%s)', tests)
    for test, tested in zip(tests, (old, young), strict=True):
        sql("UPDATE campaign SET test_of = %s WHERE id = %s", tested, test)
    work()
    assert kept(old) == NONE
    assert [number("contact", f"campaign_id = '{one}' AND custom_fields <> '{{}}'") for one in tests] == [
        0,
        1,
    ]


def test_any_number_of_campaigns_goes_in_one_turn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of single calls, of which there may be one a second."""
    monkeypatch.setattr(housekeeping, "CAMPAIGNS", 2)
    monkeypatch.setattr(housekeeping, "SLICES", 3)
    keep(world, KEEP)
    old = [finished(world, 40) for _ in range(7)]
    work()
    assert [kept(one) for one in old] == [NONE] * 7
    assert number("campaign", "purging_at IS NOT NULL") == 0


def test_it_goes_on_where_a_dead_dialer_left_off(world: World) -> None:
    keep(world, KEEP)
    campaign_id = finished(world, 40)
    before = outcomes(campaign_id)
    assert retention.mark_due(10) == 1
    retention.delete_slices(2)
    assert 0 < kept(campaign_id)["call"] < 8
    assert outcomes(campaign_id) == before
    keep(world, None)
    work()
    assert kept(campaign_id) == NONE
    assert number("campaign", "purging_at IS NOT NULL") == 0


@pytest.mark.parametrize(
    "still",
    [
        "UPDATE campaign SET status = 'running', completed_at = NULL, end_reason = NULL WHERE id = %s",
        "UPDATE campaign SET status = 'paused', completed_at = NULL, end_reason = NULL WHERE id = %s",
        "UPDATE campaign SET stopping_at = now() WHERE id = %s",
        "UPDATE campaign SET hangup_at = now() WHERE id = %s",
        "UPDATE call SET ended_at = NULL, state = 'answered' WHERE campaign_id = %s",
        "UPDATE call SET slot_until = now() WHERE campaign_id = %s",
        "UPDATE call SET ended_at = now() - interval '29 days' WHERE campaign_id = %s",
        "UPDATE contact SET status = 'pending', disposition = NULL WHERE campaign_id = %s",
        "INSERT INTO outbox (owner, id, campaign_id, transition_ids) VALUES ('d1', 9, %s, '{}')",
    ],
)
def test_nothing_goes_of_what_is_not_over(world: World, still: str) -> None:
    keep(world, KEEP)
    campaign_id = finished(world, 40)
    sql(still, campaign_id)
    work()
    assert kept(campaign_id)["contact"] == 8
    assert kept(campaign_id)["call"] == 8


def test_a_cap_of_a_day_never_loses_a_call_whatever_the_row_says(world: World) -> None:
    keep(world, 0)
    yesterday, older = finished(world, retention.DAYS_MIN - 0.1), finished(world, retention.DAYS_MIN + 0.1)
    work()
    assert kept(yesterday) == ALL
    assert kept(older) == NONE


def deleted(world: World, status: str, days: float, *, calls: int = 0) -> uuid.UUID:
    """A campaign of four contacts that was deleted so long ago, before its end."""
    campaign_id = make_campaign(world, 4)
    for position in range(calls):
        call(world, campaign_id, position, days=days)
    sql(
        "UPDATE campaign SET status = %s, scheduled_at = CASE WHEN %s = 'scheduled' THEN now() END,"
        " created_at = now() - interval '99 days', deleted_at = now() - make_interval(secs => %s) WHERE id = %s",
        status, status, days * 86_400, campaign_id,
    )  # fmt: skip
    return campaign_id


@pytest.mark.parametrize("status", ["draft", "scheduled", "paused"])
def test_the_list_of_what_was_deleted_before_its_end_goes(world: World, status: str) -> None:
    """Nobody of it was called, so that there is nothing to keep, whatever the setting."""
    old = deleted(world, status, retention.DAYS_MIN + 0.1)
    young = deleted(world, status, retention.DAYS_MIN - 0.1)
    work()
    assert kept(old) == NONE
    assert kept(young)["contact"] == 4
    keep(world, KEEP)
    older = deleted(world, status, KEEP + 0.1)
    work()
    assert (kept(older), kept(young)["contact"]) == (NONE, 4)


def test_of_what_was_deleted_with_calls_these_are_kept_for_as_long_as_the_setting_says(world: World) -> None:
    campaign_id = deleted(world, "paused", KEEP + 0.1, calls=2)
    work()
    assert (kept(campaign_id)["contact"], kept(campaign_id)["call"]) == (4, 2)
    keep(world, KEEP)
    work()
    assert kept(campaign_id) == NONE


def test_what_is_not_deleted_and_not_ended_stays_however_old(world: World) -> None:
    keep(world, KEEP)
    found = [deleted(world, status, 99) for status in ("draft", "scheduled", "paused")]
    sql("UPDATE campaign SET deleted_at = NULL")
    work()
    assert [kept(campaign_id)["contact"] for campaign_id in found] == [4, 4, 4]


def crowd(tenant: str, how_many: int, ended: str, deleted_at: str = "NULL") -> None:
    """So many ended campaigns like the newest there is."""
    columns = [
        row["column_name"]
        for row in sql(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_name = 'campaign' AND is_generated = 'NEVER'"
        )
    ]
    new = {
        "id": "gen_random_uuid()",
        "tenant_id": f"'{tenant}'",
        "status": "'completed'",
        "end_reason": "'exhausted'",
        "completed_at": ended,
        "deleted_at": deleted_at,
    }
    sql(
        f"INSERT INTO campaign ({', '.join(columns)}) SELECT {', '.join(new.get(name, name) for name in columns)}"
        f" FROM (SELECT * FROM campaign ORDER BY created_at DESC LIMIT 1) AS one, generate_series(1, {how_many}) AS n"
    )


def test_what_is_due_is_found_without_reading_what_is_kept(world: World) -> None:
    """Of a million campaigns that are kept for ever, or for a month, none is looked at."""
    old, _ = finished(world, KEEP + 1), finished(world, 1)
    keep(world, KEEP)
    sql("INSERT INTO tenant (id, name) VALUES ('ever', 'ever')")
    long_ago = "now() - interval '400 days' - n * interval '1 minute'"
    crowd("ever", 4_000, long_ago)
    crowd("ever", 4_000, long_ago, "now() - interval '399 days'")
    crowd(world.tenant_id, 4_000, "now() - interval '1 day' - n * interval '1 second'")
    sql("ANALYZE")
    with db.connection_context():
        plan = "\n".join(
            line
            for (line,) in db.execute_sql("EXPLAIN (ANALYZE, TIMING OFF) " + retention.DUE, (200,)).fetchall()
        )
        assert [row["id"] for row in rows(retention.DUE, 200)] == [old]
    assert "Seq Scan on campaign" not in plan, plan
    assert read_by(plan) < 200, plan


def test_another_tenants_are_not_touched(world: World) -> None:
    keep(world, None)
    campaign_id = finished(world, 40)
    sql("INSERT INTO tenant (id, name, retention_days) VALUES ('other', 'other', 2)")
    work()
    assert kept(campaign_id) == ALL


def test_sessions_and_links_of_the_board_go_once_they_have_expired(world: World) -> None:
    for seconds in (-1, -1, -1, -1, 60):
        sql(
            "INSERT INTO board_session (id, digest, api_key_id, tenant_id, user_agent, expires_at)"
            " VALUES (%s, gen_random_uuid()::text, gen_random_uuid(), 'demo', '', now() + make_interval(secs => %s))",
            new_id(),
            seconds,
        )
        sql(
            "INSERT INTO board_link (digest, api_key_id, expires_at)"
            " VALUES (gen_random_uuid()::text, gen_random_uuid(), now() + make_interval(secs => %s))",
            seconds,
        )
    work()
    assert (number("board_session"), number("board_link")) == (1, 1)


def test_what_was_found_at_a_node_that_nobody_examines_any_more_goes(world: World) -> None:
    for name, hours in (("gone", 25), ("here", 23)):
        sql(
            "INSERT INTO node_examination (node, dialer_id, begun_at)"
            " VALUES (%s, 'd1', now() - make_interval(hours => %s))",
            name,
            hours,
        )
        sql(
            "INSERT INTO node_finding (node, code, subject, sentence) VALUES (%s, 'clock', '', 'its clock is off')",
            name,
        )
    work()
    assert [row["node"] for row in sql("SELECT node FROM node_examination")] == ["here"]
    assert [row["node"] for row in sql("SELECT node FROM node_finding")] == ["here"]


def test_how_gateways_calls_ended_goes_after_two_hours(world: World) -> None:
    for hours in (1, 3, 4, 5, 6):
        sql(
            "INSERT INTO gateway_count VALUES (now() - make_interval(hours => %s), %s, 'd1', 503, 'X', 1)",
            hours,
            world.gateway_id,
        )
    work()
    assert number("gateway_count") == 1
