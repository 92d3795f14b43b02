"""Nothing that a list or an agent says becomes anything but itself, from the upload to the switch.

Whole lists are drawn, a hundred rows or more each, and every row is followed to its end: it arrives in the switches'
ledgers and events character for character, or it was refused with a reason. Nothing else may be in either.
"""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest
from anyascii import anyascii
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from campaigns.speech import speakable
from freeswitch import dedup
from local.api_client import ApiFailedError
from local.stack import Stack
from simulator.ledger import LedgerView, Originate
from tests.e2e.rig import Tenant, Witness, new_tenant, numbers, seen
from tests.examples import first

T = TypeVar("T")

LIST_ROWS = 120
LONG_LIST_ROWS = 250
SPOKEN_ROWS = 120
AGENTS = 40
MAX_CELL = 1_000
MAX_VARIABLES_BYTES = 4_096
MAX_SAID = 500
PLAIN = "plain"
MARKED = "'=|&"
"""As a spreadsheet, and what we export, keeps a cell from being run as a formula: the apostrophe is no part of it."""
STAYS = "07"
"""Answers at once and waits for our side to hang up: every application of the call gets its turn."""
DELIMITERS = ",;\t|"

_WORDS = r"""
a Ada O'Neill é 😀 👩‍👩‍👧 مرحبا { } {} }{ {a} {{ }} [ ] [x=1] < > <y=2> ( ) ' '' " "" \ \\ \' \, \n \s
\t \r = == , ,, ; | || ^^: ^^ : :_: :_ _: ${ $${ ${x} $${x} $\{x} $\\{ $ $(id) `id` &park() & !
ARRAY:: ARRAY::a|:b |: undef %0A %00 %s %(x)s &amp; # ? @host ;x=y ,dialer_tenant=evil
,origination_uuid=1 }sofia/gateway/x/15550100 ,sofia/gateway/x/15550101 |sofia/gateway/x/15550102
:_:sofia/gateway/x/15550103 ,execute_on_answer='system=id' <script>alert(1)</script> \u0000
"""
_INVISIBLE = [" ", "   ", "\n", "\r", "\r\n", "\n\n", "\t", "\u202e", "\u200b", "\ufeff", "\u2028", "\x85"]
_UNSENDABLE = ["\x00", "\x01", "\x07", "\x1b[31m", "\x0b", "\x7f"]
_PHRASES = [
    "\napi system id\n\n",
    " &park() inline",
    "' OR 1=1 --",
    "'; DROP TABLE contact; --",
    "=cmd|' /C calc'!A0",
]
FRAGMENTS = [*_WORDS.split(), *_INVISIBLE, *_UNSENDABLE, *_PHRASES, "x" * 333]
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
CELL = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=6).map("".join),
    st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=3).map("".join),
    ANY_TEXT,
    st.sampled_from(
        ["", " ", PLAIN, " both ", "y" * MAX_CELL, "z" * (MAX_CELL + 1), "'" * MAX_CELL, "é" * 900]
    ),
)
AROUND_NUMBERS = st.one_of(st.just(""), st.just(""), st.just(""), st.just(""), st.sampled_from(FRAGMENTS))

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_EXPANSION = re.compile(r"\$\\*\{")
_TEMPLATE = re.compile(r"\{[^{}]{1,64}\}")
_MARK = re.compile(r"\A'(?=[ \n\v\f]*[=+\-@\t\r])")
_REST = ("ignore_early_media", "originate_timeout", "outbound_redirect_fatal", "execute_on_ring")
SAME_FOR_ALL = (
    *_REST,
    "execute_on_pre_answer",
    "origination_caller_id_number",
    "dialer_tenant",
    "dialer_campaign",
)


@dataclass(frozen=True, slots=True)
class Row:
    """What stands in one row: what is put behind its number, its cells, and which of them are quoted."""

    behind: str
    cells: tuple[str, ...]
    quoted: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A row in its place: `ref` is a column that tells it from the others, `number` what it may be dialled as."""

    ref: str
    number: str
    row: Row


def drawn(strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """`count` values at once: a list of hundreds of rows is one run of the system, not hundreds."""
    found: list[T] = []

    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def gather(value: T) -> None:
        found.append(value)

    gather()
    return found


def carried(value: str) -> bool:
    """Whether a dial string can carry the value, by the rules of the contract's list."""
    depth = 0
    for character in value:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return False
    return (
        depth == 0
        and len(value) <= MAX_CELL
        and not _CONTROL.search(value)
        and not _EXPANSION.search(value)
        and ":_:" not in value
        and not value.startswith("ARRAY::")
    )


def meant(cell: str) -> str:
    """What a cell of a list says: all of it but the apostrophe that keeps a spreadsheet from running it."""
    return _MARK.sub("", cell)


CARRIED = CELL.filter(lambda cell: carried(meant(cell)))
UNCARRIED = CELL.filter(lambda cell: not carried(meant(cell)))


def spoken(text: str) -> str | None:
    """The text as it is said, or None where it is none or too long."""
    text = speakable(text)
    return text if 1 <= len(text) <= MAX_SAID else None


def counted(uuid: str) -> tuple[str, str]:
    """What every call does before its INVITE."""
    name, _, argument = dedup.limit_application(uuid).partition(" ")
    return name, argument


def run(name: str, argument: str) -> list[tuple[str, str]]:
    """The applications of a call that does this one thing, and proves that it did."""
    kind, ran = {"playback": ("playback", "FILE PLAYED"), "speak": ("say", "true")}[name]
    return [
        ("sched_hangup", "+1800 ALLOTTED_TIMEOUT"),
        ("set", f"dialer_action={kind}"),
        (name, argument),
        ("set", f"dialer_ran={ran}"),
        ("hangup", "NORMAL_CLEARING"),
    ]


def rows(width: int, tame: st.SearchStrategy[str], wild: st.SearchStrategy[str]) -> st.SearchStrategy[Row]:
    """Rows of `width` tame cells; in about half of them one is a wild one: what it alone does must show."""

    def with_one(row: Row, place: int, value: str) -> Row:
        return replace(row, cells=(*row.cells[:place], value, *row.cells[place + 1 :]))

    flags = st.tuples(*[st.booleans()] * width)
    plain = st.builds(Row, AROUND_NUMBERS, st.tuples(*[tame] * width), flags)
    return st.one_of(plain, st.builds(with_one, plain, st.integers(0, width - 1), wild))


def variable(column: str) -> str:
    """The channel variable that a column travels as: in Latin letters, at most 100 of them."""
    latin = column.strip() if column.isascii() else anyascii(column).strip()
    return "carillon_" + re.sub("[^a-z0-9_]", "_", latin.lower())[:100]


def column_names(width: int) -> list[str]:
    """Hostile names that the columns of a list may have."""
    parts = st.sampled_from([part for part in FRAGMENTS if part.isprintable() and len(part) < 20])
    name = st.lists(parts, max_size=4).map("".join).filter(lambda text: 0 < len(text.strip()) <= 60)
    # The last character sees to it that no two of them are the same variable.
    return [f"{name}{place}" for place, name in enumerate(drawn(name, 10 * width)[-width:])]


def written(value: str, *, quoted: bool, delimiter: str) -> str:
    """One cell of a CSV file."""
    if quoted or value[:1] == " " or any(c in value for c in f'{delimiter}"\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value


def csv_file(
    names: Sequence[str], lines: Sequence[Line], delimiter: str, end: str
) -> tuple[bytes, dict[int, Line]]:
    """The list as a file, and which line of it each row begins on."""
    cells = ["ref", *names[:2], "phone_number", *names[2:]]
    text = delimiter.join(written(name, quoted=False, delimiter=delimiter) for name in cells) + end
    places = {}
    for line in lines:
        places[1 + len(re.findall("\r\n|\r|\n", text))] = line
        row = line.row
        values = [
            written(v, quoted=q, delimiter=delimiter) for v, q in zip(row.cells, row.quoted, strict=True)
        ]
        number = written(line.number + row.behind, quoted=False, delimiter=delimiter)
        text += delimiter.join([line.ref, *values[:2], number, *values[2:]]) + end
    return text.encode(), places


@dataclass(frozen=True, slots=True)
class Followed:
    """A campaign that has been dialled to its end: what the API and the nodes say of it. Calls are by contact."""

    contacts: dict[str, dict[str, Any]]
    rejects: dict[int, tuple[str, str]]
    calls: dict[str, Originate]
    witness: Witness


def follow(stack: Stack, tenant: Tenant, campaign: str) -> Followed:
    """Dial the campaign and gather what became of it; nothing else may have happened at the nodes meanwhile."""
    since = time.time()
    with Witness(stack) as witness:
        tenant.act(campaign, "start")
        tenant.wait_over(campaign)
        view = later(seen(stack), since)
        witness.wait_ends(line.uuid for line in view.originates)
    contacts = list(tenant.api.every(f"/api/v1/campaigns/{campaign}/contacts", "contacts"))
    nothing_else(view, tenant, campaign, contacts)
    assert tenant.proof(campaign, stack).faults == []
    refused = tenant.api.text(f"/api/v1/campaigns/{campaign}/rejects")
    _, *rejects = csv.reader(io.StringIO(refused, newline=""))
    return Followed(
        {contact["custom_fields"].get("ref", contact["id"]): contact for contact in contacts},
        {int(line): (code, reason) for line, code, reason, _, _ in rejects},
        {line.contact: line for line in view.originates},
        witness,
    )


def later(view: LedgerView, since: float) -> LedgerView:
    return LedgerView(
        [line for line in view.originates if line.t > since],
        [step for step in view.steps if step.t > since],
        [line for line in view.others if line["t"] > since],
    )


def nothing_else(
    view: LedgerView, tenant: Tenant, campaign: str, contacts: Sequence[Mapping[str, Any]]
) -> None:
    """Each originate is one of the campaign's, to its contact's number; none is there twice, no command was run."""
    by_id = {contact["id"]: contact for contact in contacts}
    for line in view.originates:
        assert (line.tenant, line.campaign, line.gateway, line.result) == (
            tenant.id,
            campaign,
            "carrier",
            "accepted",
        )
        assert line.number == by_id[line.contact]["phone_number"]
    assert len({line.contact for line in view.originates}) == len(view.originates)
    assert {step.uuid for step in view.steps} == {line.uuid for line in view.originates}
    assert view.others == []


def same_but_for_columns(
    found: Followed, model: str, applications: Callable[[str], list[tuple[str, str]]]
) -> None:
    """Every call has the variables of the plain row's call `model`, its own columns and its applications only."""
    plain = found.witness.variables[found.calls[model].uuid]

    def others(uuid: str) -> set[str]:
        named = found.witness.variables[uuid]
        return {name.replace(uuid, "its id") for name in named if not name.startswith("carillon_")}

    names = others(found.calls[model].uuid)
    for contact, line in found.calls.items():
        own = found.witness.variables[line.uuid]
        assert others(line.uuid) == names
        assert {name: own[name] for name in SAME_FOR_ALL} == {name: plain[name] for name in SAME_FOR_ALL}
        assert (own["uuid"], own["dialer_contact"], own["dialer_id"]) == (line.uuid, contact, line.dialer)
        assert own["api_on_answer"] == f"sched_del {line.uuid}"
        assert {name: own[name] for name in own if name.startswith("carillon_")} == line.variables
        assert found.witness.executed[line.uuid] == [counted(line.uuid), *applications(contact)]
    assert found.witness.executed.keys() == {line.uuid for line in found.calls.values()}


def logs_are_clean(said: Sequence[str], called: Sequence[str]) -> None:
    """No line acts on a terminal, and none has the whole number of anybody who was called."""
    whole = re.compile("|".join(number.removeprefix("+") for number in called))
    for line in said:
        assert not _UNPRINTABLE.search(line), repr(line)
        assert not whole.search(line), line


@pytest.mark.parametrize("rows_drawn", first(LIST_ROWS, LONG_LIST_ROWS))
@pytest.mark.parametrize("delimiter", first(*DELIMITERS))
def test_every_value_of_a_list_arrives_unchanged_or_its_row_is_refused(
    stack: Stack, said: list[str], delimiter: str, rows_drawn: int
) -> None:
    names = column_names(4)
    first = [Row("", (cell,) * 4, (False, True) * 2) for cell in (PLAIN, MARKED)]
    made = [*first, *drawn(rows(4, CARRIED, UNCARRIED), rows_drawn)]
    called = numbers(STAYS, count=len(made))
    lines = [Line(f"r{place}", n, row) for place, (n, row) in enumerate(zip(called, made, strict=True))]
    data, places = csv_file(names, lines, delimiter, end="\r\n" if delimiter in ",;" else "\n")
    tenant = new_tenant(stack)
    campaign = tenant.upload(data, max_concurrent_calls=100)
    found = follow(stack, tenant, campaign)

    assert set(found.rejects) <= set(places)
    for place, line in places.items():
        cells = [meant(cell) for cell in line.row.cells]
        columns = dict(zip(map(meant, names), cells, strict=True)) | {"ref": line.ref}
        travelling = {variable(name): value for name, value in columns.items() if value}
        size = sum(len(name) + len(value.encode()) for name, value in travelling.items())
        fits = all(map(carried, cells)) and size <= MAX_VARIABLES_BYTES
        assert (line.ref in found.contacts) != (place in found.rejects), line
        if place in found.rejects:
            assert all(found.rejects[place])
            assert not fits or line.row.behind, (line, found.rejects[place])
            continue
        contact = found.contacts[line.ref]
        assert fits, line
        assert contact["phone_number"] == line.number
        assert contact["custom_fields"] == {name.strip(): value for name, value in columns.items()}
        assert found.calls[contact["id"]].variables == travelling
    assert len(found.contacts) > len(lines) // 5
    assert len(found.rejects) > len(lines) // 20
    assert len(found.calls) == len(found.contacts)
    same_but_for_columns(
        found, found.contacts["r0"]["id"], lambda _: run("playback", "tone_stream://%(3000,0,640)")
    )
    assert said, "nothing was logged"
    logs_are_clean(said, called)


def test_what_an_agent_says_is_the_filled_template_or_the_row_is_rejected(stack: Stack) -> None:
    easy = st.sampled_from(["Ada", "Renée 😀", "a,b;c", "=1+1", "50 % < 60", " x "])
    cell = st.one_of(easy, ANY_TEXT.filter(lambda text: carried(text) and spoken(text)))
    first = [Row("", cells, (False, False)) for cells in (("Ada", PLAIN), (MARKED, "'\t+1"))]
    made = [*first, *drawn(rows(2, cell, CARRIED), SPOKEN_ROWS)]
    called = numbers(STAYS, count=len(made))
    lines = [
        Line(f"r{place}", number, Row("", row.cells, row.quoted))
        for place, (number, row) in enumerate(zip(called, made, strict=True))
    ]
    data, _ = csv_file(["name", "Order Note"], lines, ",", "\n")
    action = {"type": "playback", "say": "Hello {name}, your order: {order_note}."}
    tenant = new_tenant(stack, action=action, agent={"variables": ["name"]})
    campaign = tenant.upload(data, max_concurrent_calls=100)
    found = follow(stack, tenant, campaign)

    assert {code for code, _ in found.rejects.values()} <= {"template_value"}
    texts = {}
    for line in lines:
        name, note = map(meant, line.row.cells)
        text = spoken(f"Hello {speakable(name)}, your order: {speakable(note)}.")
        if text is None:
            assert line.ref not in found.contacts, line
            continue
        contact = found.contacts[line.ref]
        call = found.calls.get(contact["id"])
        assert contact["status"] == "completed", line
        assert call is not None
        assert call.variables == ({"carillon_name": name} if name else {})
        texts[contact["id"]] = text
    assert len(texts) + len(found.rejects) == len(lines)
    assert len(texts) > len(lines) // 2
    same_but_for_columns(
        found,
        found.contacts["r0"]["id"],
        lambda contact: run("speak", f"flite|slt|{texts[contact]}"),
    )


def test_what_an_agent_is_told_to_say_is_said_in_words_or_refused(stack: Stack) -> None:
    tenant = new_tenant(stack)
    said, refused = {}, 0
    for text in drawn(st.one_of(CELL, ANY_TEXT), AGENTS):
        action = {"type": "playback", "say": {"text": text}}
        bare = _TEMPLATE.sub("", text)
        stored = not re.search("[\0\ud800-\udfff]", text)
        if not stored or spoken(_TEMPLATE.sub("0", text)) is None or re.search("[{}]", bare) or "${" in text:
            with pytest.raises(ApiFailedError, match=" 400 action"):
                tenant.api.post("/api/v1/agents", {"name": "hostile", "action": action})
            refused += 1
            continue
        agent = tenant.api.post("/api/v1/agents", {"name": "hostile", "action": action})
        assert agent["action"] == action
        said[agent["id"]] = text
    assert said
    assert refused
    since = time.time()
    campaigns = {}
    with Witness(stack) as witness:
        for agent_id, text in said.items():
            if _TEMPLATE.search(text):
                with pytest.raises(ApiFailedError, match="contacts has no column"):
                    tenant.campaign(numbers(STAYS, count=1), agent_id=agent_id)
                continue
            campaign = tenant.campaign(numbers(STAYS, count=1), agent_id=agent_id)
            campaigns[campaign] = text
            tenant.act(campaign, "start")
        for campaign in campaigns:
            tenant.wait_over(campaign)
        view = later(seen(stack), since)
        witness.wait_ends(line.uuid for line in view.originates)

    uuids = {line.campaign: line.uuid for line in view.originates}
    assert view.others == []
    assert len(uuids) == len(view.originates)
    assert all(line.variables == {} for line in view.originates)
    assert uuids.keys() == campaigns.keys()
    for campaign, text in campaigns.items():
        uuid = uuids[campaign]
        assert witness.executed[uuid] == [counted(uuid), *run("speak", f"flite|slt|{spoken(text)}")]
    assert witness.executed.keys() == set(uuids.values())
