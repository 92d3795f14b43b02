"""A person's data goes from everywhere, once no call is up; counts stay, and the number is known by its hash."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import partial

import orjson
import psycopg
import pytest
from redis import Redis

from campaigns import erasure
from coordination.redis_client import client
from dialer import lookout
from dialer.erasures import Erasures
from dialer.record.outcome_rows import write
from limits.erasing import forget_number
from limits.keys import Keys
from live.erasing import erase_events
from live.errors import LiveUnavailable
from live.event_log import EventLog
from live.keys import campaign_keys
from models import db, rows
from tests.factories import World, counts, make_campaign, make_world
from tests.integration.dialer.dialer_rig import PREFIX
from tests.integration.dialer.test_claims_and_outcomes import DIALER, ended
from tests.integration.dialer.test_suppressions import FIRST, HASH, SECOND, claim, numbers

KEPT = {
    "contact",
    "call",
    "import_reject",
    "recent_outcome",
    "cdr_inbox",
    "idempotency",
    "suppression",
    "erasure",
    "campaign",
    "campaign_log",
    "transition",
    "tenant",
}

REJECT = (
    "INSERT INTO import_reject (campaign_id, line, raw, code, reason) VALUES (%s, 1, %s, 'duplicate', %s)"
)
RECORD = """INSERT INTO cdr_inbox (uuid, node, variables, applied_at) VALUES (%s, 'fs1', '{"a": "Zaphod"}', now())"""
ANSWER = """
INSERT INTO idempotency (tenant_id, key, route, body_hash, status, body) VALUES (%s, 'k', 'r', 'h', 201, %s)"""


@pytest.fixture
def redis(redis_url: str) -> Redis:
    return client(redis_url)


def eraser(redis: Redis, *, turn: bool = True) -> Erasures:
    def events(campaigns: Sequence[str], contacts: Sequence[str]) -> None:
        erase_events(redis, PREFIX, campaigns, contacts)

    return Erasures(
        DIALER,
        lambda: turn,
        lambda: None,
        lambda _: None,
        events,
        partial(forget_number, redis, PREFIX),
    )


def ask(world: World, number: str = FIRST) -> uuid.UUID:
    with db.connection_context(), db.atomic():
        return erasure.ask(world.tenant_id, number, "crm", HASH)


def is_done(world: World, erasure_id: uuid.UUID) -> bool:
    with db.connection_context():
        found = erasure.get(erasure_id, world.tenant_id)
    assert found is not None
    return found.done_at is not None


def published() -> None:
    """All that is to be told was."""
    with db.connection_context():
        rows("UPDATE transition SET published = true")
        rows("DELETE FROM outbox")


def mentions(text: str) -> set[str]:
    """The tables that still have a text."""
    with db.connection_context():
        return {
            table
            for table in KEPT
            if rows(
                f"SELECT 1 FROM {table} AS kept WHERE position(%s IN row_to_json(kept)::text) > 0 LIMIT 1",
                text,
            )
        }


def fill(world: World, redis: Redis) -> uuid.UUID:
    """A campaign of which FIRST was called, and all that is kept about it."""
    campaign_id = make_campaign(world, 2)
    call, other = sorted(claim(campaign_id), key=lambda item: item.phone_number)
    write(DIALER, [], [], [ended(call.call_id, "failed"), ended(other.call_id, "failed")])
    published()
    with db.connection_context():
        rows('UPDATE contact SET custom_fields = \'{"first_name": "Zaphod"}\' WHERE id = %s', call.contact_id)
        for subject in (FIRST, "key:4711"):
            rows(
                "INSERT INTO recent_outcome (tenant_id, subject, disposition, purpose, contact_id, at)"
                " VALUES (%s, %s, 'answered', 'debt', %s, now())",
                world.tenant_id,
                subject,
                call.contact_id,
            )
        for raw, reason in (
            ("(415) 556-0000,Zaphod", "too short"),
            ("x", f"{FIRST} is on line 2"),
            ("y", "z"),
        ):
            rows(
                REJECT,
                campaign_id,
                raw,
                reason,
            )
        rows(
            RECORD,
            call.call_id,
        )
        answer = {
            "contacts": [{"phone_number": FIRST, "custom_fields": {"n": "Zaphod"}}, {"phone_number": SECOND}]
        }
        rows(
            ANSWER,
            world.tenant_id,
            orjson.dumps(answer).decode(),
        )
        rows(
            "INSERT INTO suppression (id, scope, number, source, created_by) VALUES (%s, %s, %s, 'letter', 'crm')",
            uuid.uuid4(),
            world.tenant_id,
            FIRST,
        )
        for metadata in ({"who": "+1 (415) 556-0000", "of": "Zaphod"}, {"who": "nobody"}, {"who": FIRST}):
            rows(
                "UPDATE campaign SET metadata = %s WHERE id = %s",
                orjson.dumps(metadata).decode(),
                campaign_id,
            )
        name = "Call 0415-556-0000, and +1 (415) 556 0000 again"
        rows(
            "UPDATE campaign SET name = %s, external_id = %s WHERE id = %s", name, f"crm/{FIRST}", campaign_id
        )
        rows("UPDATE tenant SET test_numbers = %s WHERE id = %s", f'["{FIRST}", "{SECOND}"]', world.tenant_id)
    for key in Keys(PREFIX).number_history(world.tenant_id, FIRST):
        redis.set(key, "1")
    stream = campaign_keys(PREFIX, str(campaign_id)).stream
    EventLog(redis, PREFIX).position(str(campaign_id))
    for item in (call, other):
        data = {"contact_id": item.contact_id, "phone_number": item.phone_number}
        redis.xadd(stream, {"kind": "contact", "data": orjson.dumps(data)})
    return campaign_id


def test_all_that_is_kept_of_a_person_goes_and_the_counts_stay(world: World, redis: Redis) -> None:
    other = make_world("other", "+14155550199")
    theirs = make_campaign(other, 1)
    campaign_id = fill(world, redis)
    before, start = counts(campaign_id), EventLog(redis, PREFIX).position(str(campaign_id))
    asked = ask(world)
    assert lookout.look(DIALER).erasures
    eraser(redis, turn=False).round()
    assert not is_done(world, asked)
    eraser(redis).round()
    assert is_done(world, asked)
    assert not lookout.look(DIALER).erasures
    with db.connection_context():
        rows("DELETE FROM contact WHERE campaign_id = %s", theirs)
    for text in (FIRST, "Zaphod", "4155560000", "415) 556", "415-556", "key:4711"):
        assert mentions(text) == set(), text
    assert mentions(SECOND) == {"contact", "call", "tenant"}
    with db.connection_context():
        (called,) = rows("SELECT name, external_id FROM campaign WHERE id = %s", campaign_id)
    assert called == {"name": "Call erased, and erased again", "external_id": "crm/erased"}
    assert counts(campaign_id) == before
    with db.connection_context():
        kept = rows("SELECT raw, code FROM import_reject ORDER BY raw")
    assert [(row["raw"], row["code"]) for row in kept] == [("erased", "duplicate")] * 2 + [("y", "duplicate")]
    page = EventLog(redis, PREFIX).after(str(campaign_id), start.since, 10)
    assert not page.reset
    assert not [key for key in redis.scan_iter(f"{PREFIX}*") if FIRST in key]
    assert [orjson.loads(entry.data)["phone_number"] for entry in page.entries] == [SECOND]
    eraser(redis).round()


def test_rejected_rows_go_a_slice_at_a_time_before_the_rest(
    world: World, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "REJECTS_SLICE", 2)
    campaign_id = make_campaign(world, 0)
    with db.connection_context():
        for line in (1, 2, 2, 2, 3, 4, 5):
            rows(REJECT.replace("%s, 1,", "%s, %s,"), campaign_id, line, FIRST, f"{line}")
    asked = ask(world)
    with monkeypatch.context() as broken:
        broken.setattr(erasure, "erase", lambda *_: False)
        eraser(redis).round()
    assert "import_reject" not in mentions(FIRST)
    eraser(redis).round()
    assert is_done(world, asked)


def test_what_is_noted_goes_campaign_by_campaign_before_the_rest(
    world: World, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "NOTES_SLICE", 1)
    for _ in range(3):
        campaign_id = make_campaign(world, 0)
        with db.connection_context():
            rows("UPDATE campaign SET import_warnings = %s WHERE id = %s", f'["{FIRST}"]', campaign_id)
            rows("UPDATE campaign SET name = %s WHERE id = %s", f"for {FIRST}", campaign_id)
            for who in (FIRST, "nobody", FIRST):
                rows("UPDATE campaign SET metadata = %s WHERE id = %s", f'{{"who": "{who}"}}', campaign_id)
    asked = ask(world)
    with monkeypatch.context() as broken:
        broken.setattr(erasure, "erase", lambda *_: False)
        eraser(redis).round()
    assert {"campaign", "campaign_log"}.isdisjoint(mentions(FIRST))
    eraser(redis).round()
    assert is_done(world, asked)


def test_what_was_quoted_of_a_person_goes_too(world: World, redis: Redis) -> None:
    """A word that looked misread stands among the warnings of an import, without the number beside it."""
    theirs, others = fill(world, redis), make_campaign(world, 0)
    said = """["first_name holds 'Zo\u00c3\u00ab', which looks like 'Zo\u00eb' encoded twice"]"""
    with db.connection_context():
        rows("UPDATE campaign SET import_warnings = %s WHERE id = ANY(%s)", said, [theirs, others])
        rows(
            "UPDATE contact SET custom_fields = %s WHERE campaign_id = %s AND phone_number = %s",
            '{"first_name": "Zo\u00c3\u00ab"}',
            theirs,
            FIRST,
        )
    ask(world)
    eraser(redis).round()
    with db.connection_context():
        kept = rows("SELECT id FROM campaign WHERE import_warnings <> '[]'")
    assert [one["id"] for one in kept] == [others]


def test_a_stored_answer_that_quotes_from_a_list_of_the_person_goes_too(world: World, redis: Redis) -> None:
    """A list's warnings have a name that looked misread, and not the number."""
    theirs, others = fill(world, redis), make_campaign(world, 0)
    quotes = ["first_name holds 'Zo\u00c3\u00ab', which looks like 'Zo\u00eb' encoded twice"]
    with db.connection_context():
        for key, (campaign_id, warnings) in {
            "theirs": (theirs, quotes),
            "without": (theirs, []),
            "others": (others, quotes),
        }.items():
            answer = {"id": str(campaign_id), "import": {"warnings": warnings}}
            rows(
                "INSERT INTO idempotency (tenant_id, key, route, body_hash, status, body)"
                " VALUES (%s, %s, 'r', 'h', 201, %s)",
                world.tenant_id,
                key,
                orjson.dumps(answer).decode(),
            )
    ask(world)
    eraser(redis).round()
    with db.connection_context():
        gone = {row["key"] for row in rows("SELECT key FROM idempotency WHERE body = ''")}
    assert gone & {"theirs", "without", "others"} == {"theirs"}


def test_single_calls_at_which_nothing_was_noted_are_not_looked_through(world: World) -> None:
    listed = make_campaign(world, 0)
    _, noted, was_noted, trial = (make_campaign(world, 0, single_call=True) for _ in range(4))
    with db.connection_context():
        rows("UPDATE campaign SET test_of = %s WHERE id = %s", listed, trial)
        for one, metadata in ((noted, '{"who": 1}'), (was_noted, '{"who": 1}'), (was_noted, "{}")):
            rows("UPDATE campaign SET metadata = %s WHERE id = %s", metadata, one)
    assert sorted(one for slice_ in erasure.with_notes(world.tenant_id) for one in slice_) == sorted(
        [listed, noted, was_noted, trial]
    )


def test_the_last_step_waits_for_no_campaign(world: World, redis: Redis, database_url: str) -> None:
    """Whoever changes contacts has locked their campaign before; the other way round both would wait for ever."""
    campaign_id = fill(world, redis)
    asked = ask(world)
    (one,) = erasure.still_open()
    with psycopg.connect(database_url) as changing:
        changing.execute("SELECT FROM campaign WHERE id = %s FOR UPDATE", (campaign_id,))
        assert erasure.erase(one, erasure.find(one))
    assert is_done(world, asked)


def test_who_was_erased_is_called_from_no_later_list(world: World, redis: Redis) -> None:
    ask(world)
    eraser(redis).round()
    assert numbers(claim(make_campaign(world, 2))) == {SECOND}


def test_another_tenants_data_stays(world: World, redis: Redis) -> None:
    theirs = make_campaign(make_world("other", "+14155550199"), 1)
    ask(world)
    eraser(redis).round()
    assert mentions(FIRST) == {"contact"}
    assert numbers(claim(theirs)) == {FIRST}


def test_a_call_that_is_up_runs_to_its_end_first(world: World, redis: Redis) -> None:
    campaign_id = make_campaign(world, 1, retries_per_contact=3)
    (call,) = claim(campaign_id)
    published()
    asked = ask(world)
    eraser(redis).round()
    assert not is_done(world, asked)
    write(DIALER, [], [], [ended(call.call_id, "pending")])
    published()
    eraser(redis).round()
    assert not is_done(world, asked), "that he was cancelled is still to be told"
    assert counts(campaign_id) == {"cancelled": 1}
    published()
    eraser(redis).round()
    assert is_done(world, asked)
    assert mentions(FIRST) == set()


def test_who_stores_a_list_meanwhile_is_waited_for(world: World, redis: Redis, database_url: str) -> None:
    campaign_id = make_campaign(world, 0)
    one = eraser(redis)
    with psycopg.connect(database_url) as importing:
        importing.execute(
            "INSERT INTO contact (id, campaign_id, position, phone_number) VALUES (gen_random_uuid(), %s, 1, %s)",
            (campaign_id, FIRST),
        )
        asked = ask(world)
        one.round()
        assert not is_done(world, asked)
    one.round()
    published()
    one.round()
    assert is_done(world, asked)
    assert mentions(FIRST) == set()


def test_what_is_to_be_told_is_told_first(world: World, redis: Redis) -> None:
    (call,) = claim(make_campaign(world, 1))
    write(DIALER, [], [], [ended(call.call_id, "failed")])
    asked = ask(world)
    eraser(redis).round()
    assert not is_done(world, asked)
    published()
    eraser(redis).round()
    assert is_done(world, asked)


def test_where_redis_is_away_nothing_is_lost_of_where_to_look(world: World, redis: Redis) -> None:
    campaign_id = fill(world, redis)
    asked = ask(world)

    def away(_campaigns: Sequence[str], _contacts: Sequence[str]) -> None:
        raise LiveUnavailable("erasing events", "away")

    one = eraser(redis)
    one.erase_events = away
    with pytest.raises(LiveUnavailable):
        one.round()
    assert not is_done(world, asked)
    eraser(redis).round()
    assert is_done(world, asked)
    page = EventLog(redis, PREFIX).position(str(campaign_id))
    assert redis.xlen(campaign_keys(PREFIX, str(campaign_id)).stream) == 1, page


def test_an_erased_contact_is_never_called(world: World, redis: Redis) -> None:
    """As where a breaker brings back whom it had let fail."""
    campaign_id = fill(world, redis)
    ask(world)
    eraser(redis).round()
    with db.connection_context():
        rows("UPDATE contact SET status = 'pending'")
    assert numbers(claim(campaign_id)) == {SECOND}


@pytest.mark.parametrize("written", ["+1 415 556 0000 ext 5", "(415)\ufffd556–00.00", FIRST])
def test_a_stored_answer_goes_however_it_has_the_number(
    world: World, redis: Redis, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the reason for which a row was refused, or a fault of an uploaded do-not-call list."""
    monkeypatch.setattr(erasure, "ANSWERS_SLICE", 2)
    with db.connection_context():
        for key, said in enumerate(("Ann", written, "Bob", "Carl", written)):
            answer = {"results": [{"phone_number": None, "reason": f"phone_number is '{said}'"}]}
            rows(
                "INSERT INTO idempotency (tenant_id, key, route, body_hash, status, body)"
                " VALUES (%s, %s, 'r', 'h', 201, %s)",
                world.tenant_id,
                f"k{key}",
                orjson.dumps(answer).decode(),
            )
    asked = ask(world)
    eraser(redis).round()
    assert is_done(world, asked)
    assert mentions(written) == set()
    with db.connection_context():
        kept = rows("SELECT body_hash, body = '' AS gone FROM idempotency ORDER BY key")
    assert [(row["body_hash"], row["gone"]) for row in kept] == [
        ("h", False),
        ("erased", True),
        ("h", False),
        ("h", False),
        ("erased", True),
    ]


def lend(world: World, campaign_id: uuid.UUID) -> uuid.UUID:
    """A test call of a campaign, to another number, with the columns of its first contact."""
    trial = make_campaign(world, 0, single_call=True)
    with db.connection_context():
        rows("UPDATE campaign SET test_of = %s WHERE id = %s", campaign_id, trial)
        rows(
            "INSERT INTO contact (id, campaign_id, position, phone_number, status, custom_fields)"
            " SELECT gen_random_uuid(), %s, 1, '+14155550177', 'failed', custom_fields FROM contact"
            " WHERE campaign_id = %s ORDER BY position LIMIT 1",
            trial,
            campaign_id,
        )
    return trial


def test_what_test_calls_were_lent_goes_once_they_are_over(world: World, redis: Redis) -> None:
    campaign_id = fill(world, redis)
    trial = lend(world, campaign_id)
    with db.connection_context():
        rows("UPDATE contact SET status = 'pending' WHERE campaign_id = %s", trial)
    second = ask(world, SECOND)
    eraser(redis).round()
    assert is_done(world, second)
    assert "contact" in mentions("Zaphod"), "those of the first alone are lent"
    asked = ask(world)
    eraser(redis).round()
    assert not is_done(world, asked), "a test call that waits is placed with what it was lent"
    with db.connection_context():
        rows("UPDATE contact SET status = 'failed' WHERE campaign_id = %s", trial)
    eraser(redis).round()
    assert is_done(world, asked)
    assert mentions("Zaphod") == set()
    assert mentions("+14155550177") == {"contact"}
