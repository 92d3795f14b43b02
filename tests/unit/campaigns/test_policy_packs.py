"""The format of policy packs, and every rule of the six that are shipped: where it binds, and for whom."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonenumbers.geodata import GEOCODE_DATA

from campaigns import time_zones
from campaigns.places import ANYWHERE, AREA_CODES, places_of
from campaigns.policies import NumberLimits, Policy, strictest
from campaigns.policy_packs import (
    PURPOSES,
    Abandoned,
    Calls,
    PackRefusedError,
    Rule,
    packs,
    packs_version,
    parse,
)
from campaigns.windows import DAY, Span, Windows, common

HEAD = 'format = 1\npack = "xx"\nversion = "1"\ntitle = "Nowhere"\ncountries = ["US"]\n'
SOURCE = 'purposes = ["sales"]\nlaw = "An Act"\nparagraph = "§ 1"\nurl = "https://example.test"\nread = 2026-11-30\n'
RULE = f"{HEAD}[[rule]]\nconsent = true\n{SOURCE}"

FLORIDA, NEW_YORK, LONDON = "+13055550123", "+12125550123", "+442079460123"
BERLIN, PARIS, TORONTO, SYDNEY = "+493012345678", "+33142685300", "+14165550123", "+61293744000"
FREE = "+18005550123"


def local(day: str, time: str, zone: str) -> int:
    return round(datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=time_zones.zone(zone)).timestamp())


def is_open(number: str, zone: str, day: str, time: str, purpose: str | None = "sales") -> bool:
    at = local(day, time, zone)
    hours = Policy(purpose).demands_of(number).hours
    return all(windows.openings(zone, at, at + 1) for windows in hours)


# 2026-12-01 is a Tuesday.
TUESDAY, SATURDAY, SUNDAY = "2026-12-01", "2026-12-05", "2026-12-06"
HOURS = [
    # number, zone, purpose, day, the first second that is open and the first that is not any more
    (NEW_YORK, "America/New_York", "sales", TUESDAY, "08:00:00", "21:00:00"),
    (NEW_YORK, "America/New_York", "debt", SUNDAY, "08:00:00", "21:00:00"),
    (FLORIDA, "America/New_York", "sales", TUESDAY, "08:00:00", "20:00:00"),
    ("+14055550123", "America/Chicago", "sales", TUESDAY, "08:00:00", "20:00:00"),
    ("+12065550123", "America/Los_Angeles", "sales", SUNDAY, "08:00:00", "20:00:00"),
    ("+14105550123", "America/New_York", "sales", TUESDAY, "08:00:00", "20:00:00"),
    ("+12055550123", "America/Chicago", "sales", SATURDAY, "08:00:00", "20:00:00"),
    ("+12035550123", "America/New_York", "sales", TUESDAY, "09:00:00", "20:00:00"),
    ("+15025550123", "America/New_York", "sales", TUESDAY, "10:00:00", "21:00:00"),
    ("+15045550123", "America/Chicago", "sales", SATURDAY, "08:00:00", "20:00:00"),
    ("+16175550123", "America/New_York", "sales", TUESDAY, "08:00:00", "20:00:00"),
    ("+13135550123", "America/Detroit", "sales", TUESDAY, "09:00:00", "21:00:00"),
    ("+16125550123", "America/Chicago", "sales", TUESDAY, "09:00:00", "21:00:00"),
    ("+16015550123", "America/Chicago", "sales", SATURDAY, "08:00:00", "20:00:00"),
    ("+17025550123", "America/Los_Angeles", "sales", TUESDAY, "09:00:00", "20:00:00"),
    ("+15055550123", "America/Denver", "sales", TUESDAY, "09:00:00", "21:00:00"),
    (PARIS, "Europe/Paris", "sales", TUESDAY, "10:00:00", "13:00:00"),
    (PARIS, "Europe/Paris", "sales", TUESDAY, "14:00:00", "20:00:00"),
    (TORONTO, "America/Toronto", "sales", TUESDAY, "09:00:00", "21:30:00"),
    (TORONTO, "America/Toronto", "sales", SUNDAY, "10:00:00", "18:00:00"),
    (SYDNEY, "Australia/Sydney", "sales", TUESDAY, "09:00:00", "20:00:00"),
    (SYDNEY, "Australia/Sydney", "sales", SATURDAY, "09:00:00", "17:00:00"),
    (SYDNEY, "Australia/Sydney", "research", TUESDAY, "09:00:00", "20:30:00"),
    (SYDNEY, "Australia/Sydney", "research", SUNDAY, "09:00:00", "17:00:00"),
    # A toll-free number may be of either country, and is bound by both.
    (FREE, "America/Toronto", "sales", TUESDAY, "09:00:00", "21:00:00"),
]
CLOSED = [
    ("+12055550123", "America/Chicago", "sales", SUNDAY),
    ("+12055550123", "America/Chicago", "sales", "2026-12-25"),
    ("+15045550123", "America/Chicago", "sales", SUNDAY),
    ("+15045550123", "America/Chicago", "sales", "2026-12-25"),
    ("+16015550123", "America/Chicago", "sales", SUNDAY),
    (PARIS, "Europe/Paris", "sales", SATURDAY),
    (PARIS, "Europe/Paris", "sales", "2026-12-25"),
    (SYDNEY, "Australia/Sydney", "sales", SUNDAY),
    (SYDNEY, "Australia/Sydney", "sales", "2026-12-25"),
    (SYDNEY, "Australia/Sydney", "research", "2026-12-25"),
]


@pytest.mark.parametrize("case", HOURS)
def test_the_hours_of_a_pack_are_right_to_the_second(case: tuple[str, str, str, str, str, str]) -> None:
    number, zone, purpose, day, opens, closes = case
    first, after = (datetime.fromisoformat(f"{day}T{time}") for time in (opens, closes))
    assert is_open(number, zone, day, opens, purpose)
    second = timedelta(seconds=1)
    assert not is_open(number, zone, day, (first - second).time().isoformat(), purpose)
    assert is_open(number, zone, day, (after - second).time().isoformat(), purpose)
    assert not is_open(number, zone, day, closes, purpose)


@pytest.mark.parametrize(("number", "zone", "purpose", "day"), CLOSED)
def test_on_days_without_hours_nobody_is_called(number: str, zone: str, purpose: str, day: str) -> None:
    assert not any(is_open(number, zone, day, f"{hour:02}:00:00", purpose) for hour in range(24))


CAPS = [
    (FLORIDA, "sales", (3, None, None)),
    ("+14055550123", "sales", (3, None, None)),
    ("+14105550123", "sales", (3, None, None)),
    (NEW_YORK, "sales", (None, None, None)),
    (NEW_YORK, "debt", (None, 7, None)),
    (PARIS, "sales", (None, None, 4)),
    (LONDON, "sales", (None, None, None)),
    (FLORIDA, None, (3, 7, None)),
]


@pytest.mark.parametrize(("number", "purpose", "limits"), CAPS)
def test_how_often_a_number_may_be_called(
    number: str, purpose: str | None, limits: tuple[int | None, int | None, int | None]
) -> None:
    assert NumberLimits().strictest(Policy(purpose).demands_of(number)) == NumberLimits(*limits)


def test_the_tenants_own_caps_hold_where_they_are_less() -> None:
    demands = Policy("sales").demands_of(FLORIDA)
    assert NumberLimits(2, 9, None).strictest(demands) == NumberLimits(2, 9, None)
    assert NumberLimits(5, 9, 12).strictest(demands) == NumberLimits(3, 9, 12)


@pytest.mark.parametrize(
    ("number", "purpose", "wanted"),
    [
        (NEW_YORK, "sales", True),
        (NEW_YORK, "debt", False),
        (BERLIN, "sales", True),
        (BERLIN, "service", False),
        (PARIS, "sales", True),
        (PARIS, None, True),
        (LONDON, "sales", False),
        (TORONTO, "sales", False),
        (SYDNEY, "sales", False),
        (FREE, "sales", True),
        (PARIS, "emergency", False),
    ],
)
def test_who_must_have_agreed(number: str, purpose: str | None, wanted: bool) -> None:
    demands = Policy(purpose).demands_of(number)
    assert (demands.consent is not None) == wanted
    assert (demands.bars("+12125550199", consented=False) is not None) >= wanted


@pytest.mark.parametrize(("number", "seconds"), [(NEW_YORK, 15), (LONDON, 15), (BERLIN, 0)])
def test_for_how_long_a_call_rings(number: str, seconds: int) -> None:
    assert Policy("sales").demands_of(number).ring_seconds == seconds


@pytest.mark.parametrize(
    ("number", "purpose", "limits"),
    [
        (NEW_YORK, "sales", {("live", 720): 3}),
        (NEW_YORK, "service", {}),
        (LONDON, "service", {("live", 24): 3}),
        (TORONTO, "sales", {("live", 720): 5}),
        (FREE, "sales", {("live", 720): 3}),
        (BERLIN, "sales", {}),
    ],
)
def test_how_many_calls_may_be_abandoned(
    number: str, purpose: str, limits: dict[tuple[str, int], float]
) -> None:
    found = [rule.demand for rule in Policy(purpose).demands_of(number).abandoned()]
    assert {(one.of, one.hours): one.percent for one in found if isinstance(one, Abandoned)} == limits


@pytest.mark.parametrize(
    ("number", "caller_id", "refused"),
    [
        (BERLIN, "+493098765432", False),
        (BERLIN, LONDON, True),
        (BERLIN, "+499001234567", True),
        (BERLIN, "+4918012345", True),
        (PARIS, "+33612345678", True),
        (PARIS, "+33939123456", False),
        (LONDON, "+449098790123", True),
        (LONDON, LONDON, False),
        (NEW_YORK, "+19005550123", True),
        (NEW_YORK, "+12125550199", False),
        (TORONTO, "+19005550123", True),
        (SYDNEY, "+611900654321", True),
    ],
)
def test_which_number_may_be_shown(number: str, caller_id: str, refused: bool) -> None:
    rule = Policy("sales").demands_of(number).refusing(caller_id)
    assert (rule is not None) == refused


@pytest.mark.parametrize(
    ("number", "purpose", "after", "hours"),
    [
        (NEW_YORK, "debt", "answered", 168),
        (NEW_YORK, "sales", "answered", 0),
        (LONDON, "service", "abandoned", 72),
        (LONDON, "service", "machine", 72),
        (LONDON, "emergency", "abandoned", 0),
        (BERLIN, "sales", "abandoned", 0),
    ],
)
def test_how_long_a_number_is_left_alone(number: str, purpose: str, after: str, hours: int) -> None:
    assert Policy(purpose).demands_of(number).cool_off_hours(after) == hours


def test_whose_purpose_nobody_names_is_bound_by_the_rules_of_all() -> None:
    for number in (FLORIDA, LONDON, BERLIN, PARIS, TORONTO, SYDNEY, FREE):
        unnamed = {id(rule) for rule in Policy(None).demands_of(number).rules}
        for purpose in PURPOSES:
            assert {id(rule) for rule in Policy(purpose).demands_of(number).rules} <= unnamed


def test_every_rule_says_where_it_comes_from_and_none_binds_an_emergency() -> None:
    assert [pack.name for pack in packs()] == ["au", "ca", "de", "fr", "uk", "us"]
    for rule in (rule for pack in packs() for rule in pack.rules):
        assert rule.source.law
        assert rule.source.paragraph
        assert rule.source.url.startswith("https://")
        assert date(2026, 11, 1) <= rule.source.read <= date(2026, 12, 31)
        assert "emergency" not in rule.purposes
        assert rule.told()["pack"] == rule.source.pack
        assert rule.source.law in str(rule.source)
        assert rule.source.version in str(rule.source)


def test_a_place_is_that_of_the_number() -> None:
    assert places_of(FLORIDA) == ("US-FL",)
    assert places_of(TORONTO) == ("CA-ON",)
    assert places_of(FREE) == ANYWHERE
    assert places_of("+17875550123") == ("PR",)
    assert places_of("+18495550123") == ("DO",)
    assert places_of(LONDON) == ("GB", "GG", "IM", "JE")
    assert places_of("+88216123456") == ()


def test_the_area_codes_are_those_of_libphonenumber() -> None:
    names = {
        "California": "US-CA",
        "Florida": "US-FL",
        "Washington State": "US-WA",
        "Ontario": "CA-ON",
        "Texas": "US-TX",
    }
    told = {
        key[1:]: texts.get("en") for key, texts in GEOCODE_DATA.items() if len(key) == 4 and key[0] == "1"
    }
    assert set(told) <= AREA_CODES.keys()
    for area, name in told.items():
        if name in names:
            assert AREA_CODES[area] == names[name], area
    # One name is of one place, but for what several provinces share.
    by_name: dict[str | None, set[str]] = {}
    for area, name in told.items():
        by_name.setdefault(name, set()).add(AREA_CODES[area])
    assert all(len(places) == 1 for places in by_name.values())


@pytest.mark.parametrize(
    ("text", "where", "rule"),
    [
        ("format = ", "xx", "Invalid value"),
        (RULE.replace("format = 1", "format = 2"), "xx.format", "this release reads format 1"),
        (RULE.replace('pack = "xx"', 'pack = "yy"'), "xx.pack", "the name of the file"),
        (RULE.replace('["US"]', '["usa"]'), "xx.countries.0", "nothing of that name"),
        (RULE.replace("consent = true", "consent = false"), "xx.rule.0.consent", "one of True"),
        (RULE.replace("consent = true", ""), "xx.rule.0", "one of hours, calls"),
        (
            RULE.replace("consent = true", "consent = true\nring_seconds = 15"),
            "xx.rule.0",
            "one of hours, calls",
        ),
        (RULE.replace("consent = true", "allow = true\nconsent = true"), "xx.rule.0.allow", "no such field"),
        (RULE.replace("consent = true", "ring_seconds = 500"), "xx.rule.0.ring_seconds", "from 1 to 120"),
        (RULE.replace("consent = true", "ring_seconds = true"), "xx.rule.0.ring_seconds", "type int"),
        (
            RULE.replace("consent = true", "calls = { most = 0, hours = 24 }"),
            "xx.rule.0.calls.most",
            "from 1",
        ),
        (
            RULE.replace("consent = true", "calls = { most = 1, hours = 25 }"),
            "xx.rule.0.calls.hours",
            "one of 24",
        ),
        (
            RULE.replace("consent = true", 'abandoned = { percent = 0, of = "live", hours = 24 }'),
            "xx.rule.0.abandoned.percent",
            "more than 0",
        ),
        (
            RULE.replace("consent = true", 'hours = { windows = [{ from = "21:00", to = "08:00" }] }'),
            "xx.rule.0.hours.windows.0.to",
            "later than from",
        ),
        (
            RULE.replace("consent = true", 'hours = { windows = [{ from = "21:00" }] }'),
            "xx.rule.0.hours",
            "each must have from and to",
        ),
        (
            RULE.replace(
                "consent = true", 'hours = { windows = [{ from = "08:00", to = "21:00", days = ["mo"] }] }'
            ),
            "xx.rule.0.hours",
            "days of mon to sun",
        ),
        (RULE.replace('["sales"]', '["marketing"]'), "xx.rule.0.purposes.0", "nothing of that name"),
        (RULE.replace('["sales"]', "[]"), "xx.rule.0.purposes", "one at least"),
        (RULE.replace('law = "An Act"\n', ""), "xx.rule.0.law", "required"),
        (RULE.replace('"§ 1"', '""'), "xx.rule.0.paragraph", "not be empty"),
        (RULE.replace("read = 2026-11-30", 'read = "lately"'), "xx.rule.0.read", "type date"),
        (RULE + 'regions = ["CA-ON"]\n', "xx.rule.0.regions.0", "nothing of that name"),
    ],
)
def test_a_pack_that_cannot_be_says_where_and_why(text: str, where: str, rule: str) -> None:
    with pytest.raises(PackRefusedError) as refused:
        parse("xx", text)
    assert refused.value.where == where
    assert rule in str(refused.value)
    assert where in str(refused.value)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(PackRefusedError):
        parse("xx", text)


def test_another_text_of_a_pack_is_another_version(tmp_path: Path) -> None:
    file = tmp_path / "xx.toml"
    file.write_text(RULE)
    before = packs_version(tmp_path)
    packs_version.cache_clear()
    file.write_text(RULE.replace("2026-11-30", "2026-12-01"))
    assert packs_version(tmp_path) != before
    assert packs(tmp_path)[0].rules[0].source.read == date(2026, 12, 1)


def _spans(times: list[int]) -> list[dict[str, str]]:
    texts = [f"{at // 60:02}:{at % 60:02}" for at in sorted(times)]
    return [{"from": start, "to": end} for start, end in list(pairwise(texts))[::2]]


own_hours = st.lists(st.integers(0, 24 * 60), min_size=2, max_size=8, unique=True).map(_spans)
own_caps = st.tuples(*[st.none() | st.integers(1, 20)] * 3)
numbers = st.sampled_from(
    [FLORIDA, NEW_YORK, LONDON, BERLIN, PARIS, TORONTO, SYDNEY, FREE, "+15045550123", "+34911234567"]
)


def inside(spans: list[Span], outer: list[Span]) -> bool:
    return common(spans, outer) == spans


@given(own_hours, own_caps, numbers, st.none() | st.sampled_from(PURPOSES), st.integers(0, 700))
@example(_spans([0, 481]), (None, None, None), "+15045550123", None, 3)
def test_no_pack_ever_loosens_what_a_campaign_has(
    own: list[dict[str, str]],
    caps: tuple[int | None, int | None, int | None],
    number: str,
    purpose: str | None,
    day: int,
) -> None:
    """What may be is what the campaign allows and what every rule allows."""
    demands = Policy(purpose).demands_of(number)
    start = 1_790_000_000 + day * DAY
    end = start + 3 * DAY
    campaign = Windows.from_json(own)
    bound = campaign.within(demands.hours)
    for zone in ("America/New_York", "Europe/Paris"):
        effective = bound.openings_of_all([zone], start, end)
        assert inside(effective, campaign.openings_of_all([zone], start, end))
        for hours in demands.hours:
            assert inside(effective, hours.openings_of_all([zone], start, end))
    limits = NumberLimits(*caps).strictest(demands)
    for mine, theirs in zip(caps, (limits.calls_24h, limits.calls_7d, limits.calls_30d), strict=True):
        assert mine is None or (theirs is not None and theirs <= mine)
    for rule in demands.rules:
        if isinstance(rule.demand, Calls):
            cap = dict(
                zip((24, 168, 720), (limits.calls_24h, limits.calls_7d, limits.calls_30d), strict=True)
            )
            found = cap[rule.demand.hours]
            assert found is not None
            assert found <= rule.demand.most


@given(numbers, st.none() | st.sampled_from(PURPOSES), st.data())
def test_more_rules_are_never_less_strict(number: str, purpose: str | None, data: st.DataObject) -> None:
    """Whatever rules are added, of whichever pack, nothing is allowed that was not before."""
    demands = Policy(purpose).demands_of(number)
    others = [rule for pack in packs() for rule in pack.rules]
    added = data.draw(st.lists(st.sampled_from(others), max_size=5))
    more = type(demands)(demands.places, (*demands.rules, *added))
    assert more.ring_seconds >= demands.ring_seconds
    for hours in (24, 168, 720):
        before, after = demands.calls(hours), more.calls(hours)
        assert before is None or (after is not None and after <= before)
    for after_word in ("answered", "abandoned", "machine"):
        assert more.cool_off_hours(after_word) >= demands.cool_off_hours(after_word)
    assert (more.consent is not None) >= (demands.consent is not None)
    for caller in (LONDON, "+33612345678", NEW_YORK):
        assert (more.refusing(caller) is not None) >= (demands.refusing(caller) is not None)


def test_what_is_told_has_the_strictest_of_each_kind() -> None:
    demands = Policy(None).demands_of(FREE)
    kept: list[Rule] = strictest(demands.rules)
    rates = [rule.demand.percent for rule in kept if isinstance(rule.demand, Abandoned)]
    assert rates == [3]
