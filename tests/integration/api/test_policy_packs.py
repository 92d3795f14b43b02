"""Policy packs over HTTP: which campaigns they bind, whom they keep out of a list, and what a refusal names."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from campaigns import number_waits, openings, policies
from campaigns.opening_tables import RELEASE, TABLES
from campaigns.places import places_of
from campaigns.policies import Policy
from campaigns.policy_choice import ALL_DAY, KNOWN
from campaigns.policy_packs import ADVICE, Pack, parse
from campaigns.windows import DAYS, common
from models import transaction
from tests.integration.api.site import TENANT, Site
from tests.integration.api.test_single_calls import allow, limiter_state, originate, trial

MIGRATIONS = Path(__file__).parents[3] / "migrations"
FLORIDA, NEW_YORK, BERLIN, LONDON = "+13055550123", "+12125550123", "+493012345678", "+442079460123"
CHICAGO = "+13125550123"
AGREED = "2026-01-31"
BOUND: dict[str, Any] = {"purpose": "sales", "time_zone": "UTC"}
TIME_ZONE = "time_zone is null; policy packs need it: it is the zone of numbers that do not tell their own."


def contacts(*numbers: str, agreed: bool = True) -> list[dict[str, str]]:
    return [{"phone_number": one} | ({"consent_at": AGREED} if agreed else {}) for one in numbers]


def create(site: Site, *numbers: str, agreed: bool = True, **fields: Any) -> Any:
    return site.post(
        "/campaigns", json=site.fields(**fields) | {"contacts": contacts(*numbers, agreed=agreed)}
    )


def made(site: Site, *numbers: str, **fields: Any) -> str:
    answer = create(site, *numbers, **(BOUND | fields))
    assert answer.status_code == 201, answer.text
    campaign_id: str = answer.json["id"]
    return campaign_id


def patch(site: Site, campaign_id: str, **body: Any) -> Any:
    return site.request("PATCH", f"/campaigns/{campaign_id}", json=body)


def rejects(site: Site, campaign_id: str) -> list[str]:
    found: list[str] = site.get(f"/campaigns/{campaign_id}/rejects").text.splitlines()[1:]
    return found


def spans(site: Site, campaign_id: str, number: str) -> list[tuple[int, int]]:
    found = site.sql(
        "SELECT extract(epoch FROM opens_at)::int8 AS opens, extract(epoch FROM closes_at)::int8 AS closes"
        " FROM contact JOIN opening USING (campaign_id, zone_group)"
        " WHERE campaign_id = %s AND phone_number = %s ORDER BY 1",
        campaign_id,
        number,
    )
    return [(row["opens"], row["closes"]) for row in found]


def within_packs(number: str, zone: str, found: list[tuple[int, int]], purpose: str | None = "sales") -> bool:
    start, end = found[0][0], found[-1][1]
    return all(
        common(found, hours.openings(zone, start, end)) == found
        for hours in Policy(purpose).demands_of(number).hours
    )


def test_a_dialer_heeds_packs_that_knows_the_migration_which_brings_them(site: Site) -> None:
    assert [path.name for path in MIGRATIONS.glob("*_outcomes_kept.py")] == [f"{KNOWN:04d}_outcomes_kept.py"]
    site.sql("INSERT INTO dialer (id, knows) VALUES ('d000000000001', %s)", KNOWN - 1)
    refused = create(site, NEW_YORK, **BOUND)
    assert refused.status_code == 409
    assert "heeds no policy pack" in refused.text


@pytest.mark.parametrize(
    ("tenant", "asked", "shown"),
    [
        ({}, {}, ("off", None)),
        ({}, {"purpose": "sales"}, ("on", "sales")),
        ({}, {"purpose": "sales", "policy_packs": "off"}, ("off", "sales")),
        ({}, {"policy_packs": "on"}, ("on", None)),
        ({"policy_packs": "off"}, {"purpose": "sales"}, ("off", "sales")),
        ({"policy_packs": "on"}, {}, ("on", None)),
        ({"policy_packs": "on"}, {"policy_packs": "off"}, ("off", None)),
        ({"default_purpose": "debt"}, {}, ("on", "debt")),
        ({"default_purpose": "debt"}, {"purpose": None}, ("off", None)),
    ],
)
def test_nothing_binds_without_a_purpose_unless_the_tenant_turned_packs_on(
    site: Site, tenant: dict[str, Any], asked: dict[str, Any], shown: tuple[str, str | None]
) -> None:
    if tenant:
        answer = site.request("PATCH", f"/tenants/{TENANT}", role="platform", json=tenant)
        assert answer.status_code == 200, answer.text
    body = site.fields(time_zone="UTC") | asked | {"contacts": contacts(NEW_YORK)}
    created = site.post("/campaigns", json=body)
    assert created.status_code == 201, created.text
    assert (created.json["policy_packs"], created.json["purpose"]) == shown


def test_who_has_not_agreed_is_no_contact_where_the_law_wants_it(site: Site) -> None:
    body = site.fields(**BOUND) | {
        "contacts": contacts(NEW_YORK, BERLIN, LONDON, agreed=False) + contacts(FLORIDA)
    }
    created = site.post("/campaigns", json=body)
    assert created.status_code == 201, created.text
    assert (created.json["import"]["accepted"], created.json["import"]["invalid"]) == (2, 2)
    told = rejects(site, created.json["id"])
    assert [line.split(",")[:2] for line in told] == [["1", "consent_missing"], ["2", "consent_missing"]]
    assert "TCPA rules, 47 CFR 64.1200, (a)(2), (a)(3) (policy pack us" in told[0]
    assert "§ 7 Abs. 2 Nr. 1" in told[1]
    assert "fill it in, or leave the row out" in told[1]


def test_a_number_that_may_not_be_shown_calls_nobody_there(site: Site) -> None:
    created = create(site, BERLIN, NEW_YORK, **BOUND)
    assert created.status_code == 201, created.text
    (line,) = rejects(site, created.json["id"])
    assert line.split(",")[:2] == ["1", "caller_id_refused"]
    assert "+14155550100 may not be shown there (Telekommunikationsgesetz (TKG), § 120 Abs. 2" in line


def test_a_long_list_is_read_by_the_same_rules(site: Site) -> None:
    """By a process of its own."""
    lines = [f"+1212555{number:04d},{AGREED if number % 2 else ''}," + "x" * 900 for number in range(100)]
    text = "phone_number,consent_at,note\n" + "\n".join(lines) + "\n"
    created = site.post("/campaigns", **site.multipart(text, **BOUND))
    assert created.status_code == 201, created.text
    assert (created.json["import"]["accepted"], created.json["import"]["invalid"]) == (50, 50)
    assert spans(site, created.json["id"], "+12125550001")


def test_contacts_that_are_added_are_held_to_them_too(site: Site) -> None:
    campaign_id = made(site, NEW_YORK)
    added = site.post(
        f"/campaigns/{campaign_id}/contacts",
        json={"contacts": contacts(FLORIDA) + contacts("+12125550124", agreed=False)},
    )
    assert added.status_code == 201, added.text
    assert [one["code"] for one in added.json["results"]] == [None, "consent_missing"]
    assert within_packs(FLORIDA, "America/New_York", spans(site, campaign_id, FLORIDA))


def test_a_campaign_is_called_only_while_its_window_and_the_packs_are_open(site: Site) -> None:
    free = made(site, NEW_YORK, FLORIDA)
    assert site.get(f"/campaigns/{free}").json["windows"] == [
        {"from": "00:00", "to": "24:00", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}
    ]
    for number in (NEW_YORK, FLORIDA):
        found = spans(site, free, number)
        assert found
        assert within_packs(number, "America/New_York", found)
    assert sum(b - a for a, b in spans(site, free, FLORIDA)) < sum(
        b - a for a, b in spans(site, free, NEW_YORK)
    )
    evening = [{"from": "19:00", "to": "23:00"}]
    narrow = made(site, FLORIDA, windows=evening)
    found = spans(site, narrow, FLORIDA)
    assert {b - a for a, b in found[1:-1]} == {3600}
    assert patch(site, free, windows=evening).status_code == 200
    assert {b - a for a, b in spans(site, free, FLORIDA)[1:-1]} == {3600}
    assert patch(site, free, windows=None).status_code == 200, "the packs still narrow what is at any time"
    assert within_packs(FLORIDA, "America/New_York", spans(site, free, FLORIDA))


def test_another_purpose_holds_at_once_and_off_is_off(site: Site) -> None:
    campaign_id = made(site, FLORIDA)
    sales = spans(site, campaign_id, FLORIDA)
    assert patch(site, campaign_id, purpose="debt").status_code == 200
    assert sum(b - a for a, b in spans(site, campaign_id, FLORIDA)) > sum(b - a for a, b in sales)
    assert patch(site, campaign_id, policy_packs="off").status_code == 200
    ((_, closes),) = spans(site, campaign_id, FLORIDA)
    assert closes
    refused = patch(site, campaign_id, policy_packs="on")
    assert refused.status_code == 409
    assert "create the campaign anew" in refused.text
    log = site.get(f"/campaigns/{campaign_id}/log").json["log"]
    assert log[-1]["details"]["changes"]["policy_packs"] == ["on", "off"]


def test_packs_need_a_time_zone_or_the_tenants(site: Site) -> None:
    refused = create(site, NEW_YORK, purpose="sales")
    assert (refused.status_code, refused.text) == (400, TIME_ZONE)
    changes = {"default_time_zone": "America/New_York"}
    assert site.request("PATCH", f"/tenants/{TENANT}", role="platform", json=changes).status_code == 200
    assert create(site, NEW_YORK, purpose="sales").json["time_zone"] == "America/New_York"


def test_what_binds_is_shown_with_law_paragraph_and_day(site: Site) -> None:
    campaign_id = made(site, FLORIDA, NEW_YORK)
    policy = site.get(f"/campaigns/{campaign_id}").json["policy"]
    assert (policy["packs"], policy["purpose"], policy["advice"]) == ("on", "sales", ADVICE)
    assert [one["places"] for one in policy["places"]] == [["US-FL"], ["US-NY"]]
    florida = {(one["kind"], one["law"], one["paragraph"]) for one in policy["places"][0]["rules"]}
    assert ("hours", "Florida Telephone Solicitation Act, Fla. Stat. 501.616", "(6)(a)") in florida
    assert ("calls", "Florida Telephone Solicitation Act, Fla. Stat. 501.616", "(6)(b)") in florida
    assert all(one["read"] and one["version"] for place in policy["places"] for one in place["rules"])
    assert "policy" not in site.get(f"/campaigns/{site.create(1)}").json


def test_every_pack_can_be_read(site: Site) -> None:
    answer = site.get("/policy-packs", role="read")
    assert answer.status_code == 200, answer.text
    assert [pack["name"] for pack in answer.json["packs"]] == ["au", "ca", "de", "fr", "uk", "us"]
    assert answer.json["advice"] == ADVICE


STRICT = """
format = 1
pack = "us"
version = "2027.1"
title = "United States, stricter"
countries = ["US"]

[[rule]]
{rule}
purposes = ["sales"]
law = "The Later Act"
paragraph = "§ 9"
url = "https://example.test"
read = 2026-11-30
"""


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have another version of a pack take the place of those that are shipped."""

    def use(rule: str) -> None:
        pack: tuple[Pack, ...] = (parse("us", STRICT.format(rule=rule)),)
        original = policies.Policy

        def with_pack(purpose: str | None) -> Policy:
            return original(purpose, pack)

        for module in ("campaigns.policy_choice", "campaigns.list_policies"):
            monkeypatch.setattr(f"{module}.Policy", with_pack)

    return use


def test_a_newer_pack_holds_from_the_next_openings_that_a_dialer_writes(site: Site, newer: Any) -> None:
    campaign_id = made(site, NEW_YORK)
    newer('hours = { windows = [{ from = "10:00", to = "11:00" }] }')
    written_by(site, "packs of before")
    (due,) = openings.due(10)
    assert str(due) == campaign_id
    assert openings.write_one(due) == []
    assert {b - a for a, b in spans(site, campaign_id, NEW_YORK)[1:-1]} == {3600}


def written_by(site: Site, label: str) -> None:
    """Openings are of a process that says so of its tables."""
    site.sql("UPDATE campaign SET openings_by = %s", label)


def test_openings_of_older_tables_are_due_and_those_of_newer_are_not(site: Site) -> None:
    campaign_id = made(site, NEW_YORK)
    assert openings.due(10) == []
    for older in ("tzdata 2026.1, holidays 0.100, packs 0123456789ab", f"{RELEASE - 1}: {TABLES}"):
        written_by(site, older)
        assert [str(one) for one in openings.due(10)] == [campaign_id]
    for newer in (f"{RELEASE + 1}: {TABLES}", f"{RELEASE + 9}: packs of then"):
        written_by(site, newer)
        assert openings.due(10) == []


def test_who_has_older_tables_writes_no_openings_of_whom_he_adds(site: Site) -> None:
    """A web process, while newer dialers run: they are called once one of these has written when."""
    campaign_id = made(site, NEW_YORK)
    written_by(site, f"{RELEASE + 1}: ")
    added = site.post(f"/campaigns/{campaign_id}/contacts", json={"contacts": contacts(NEW_YORK, CHICAGO)})
    assert [one["result"] for one in added.json["results"]] == ["duplicate", "added"]
    assert spans(site, campaign_id, CHICAGO) == []
    assert spans(site, campaign_id, NEW_YORK)
    (row,) = site.sql("SELECT openings_until <= now() AS soon, openings_by FROM campaign")
    assert (row["soon"], row["openings_by"]) == (True, f"{RELEASE + 1}: ")


def test_whom_a_newer_pack_bars_is_called_no_more(site: Site, newer: Any) -> None:
    campaign_id = made(site, LONDON, NEW_YORK, purpose="service", agreed=False)
    newer("consent = true\n# of sales alone")
    assert patch(site, campaign_id, purpose="sales").status_code == 200
    assert spans(site, campaign_id, NEW_YORK) == []
    assert spans(site, campaign_id, LONDON)


LATER = "The Later Act, § 9 (policy pack us 2027.1)"
NO_CONSENT = f"consent_at is empty, and nobody may be called there without consent ({LATER})"


@pytest.mark.parametrize(
    ("rule", "windows", "why"),
    [
        ("consent = true", ALL_DAY, NO_CONSENT),
        (
            'caller_id = { refused = ["geographic", "mobile", "voip"], own_country = true }',
            ALL_DAY,
            f"the campaign's number +442079460100 may not be shown there ({LATER})",
        ),
        (
            'hours = { windows = [{ from = "10:00", to = "11:00" }] }',
            [{"from": "08:00", "to": "09:00"}],
            f"the calling window does not open in its time zones within a year inside the hours of {LATER}",
        ),
    ],
)
def test_who_can_never_be_called_back_is_told_by_which_rule(
    site: Site, newer: Any, rule: str, windows: list[dict[str, Any]], why: str
) -> None:
    campaign_id = made(site, NEW_YORK, purpose="service", agreed=False)
    newer(rule)
    assert patch(site, campaign_id, purpose="sales", windows=windows).status_code == 200
    if "own_country" in rule:
        site.sql("UPDATE phone_number SET e164 = '+442079460100'")
    (contact,) = site.get(f"/campaigns/{campaign_id}/contacts").json["contacts"]
    path = f"/campaigns/{campaign_id}/contacts/{contact['id']}"
    refused = site.request("PATCH", path, json={"next_attempt_at": "2099-01-01T00:00:00Z"})
    assert (refused.status_code, refused.text) == (409, f"Contact can never be called: {why}.")


def test_a_list_for_whom_the_law_leaves_no_hour_is_told_so(site: Site, newer: Any) -> None:
    newer('hours = { windows = [{ from = "10:00", to = "11:00" }] }')
    created = create(site, NEW_YORK, **BOUND | {"windows": [{"from": "08:00", "to": "09:00"}]})
    assert created.status_code == 201, created.text
    (warning,) = created.json["import"]["warnings"]
    assert warning == (
        f"1 contact is cancelled, {NEW_YORK} among them: the window does not open within a year in "
        f"America/New_York inside the hours of {LATER}"
    )


def test_a_call_outside_the_hours_of_a_law_is_refused_with_its_source(site: Site, newer: Any) -> None:
    """A single call, and a test call of a campaign."""
    limiter_state(site)
    default = "UPDATE tenant SET policy_packs = 'on', default_purpose = 'sales', default_time_zone = 'UTC'"
    site.sql(default)
    day = (datetime.now(UTC) + timedelta(days=3)).strftime("%a").lower()
    newer(f'hours = {{ windows = [{{ from = "00:00", to = "24:00", days = ["{day}"] }}] }}')
    allow(site, NEW_YORK)
    campaign_id = made(site, FLORIDA)
    for refused in (originate(site, to=NEW_YORK), trial(site, campaign_id, NEW_YORK)):
        assert refused.status_code == 409
        assert refused.text.startswith(f"It is outside the hours of {LATER}, which begin at 20"), refused.text
    shut = [{"from": "00:00", "to": "24:00", "days": [DAYS[DAYS.index(day) - 1]]}]
    noon = {"from": "12:00", "to": "13:00", "days": [day]}
    assert patch(site, campaign_id, windows=[*shut, noon]).status_code == 200
    refused = trial(site, campaign_id, NEW_YORK)
    both = f"It is outside the calling window and the hours of {LATER}; both are open at 20"
    assert (refused.status_code, refused.text[: len(both)]) == (409, both)
    assert patch(site, campaign_id, windows=shut).status_code == 200
    never = (
        "The number can never be called: the calling window does not open in its time zones within a year "
        f"inside the hours of {LATER}."
    )
    assert trial(site, campaign_id, NEW_YORK).text == never


def test_who_may_not_show_the_number_or_rings_too_short_is_not_started(site: Site, newer: Any) -> None:
    campaign_id = made(site, NEW_YORK)
    newer("ring_seconds = 40")
    refused = site.post(f"/campaigns/{campaign_id}/start")
    assert refused.status_code == 409
    assert refused.text == (
        "ring_timeout_seconds of the campaign's agent is 30; in US-NY it must be 40 or more: "
        "The Later Act, § 9 (policy pack us 2027.1)."
    )
    newly = create(site, NEW_YORK, **BOUND)
    assert (newly.status_code, newly.text) == (409, refused.text)
    newer('caller_id = { refused = ["mobile"], own_country = true }')
    assert site.post(f"/campaigns/{campaign_id}/start").status_code == 200


def test_a_clone_is_bound_as_its_source(site: Site) -> None:
    source = made(site, FLORIDA)
    site.move_contact(source, 1, "failed")
    clone = site.post(f"/campaigns/{source}/clone", query_string={"status": "failed"})
    assert clone.status_code == 201, clone.text
    assert (clone.json["policy_packs"], clone.json["purpose"]) == ("on", "sales")
    # The first and the last are cut where each was made, and so far ahead of that.
    own = spans(site, clone.json["id"], FLORIDA)[1:-1]
    assert len(own) > 5
    assert set(own) <= set(spans(site, source, FLORIDA))


def test_a_key_column_is_one_of_the_list(site: Site) -> None:
    listed = [{"phone_number": NEW_YORK, "consent_at": AGREED, "debt_id": "4711"}]
    body = site.fields(**BOUND, key_column="debt") | {"contacts": listed}
    refused = site.post("/campaigns", json=body)
    assert refused.status_code == 400
    assert refused.text.startswith("key_column is 'debt'; it must be a column of the list, which are: ")
    created = site.post("/campaigns", json=body | {"key_column": "debt_id"})
    assert (created.status_code, created.json["key_column"]) == (201, "debt_id")
    assert patch(site, created.json["id"], key_column="debt").status_code == 400
    assert patch(site, created.json["id"], key_column=None).json["key_column"] is None


def test_a_form_says_the_same(site: Site) -> None:
    text = f"phone_number,consent_at\n{FLORIDA},{AGREED}\n"
    created = site.post(
        "/campaigns", data=site.form(text, **BOUND, windows=json.dumps([{"from": "09:00", "to": "17:00"}]))
    )
    assert created.status_code == 201, created.text
    assert created.json["policy_packs"] == "on"
    assert places_of(FLORIDA) == ("US-FL",)
    refused = site.post("/campaigns", data=site.form(text, purpose="marketing"))
    assert (refused.status_code, refused.text) == (
        400,
        "purpose is 'marketing'; it must be one of sales, service, debt, research, emergency.",
    )


@pytest.mark.parametrize("asked", [{"policy_packs": "off"}, {"purpose": "emergency"}])
def test_who_waits_for_a_pack_that_binds_no_more_is_judged_anew(
    site: Site, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(number_waits, "SLICE", 1)
    freed, other = made(site, NEW_YORK, FLORIDA, CHICAGO), made(site, NEW_YORK)
    site.sql(
        "UPDATE contact SET next_attempt_at = now() + interval '9 h',"
        " wait_reason = CASE WHEN phone_number <> %s THEN 'number_cap' END",
        CHICAGO,
    )
    assert patch(site, freed, name="Nobody is let go").status_code == 200
    waiting = "SELECT count(*)::int AS n FROM contact WHERE next_attempt_at > now()"
    assert site.sql(waiting) == [{"n": 4}]
    assert patch(site, freed, **asked).status_code == 200
    left = site.sql("SELECT campaign_id, phone_number FROM contact WHERE next_attempt_at > now()")
    assert {(str(row["campaign_id"]), row["phone_number"]) for row in left} == {
        (freed, CHICAGO),
        (other, NEW_YORK),
    }


def as_an_older_release_adds_it(site: Site, campaign_id: str, number: str) -> None:
    """It knows the zones of who is called, and nothing of laws."""
    group = f"SELECT zone_group FROM contact WHERE campaign_id = %s AND phone_number = '{number}'"
    site.sql(
        f"UPDATE campaign_zone SET places = DEFAULT, consented = DEFAULT WHERE zone_group = ({group})",
        campaign_id,
    )
    site.sql("DELETE FROM opening WHERE campaign_id = %s", campaign_id)


def test_laws_bind_contacts_whose_places_nobody_noted(site: Site) -> None:
    campaign_id = made(site, FLORIDA, windows=ALL_DAY)
    by_law = spans(site, campaign_id, FLORIDA)
    as_an_older_release_adds_it(site, campaign_id, FLORIDA)
    with transaction():
        assert openings.write(uuid.UUID(campaign_id)) == []
    found = spans(site, campaign_id, FLORIDA)
    assert within_packs(FLORIDA, "America/New_York", found[1:-1])
    assert found[1:-1] == by_law[1:-1]


def test_who_has_not_agreed_as_far_as_anybody_noted_is_not_called_where_the_law_wants_it(site: Site) -> None:
    campaign_id = made(site, FLORIDA, windows=ALL_DAY)
    assert spans(site, campaign_id, FLORIDA)
    as_an_older_release_adds_it(site, campaign_id, FLORIDA)
    site.sql("UPDATE contact SET consent_at = NULL")
    with transaction():
        (group,) = openings.write(uuid.UUID(campaign_id))
        (gone,) = openings.cancel_never_open(uuid.UUID(campaign_id), [group])
    assert spans(site, campaign_id, FLORIDA) == []
    assert "1 contact is cancelled" in str(gone)
    assert gone.barred_by is not None
