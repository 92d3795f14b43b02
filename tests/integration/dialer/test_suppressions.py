"""Nobody is called whose number is suppressed: not by a claim, not by a call that waits to leave; and nobody stays
pending for it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import gevent
import pytest

from campaigns import suppressed_contacts
from campaigns.number_hash import NumberHash
from campaigns.suppressed_contacts import cancel_named, cancel_slice, in_calls
from campaigns.suppression_match import suppressed
from dialer import lookout
from dialer.dispatch.claims import Claimed, claim_again
from dialer.record.outcome_rows import write
from dialer.suppressions import Unsent
from models import CampaignStatus, Contact, db, new_id, rows
from tests.factories import World, counts, make_campaign, make_world
from tests.integration.dialer import one_campaign
from tests.integration.dialer.one_campaign import due, wanted
from tests.integration.dialer.test_claims_and_outcomes import DIALER, ended
from tests.integration.dialer.test_plans import explained, read_by
from tests.waiting import HANG_SECONDS

HASH = NumberHash("pepper-for-the-tests-only")
FIRST, SECOND, THIRD = (f"+1415556000{last}" for last in range(3))


def suppress(*, news: bool = True, **columns: Any) -> uuid.UUID:
    """An entry as it would be stored, for good unless `expires_in` says otherwise; its id."""
    entry_id = new_id()
    values = {"id": entry_id, "scope": "demo", "source": "test", "created_by": "test"} | columns
    expires_in = values.pop("expires_in", None)
    names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    with db.connection_context():
        rows(f"INSERT INTO suppression ({names}) VALUES ({marks})", *values.values())
        if expires_in is not None:
            rows(
                "UPDATE suppression SET expires_at = now() + %s::interval WHERE id = %s",
                expires_in,
                entry_id,
            )
        if news:
            rows("INSERT INTO suppression_news VALUES (%s)", entry_id)
    return entry_id


def numbers(claimed: Sequence[Claimed]) -> set[str]:
    return {item.phone_number for item in claimed}


def claim(campaign_id: uuid.UUID) -> list[Claimed]:
    """Claim all of a campaign, as a dialer that knows the key."""
    items = [wanted(item) for item in due(str(campaign_id), 100)]
    return one_campaign.claim(str(campaign_id), DIALER, items, HASH)


def everything(owner: str = DIALER) -> list[str]:
    """Go through the news; the campaigns that lost contacts."""
    lost: list[str] = []
    after, busy = None, in_calls()
    while (done := cancel_slice(owner, busy, after)).last is not None:
        lost += done.campaigns
        after = done.last
    return lost


def news() -> int:
    with db.connection_context():
        (row,) = rows("SELECT count(*)::int AS n FROM suppression_news")
    return int(row["n"])


def dispositions(campaign_id: uuid.UUID) -> dict[str, tuple[str, str | None]]:
    with db.connection_context():
        found = Contact.select().where(Contact.campaign == campaign_id)
        return {contact.phone_number: (contact.status, contact.disposition) for contact in found}


CLAIMED: list[tuple[dict[str, Any], set[str]]] = [
    ({"number": FIRST}, {SECOND, THIRD}),
    ({"prefix": FIRST}, {SECOND, THIRD}),
    ({"prefix": "+1415"}, set()),
    ({"prefix": "+1416"}, {FIRST, SECOND, THIRD}),
    ({"digest": HASH(SECOND)}, {FIRST, THIRD}),
    ({"number": FIRST, "scope": "*"}, {SECOND, THIRD}),
    ({"number": FIRST, "scope": "other"}, {FIRST, SECOND, THIRD}),
    ({"number": FIRST, "campaign_id": uuid.uuid4()}, {FIRST, SECOND, THIRD}),
    ({"number": FIRST, "expires_in": "-1 s"}, {FIRST, SECOND, THIRD}),
    ({"number": FIRST, "expires_in": "1 h"}, {SECOND, THIRD}),
]


def test_a_claim_calls_nobody_who_is_suppressed(world: World) -> None:
    for entry, called in CLAIMED:
        campaign_id = make_campaign(world, 3)
        suppress(**entry)
        assert numbers(claim(campaign_id)) == called, entry
        with db.connection_context():
            rows("DELETE FROM suppression")


def test_however_long_the_lists_are_a_number_is_one_page_of_an_index(world: World) -> None:
    asked = suppressed("%(number)s", tenant="'demo'", campaign="%(any)s::uuid", digest="%(digest)s::bytea")
    with db.connection_context():
        for kind, made in (("number", "'+1' || 2000000000 + n"), ("digest", "sha256(n::text::bytea)")):
            rows(
                f"INSERT INTO suppression (id, scope, {kind}, source, created_by)"
                f" SELECT gen_random_uuid(), 'demo', {made}, 'test', 'test' FROM generate_series(1, 20000) AS n"
            )
        rows("ANALYZE suppression")
    plan = explained(f"SELECT {asked}", {"number": FIRST, "any": uuid.UUID(int=0), "digest": HASH(FIRST)})
    assert "suppression_number_hash" in plan
    assert "suppression_digest_hash" in plan


def test_an_entry_of_one_campaign_leaves_the_others_alone(world: World) -> None:
    one, other = make_campaign(world, 2), make_campaign(world, 2)
    suppress(number=FIRST, campaign_id=one)
    assert numbers(claim(one)) == {SECOND}
    assert numbers(claim(other)) == {FIRST, SECOND}


def test_a_call_that_the_switch_never_saw_is_not_sent_again_to_who_is_suppressed_since(world: World) -> None:
    first, second = sorted(claim(make_campaign(world, 2)), key=lambda item: item.phone_number)
    suppress(number=FIRST)
    assert claim_again(first.call_id, DIALER, first.phone_number, HASH) is None
    assert claim_again(second.call_id, DIALER, second.phone_number, HASH) is not None


def test_of_the_calls_that_wait_to_leave_those_are_seen_that_may_not_any_more(world: World) -> None:
    claimed = claim(make_campaign(world, 3))
    suppress(number=FIRST, news=False)
    suppress(digest=HASH(SECOND), news=False)
    waiting = Unsent([item.call_id for item in claimed], [HASH(item.phone_number) for item in claimed])
    seen = lookout.look(DIALER, waiting).suppressed
    assert {item.phone_number for item in claimed if item.call_id in seen} == {FIRST, SECOND}
    assert lookout.look(DIALER).suppressed == []


def test_who_is_pending_is_cancelled_whatever_his_campaign_does(world: World) -> None:
    campaign_id = make_campaign(world, 3, status=CampaignStatus.PAUSED)
    suppress(number=SECOND)
    suppress(prefix=THIRD)
    assert lookout.look(DIALER).suppressions
    assert everything() == [str(campaign_id)]
    assert dispositions(campaign_id) == {
        FIRST: ("pending", None),
        SECOND: ("cancelled", "suppressed"),
        THIRD: ("cancelled", "suppressed"),
    }
    assert counts(campaign_id) == {"pending": 1, "cancelled": 2}
    with db.connection_context():
        told = rows(
            "SELECT status, disposition, owner, published FROM transition WHERE contact_id IS NOT NULL"
        )
    assert [tuple(row.values()) for row in told] == [("cancelled", "suppressed", DIALER, False)] * 2
    assert not lookout.look(DIALER).suppressions


def test_whom_an_entry_does_not_concern_stays_pending(world: World) -> None:
    campaign_id = make_campaign(world, 2)
    suppress(number=FIRST, scope="other")
    suppress(number=FIRST, campaign_id=uuid.uuid4())
    suppress(number=SECOND, expires_in="-1 s")
    suppress(prefix="+1416")
    assert everything() == []
    assert counts(campaign_id) == {"pending": 2}
    assert news() == 0


def test_who_is_in_a_call_is_cancelled_once_that_is_over(world: World) -> None:
    campaign_id = make_campaign(world, 1, retries_per_contact=3)
    (call,) = claim(campaign_id)
    suppress(number=FIRST)
    everything()
    assert news() == 1, "his contact may be pending again"
    write(DIALER, [], [], [ended(call.call_id, "pending")])
    assert everything() == [str(campaign_id)]
    assert counts(campaign_id) == {"cancelled": 1}
    assert news() == 0


def test_calls_of_others_keep_no_entry_of_a_tenant_news(world: World) -> None:
    other = make_world("other", "+14155550199")
    campaign_id = make_campaign(world, 1)
    assert claim(campaign_id)
    assert claim(make_campaign(other, 1))
    suppress(prefix="+1", scope="third")
    suppress(prefix="+1", campaign_id=uuid.uuid4())
    suppress(prefix="+1", expires_in="-1 s")
    everything()
    assert news() == 0
    suppress(prefix="+1", campaign_id=campaign_id)
    suppress(prefix="+1", scope="*")
    everything()
    assert news() == 2


def test_of_a_few_digits_the_contacts_of_other_tenants_are_not_read(world: World) -> None:
    other = make_world("other", "+14155550199")
    for _ in range(20):
        make_campaign(other, 200)
    ours = make_campaign(world, 3)
    asked = {"entries": [suppress(prefix="+1")], "owner": DIALER, "lane": "x"}
    with db.connection_context():
        rows("ANALYZE")
    plan = explained(suppressed_contacts.CANCEL_CONCERNED, asked)
    assert read_by(plan) < 1_000, plan
    assert everything() == [str(ours)]


def test_who_is_locked_is_looked_at_again(world: World) -> None:

    campaign_id = make_campaign(world, 2)
    suppress(prefix="+1415")
    with db.connection_context(), db.atomic():
        rows("SELECT 1 FROM contact WHERE phone_number = %s FOR UPDATE", FIRST)
        gevent.spawn(everything).get(timeout=HANG_SECONDS)
    assert counts(campaign_id) == {"pending": 1, "cancelled": 1}
    assert everything() == [str(campaign_id)]
    assert (counts(campaign_id), news()) == ({"cancelled": 2}, 0)


def test_a_long_list_is_gone_through_in_slices(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppressed_contacts, "SLICE", 2)
    campaign_id = make_campaign(world, 7)
    for position in range(5):
        suppress(number=f"+1415556{position:04d}")
    everything()
    assert (counts(campaign_id), news()) == ({"pending": 2, "cancelled": 5}, 0)


def test_whom_a_claim_had_to_leave_is_cancelled_where_he_is_suppressed(world: World) -> None:
    """An import that committed beside the entry: it is no news any more, and the contact is pending all the same."""
    campaign_id = make_campaign(world, 3)
    suppress(number=FIRST, news=False)
    suppress(digest=HASH(SECOND), news=False)
    found = due(str(campaign_id), 100)
    numbers = [item.phone_number for item in found]
    done = cancel_named(DIALER, [item.contact_id for item in found], numbers, [HASH(one) for one in numbers])
    assert done.campaigns == (str(campaign_id),)
    assert counts(campaign_id) == {"pending": 1, "cancelled": 2}
    assert dispositions(campaign_id)[THIRD] == ("pending", None)


def test_the_log_of_a_campaign_says_that_people_were_taken_off_its_list(world: World) -> None:
    campaign_id, other = make_campaign(world, 3), make_campaign(world, 1)
    suppress(prefix="+141555600", expires_in="-1 s")
    everything()
    assert log_of(campaign_id) == []
    suppress(number=SECOND)
    everything()
    suppress(digest=HASH(THIRD), news=False)
    cancel_named(DIALER, [_id_of(campaign_id, THIRD)], [THIRD], [HASH(THIRD)])
    assert log_of(campaign_id) == [(None, "suppressed", {"cancelled": 1})] * 2
    assert log_of(other) == []


def log_of(campaign_id: uuid.UUID) -> list[tuple[Any, ...]]:
    with db.connection_context():
        found = rows(
            "SELECT by, reason, details FROM campaign_log WHERE campaign_id = %s AND action = 'contacts_cancelled'",
            campaign_id,
        )
    return [tuple(row.values()) for row in found]


def _id_of(campaign_id: uuid.UUID, number: str) -> str:
    with db.connection_context():
        (found,) = rows(
            "SELECT id::text FROM contact WHERE campaign_id = %s AND phone_number = %s", campaign_id, number
        )
    return str(found["id"])


def test_the_entries_of_a_tenant_are_its_own(world: World) -> None:
    other = make_world("other", "+14155550199")
    ours, theirs = make_campaign(world, 1), make_campaign(other, 1)
    suppress(number=FIRST)
    everything()
    assert (counts(ours), counts(theirs)) == ({"cancelled": 1}, {"pending": 1})
    suppress(number=FIRST, scope="*")
    everything()
    assert counts(theirs) == {"cancelled": 1}
