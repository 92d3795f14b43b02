"""A preview says what a list would become, to the row, and keeps nothing; its corrected list is imported as it is."""

from __future__ import annotations

import csv
import io
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.routes import list_body
from campaigns.list_doctor import NOT_CORRECTED
from tests.examples import PART, share
from tests.integration.api.site import Site, csv_of
from tests.unit.campaigns.test_list_shapes import SHAPES
from tests.unit.campaigns.test_nasty_lists import REFUSED, RIGHT
from tests.workbook import Rows, workbook

COUNTED = ("rows", "accepted", "duplicates", "invalid", "suppressed")
TABLES = ("campaign", "contact", "import_reject", "campaign_zone", "campaign_log", "idempotency")
CORPUS = [
    (one.name, one.text.encode() if isinstance(one.text, str) else one.text, one.encoding, one.region)
    for one in SHAPES
]
CORPUS += [(one.name, one.data, one.encoding, "US") for one in (*RIGHT, *REFUSED)]


@pytest.fixture(params=["here", "elsewhere"])
def read_where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    where: str = request.param
    monkeypatch.setattr(list_body, "SHORT_BYTES", 0 if where == "elsewhere" else 10**9)
    return where


def preview(site: Site, data: str | bytes, form: str = "", **changes: Any) -> Any:
    return site.post(f"/campaigns/preview{form}", data=site.form(data, **changes))


def kept(site: Site) -> dict[str, int]:
    return {table: site.sql(f"SELECT count(*) AS n FROM {table}")[0]["n"] for table in TABLES}


def tables(site: Site) -> int:
    (found,) = site.sql("SELECT count(*)::int AS n FROM pg_class WHERE relkind = 'r'")
    number: int = found["n"]
    return number


def agrees(site: Site, name: str, data: bytes, **changes: Any) -> None:
    """A preview and the import of the same list say the same, and the preview kept nothing."""
    before = kept(site)
    told = preview(site, data, **changes)
    assert kept(site) == before
    made = site.post("/campaigns", data=site.form(data, **changes), headers={"Accept": "application/json"})
    if made.status_code == 409:
        assert (told.status_code, told.text) == (409, made.json["detail"]), name
        return
    assert told.status_code == 200, (name, told.text)
    refused = told.json["refused"]
    if made.status_code == 400:
        assert refused is not None, made.text
        assert refused["code"] == made.json["code"]
        assert made.json["detail"].startswith(refused["reason"])
        return
    assert refused is None, name
    imported = made.json["import"]
    assert {one: told.json[one] for one in COUNTED} == {one: imported[one] for one in COUNTED}, name
    assert told.json["warnings"][: len(imported["warnings"])] == imported["warnings"]
    assert told.json["cancelled"] == made.json["counts"]["cancelled"]
    bound = site.get(f"/campaigns/{made.json['id']}").json.get("policy")
    assert told.json["policy"] == (bound and {word: bound[word] for word in bound if word != "abandoned"})
    columns = [
        {k: one[k] for k in ("column", "header", "variable")}
        for one in told.json["columns"]
        if one["variable"]
    ]
    assert columns == imported["columns"]
    by_code = {one["code"]: one["rows"] for one in told.json["codes"]}
    rejects = list(
        csv.DictReader(io.StringIO(site.get(imported["rejects_url"].removeprefix("/api/v1")).text))
    )
    assert by_code == {
        code: sum(row["code"] == code for row in rejects) for code in {row["code"] for row in rejects}
    }
    assert sum(one["contacts"] for one in told.json["countries"]) == imported["accepted"]
    assert sum(one["contacts"] for one in told.json["zones"]) == imported["accepted"]


def test_a_preview_says_what_the_import_then_says(site: Site, read_where: str) -> None:
    # There it is a process for each.
    for name, data, encoding, region in share(CORPUS, 0, PART if read_where == "here" else 40):
        agrees(site, f"{name}, {read_where}", data, encoding=encoding, default_region=region)


def test_so_it_does_of_who_must_not_be_called_and_of_windows_that_never_open(
    site: Site, read_where: str
) -> None:
    for number in ("+14155550101", "+442079460018"):
        assert site.post("/suppressions", json={"number": number, "source": "phone"}).status_code == 201
    site.post("/privacy/erase", json={"number": "+14155550103"}, role="admin")
    text = "phone_number,time_zone\n" + "".join(f"+1415555{100 + n:04d},\n" for n in range(8))
    text += "+442079460018,\n+442079460019,Europe/London\n+442079460019,\n+442079460020,Mars\n"
    changes = {
        "time_zone": "America/New_York",
        "windows": '[{"days": ["mon"], "from": "10:00", "to": "11:00"}]',
        "holidays": '{"dates": []}',
    }
    agrees(site, read_where, text.encode(), **changes)
    told = preview(site, text, **changes).json
    assert [(one["code"], one["rows"]) for one in told["codes"]] == [
        ("suppressed", 3), ("bad_time_zone", 1), ("duplicate", 1),
    ]  # fmt: skip
    suppressed = told["codes"][0]["examples"]
    assert [(row["line"], row["raw"]) for row in suppressed] == [
        (3, "+14155550101,"),
        (5, "erased"),
        (10, "+442079460018,"),
    ]
    assert [row["code"] for row in told["first_rows"]][:4] == [None, "suppressed", None, "suppressed"]
    assert told["countries"] == [{"country": "US", "contacts": 6}, {"country": "GB", "contacts": 1}]
    assert told["zones"][0] == {"zones": ["America/Los_Angeles"], "contacts": 6}


@pytest.mark.parametrize("ring", [None, 10])
def test_so_it_does_of_what_policy_packs_ask(site: Site, ring: int | None) -> None:
    if ring is not None:
        # Of an older release, perhaps: no agent can be made so.
        site.sql("ALTER TABLE agent DROP CONSTRAINT agent_ring_timeout_seconds_check")
        site.sql("UPDATE agent SET ring_timeout_seconds = %s WHERE id = %s", ring, site.agent_id)
    numbers = [
        "+14155550100",
        "+13055550100",
        "+442079460018",
        "+493023125001",
        "+33142685300",
        "+14165550100",
    ]
    lines = [f"{number},{when}" for number in numbers for when in ("", "2026-01-31")]
    rejected = set[str]()
    for purpose in ("sales", "research", "emergency"):
        data = ("phone_number,consent_at\n" + "\n".join(lines) + "\n").encode()
        changes = {"purpose": purpose, "time_zone": "America/New_York"}
        agrees(site, purpose, data, **changes)
        told = preview(site, data, **changes)
        rejected |= {one["code"] for one in told.json["codes"]} if told.status_code == 200 else {"409"}
    assert ("consent_missing" if ring is None else "409") in rejected


def test_the_rules_that_would_bind_it_are_told_before_it_is_made(site: Site) -> None:
    text = "phone_number,consent_at\n+13055550100,2026-01-31\n+442079460018,2026-01-31\n+4532123456,\n+4720123456,\n"
    bound = {"purpose": "sales", "time_zone": "America/New_York"}
    policy = preview(site, text, **bound).json["policy"]
    assert (policy["packs"], policy["purpose"], "Not legal advice" in policy["advice"]) == (
        "on",
        "sales",
        True,
    )
    # Where no pack says anything is told once, however many countries that is.
    assert [one["places"] for one in policy["places"]] == [[], ["US-FL"], ["GB", "GG", "IM", "JE"]]
    florida = {(rule["kind"], rule["law"]) for rule in policy["places"][1]["rules"]}
    assert ("hours", "Florida Telephone Solicitation Act, Fla. Stat. 501.616") in florida
    assert preview(site, text).json["policy"] is None
    assert preview(site, text, **bound, policy_packs="off").json["policy"] is None
    assert preview(site, text, **bound, phone_number_id=None).json["policy"] is None
    nobody = preview(site, "phone_number\n12\n", **bound).json
    assert (nobody["refused"]["code"], nobody["policy"]["places"]) == ("no_good_row", [])


def test_of_a_list_that_nobody_is_left_of_both_say_so(site: Site) -> None:
    site.post("/suppressions", json={"prefix": "+1415", "source": "phone"})
    agrees(site, "all suppressed", csv_of(3).encode())


def test_the_columns_are_told_as_they_are_understood(site: Site) -> None:
    text = "\ufeffphone_number;Имя;Country;timezone;consent_at;consent_source;\n"
    text += "+14155550100;Ann;US;;2026-01-31;web;\n"
    told = preview(site, text, name=None, agent_id=None, phone_number_id=None).json
    assert [(one["column"], one["used_for"]) for one in told["columns"]] == [
        ("phone_number", "number"), ("Имя", "custom_field"), ("Country", "country"), ("timezone", "time_zone"),
        ("consent_at", "consent_at"), ("consent_source", "consent_source"),
    ]  # fmt: skip
    assert (told["encoding"], told["delimiter"]) == ("utf-8", ";")
    assert told["first_rows"][0]["cells"]["Имя"] == "Ann"


def test_of_a_list_without_its_column_the_likeliest_is_looked_at(site: Site) -> None:
    told = preview(site, "Name;Mobile\nAnn;(415) 555-0100\nBob;1.4155E+10\n").json
    assert told["refused"]["code"] == "no_phone_column"
    assert (told["refused"]["guess"], told["accepted"], told["invalid"]) == ("Mobile", 1, 1)
    assert told["codes"][0]["code"] == "excel_scientific"
    assert "export the list anew" in told["codes"][0]["remedy"]
    corrected = preview(site, "Name;Mobile\nAnn;(415) 555-0100\nBob;1.4155E+10\n", "?format=csv")
    assert corrected.text == "\ufeffName,phone_number\r\nAnn,'+14155550100\r\nBob,1.4155E+10\r\n"


def test_what_looks_like_a_mistake_is_told(site: Site) -> None:
    rows = [f"+1415555{100 + n:04d},Person {n},n{n}@example.com" for n in range(9)]
    rows += ["+14155550100,x,y", "(415) 555-0100,z,w", "+442079460018,Person 3,n3@example.com"]
    told = preview(site, "phone_number,name,email\n" + "\n".join(rows) + "\n").json
    assert told["repeats"] == [
        {"what": "number", "value": "+14155550100", "first_line": 2, "rows": 3},
        {"what": "person", "value": rows[-1], "first_line": 5, "rows": 2},
    ]
    assert told["warnings"] == [
        "the numbers are of 2 countries (9 in US, 1 in GB); look whether all of them are meant"
    ]


def test_objects_are_looked_at_as_they_would_be_imported(site: Site, read_where: str) -> None:
    contacts: list[Any] = [
        {"phone_number": "+14155550100", "n": "=1"},
        {"phone_number": 4155550101, "m": None},
    ]
    contacts += [
        {"phone_number": "+14155550100"},
        {"phone_number": "x", "n": "\ud800"},
        {"phone_number": [1]},
    ]
    body = site.fields() | {"contacts": contacts}
    there = tables(site)
    told = site.post("/campaigns/preview", json=body)
    assert told.status_code == 200, (read_where, told.text)
    made = site.post("/campaigns", json=body).json["import"]
    assert {name: told.json[name] for name in COUNTED} == {name: made[name] for name in COUNTED}
    corrected = site.post("/campaigns/preview?format=csv", json=body).text
    assert tables(site) == there
    assert corrected == "\ufeffphone_number,n,m\r\n'+14155550100,'=1,\r\n'+14155550101,,\r\n"


def test_a_list_that_cannot_be_corrected_is_refused_as_an_import_is(site: Site) -> None:
    for data in (b"PK\x03\x04", b"a,b\n1,2\n", b"phone_number\n12\n"):
        accept = {"headers": {"Accept": "application/json"}}
        corrected = site.post("/campaigns/preview?format=csv", data=site.form(data), **accept)
        made = site.post("/campaigns", data=site.form(data), **accept)
        assert (corrected.status_code, corrected.json["code"]) == (400, made.json["code"])
        assert corrected.json["detail"] == made.json["detail"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_concurrent_calls": 0}, "max_concurrent_calls is 0"),
        ({"agent_id": "nobody"}, "agent_id is 'nobody'"),
        ({"phone_number_id": "none"}, "phone_number_id is 'none'"),
        ({"scheduled_at": "2001-01-01T00:00:00Z"}, "scheduled_at is"),
        ({"default_region": "ZZ"}, "default_region is 'ZZ'"),
        ({"windows": "[]"}, "windows"),
        ({"encoding": "klingon"}, None),
    ],
)
def test_its_fields_are_checked_as_those_of_an_import(
    site: Site, changes: dict[str, Any], words: str | None
) -> None:
    told = preview(site, csv_of(1), **changes)
    made = site.post("/campaigns", data=site.form(csv_of(1), **changes))
    assert made.status_code == 400
    if words is None:
        assert told.json["refused"]["code"] == "unknown_encoding"
    else:
        assert (told.status_code, told.text) == (400, made.text)
        assert words in told.text


def test_who_may_not_import_may_not_look(site: Site) -> None:
    refused = site.post("/campaigns/preview", data=site.form(csv_of(1)), role="read")
    assert refused.status_code == 403
    assert preview(site, csv_of(1), "?format=xml").status_code == 400
    assert preview(site, csv_of(1), "?as=csv").status_code == 400
    body = site.post("/campaigns/preview", json=site.fields())
    assert (body.status_code, body.text) == (400, "contacts is required.")
    too_large = site.post("/campaigns/preview", data=site.form("phone_number\n" + "1" * (10 * 1024 * 1024)))
    assert too_large.status_code == 413


CELLS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    [
        "=1+1",
        "'=x",
        "+49 30 1",
        "-",
        "@a",
        "\t=b",
        "''",
        "a,b;c",
        'say "x"',
        "line\nbreak",
        " lead",
        "{{x}}",
        "\x00",
    ]
)
NUMBERS = st.sampled_from(
    ["+14155550100", "(415) 555-0101", "'+442079460018", "4155550102", "0", "", "1.4155E+10", "2026-01-31",
     '="4155550103"', "+442079460018", "415-555-0104 / 05", "+1900555010"]
)  # fmt: skip
ZONES = st.sampled_from(["", "Europe/London", "Mars"])


@given(st.lists(st.tuples(NUMBERS, CELLS, CELLS, ZONES), min_size=1, max_size=12))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_corrected_list_is_imported_but_for_what_a_person_must_decide(
    site: Site, rows: list[tuple[str, str, str, str]]
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["=name", "phone_number", "note", "time_zone"])
    writer.writerows([(name, number, note, zone) for number, name, note, zone in rows])
    data = out.getvalue().encode()
    first = site.post("/campaigns", data=site.form(data))
    if first.status_code == 400:
        return
    corrected = preview(site, data, "?format=csv")
    assert corrected.status_code == 200, corrected.text
    for line in csv.reader(io.StringIO(corrected.text.removeprefix("\ufeff"))):
        assert not any(cell.lstrip(" \n\v\f").startswith(("=", "+", "-", "@", "\t", "\r")) for cell in line)
    second = site.post("/campaigns", data=site.form(corrected.data))
    assert second.status_code == 201, second.text
    assert contacts(site, second) == contacts(site, first)
    assert {code for code, _ in rejected(site, second)} & NOT_CORRECTED == set()
    assert rejected(site, second) == [one for one in rejected(site, first) if one[0] not in NOT_CORRECTED]


def contacts(site: Site, made: Any) -> list[tuple[str, dict[str, str]]]:
    found = site.sql(
        "SELECT phone_number, custom_fields FROM contact WHERE campaign_id = %s ORDER BY position",
        made.json["id"],
    )
    return [(row["phone_number"], row["custom_fields"]) for row in found]


def rejected(site: Site, made: Any) -> list[tuple[str, str]]:
    found = site.sql(
        "SELECT code, column_name FROM import_reject WHERE campaign_id = %s ORDER BY line", made.json["id"]
    )
    return [(row["code"], row["column_name"]) for row in found]


def test_who_must_not_be_called_is_not_in_a_corrected_list(site: Site, read_where: str) -> None:
    site.post("/suppressions", json={"number": "+14155550001", "source": "phone"})
    site.post("/privacy/erase", json={"number": "+14155550002"}, role="admin")
    corrected = preview(
        site, "phone_number,n\n" + "".join(f"+1415555{n:04d},{n}\n" for n in range(1, 5)), "?format=csv"
    )
    assert corrected.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert corrected.text == "\ufeffphone_number,n\r\n'+14155550003,3\r\n'+14155550004,4\r\n", read_where


def test_a_workbook_is_read_in_a_process_of_its_own_wherever_a_list_is(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(*_: object) -> None:
        raise AssertionError("a workbook is read in the web process")

    monkeypatch.setattr(list_body, "contact_rows", here)
    leads: Rows = [
        ["phone_number", "name"],
        [4155550100, "Ann"],
        ["(415) 555-0101", "Bob"],
        ["+14155550100", "twice"],
    ]
    book = workbook({"Leads": leads, "Other": [["phone_number"], ["+14155550109"]]})
    agrees(site, "workbook", book)
    told = preview(site, book).json
    assert (told["sheet"], told["encoding"], told["accepted"], told["duplicates"]) == ("Leads", None, 2, 1)
    corrected = preview(site, book, "?format=csv")
    assert corrected.text == "\ufeffphone_number,name\r\n'+14155550100,Ann\r\n'+14155550101,Bob\r\n"
    made = site.post("/campaigns", data=site.form(book, sheet="Other"))
    assert contacts(site, made) == [("+14155550109", {})]
    form = {"contacts": (io.BytesIO(book), "list.xlsx"), "sheet": "Leads"}
    added = site.post(f"/campaigns/{made.json['id']}/contacts", data=form)
    assert (added.status_code, added.json["added"], added.json["duplicates"]) == (201, 2, 1)
    unknown = site.post("/campaigns", data=site.form(book, sheet="Nobody"))
    assert (unknown.status_code, "sheet is 'Nobody'" in unknown.text) == (400, True)


def test_a_workbook_that_is_made_to_harm_is_refused(site: Site) -> None:
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    for book in (
        workbook({"S": far}),
        workbook({"S": []}, parts={"xl/styles.xml": b" " * (200 * 1024 * 1024)}),
    ):
        made = site.post("/campaigns", data=site.form(book), headers={"Accept": "application/json"})
        assert (made.status_code, made.json["code"]) in [(400, "too_many_cells"), (400, "too_large")]


def test_all_that_would_be_refused_is_told_at_once_and_the_rows_are_looked_at(site: Site) -> None:
    """Of a list that is corrected by what was told, nothing more is to be found."""
    action = orjson.dumps({"type": "playback", "say": {"text": "Hello {first_name}"}}).decode()
    site.sql("UPDATE agent SET action = %s::jsonb WHERE id = %s", action, site.agent_id)
    told = preview(site, "Name,Mobile\nAnn,(415) 555-0100\nBob,n/a\n").json
    assert told["refused"]["code"] == "no_phone_column"
    said = told["refused"]["reason"]
    assert (
        "name that column phone_number; also, contacts has no column 'first_name', which the agent's" in said
    )
    assert (told["rows"], told["accepted"], told["invalid"]) == (2, 1, 1)
    lacking = preview(site, "Name,phone_number\nAnn,(415) 555-0100\nBob,n/a\n").json
    assert (lacking["refused"]["code"], lacking["rows"]) == ("no_template_column", 2)
    assert [row["code"] for row in lacking["first_rows"]] == [None, "invalid_number"]
