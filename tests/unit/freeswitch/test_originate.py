"""The line of an originate: every value arrives as it was given or is refused, and none makes a second command."""

from __future__ import annotations

import re
from ast import literal_eval
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from campaigns.column_names import variable_name
from freeswitch.applications import Application, echo, park, playback
from freeswitch.channel_variables import MAX_LIST_VARIABLE_BYTES, escape, refusal
from freeswitch.errors import CommandRefused
from freeswitch.originate import Command, OriginateRequest, endpoint, originate
from freeswitch.protocol import encode_command
from tests.unit.freeswitch.dialstring import Dialled, read_originate
from tests.unit.freeswitch.samples import CALL, DIALER
from tests.unit.freeswitch.transcripts import recordings, records

REQUEST = OriginateRequest(
    call_id=CALL,
    dialer_id=DIALER,
    tenant_id="acme",
    campaign_id="01938c5e-7a70-7000-8000-000000000001",
    contact_id="01938c5e-7a70-7000-8000-000000000002",
    endpoint="sofia/gateway/carrier/15550000",
    caller_id_number="+15551230000",
    ring_seconds=30,
    max_seconds=1800,
    applications=[park()],
)

# Values that broke one escaping scheme or another on a real node, and what a list may well hold.
HOSTILE = [
    "a,b",
    "a b",
    " lead",
    "trail ",
    "  ",
    "a'b",
    "it's o'k",
    "'",
    "''",
    'a"b',
    '"',
    "a=b",
    "a\\b",
    "a\nb",
    "a\r\nb",
    "\ta\t",
    "\n",
    "a\\nb",
    "\\",
    "\\\\",
    "\\'",
    "\\,",
    "\\s",
    "a%20b",
    "a$b",
    "$",
    "{x}",
    "{a,b}",
    "{'}",
    "é€ Ω 🎉",
    "a]b[",
    "a<b>c",
    "a|b",
    "a^^b",
    "^^:b:c",
    ";#!&",
    "(x)",
    "undef",
    "x,origination_uuid=evil",
    "x,api_on_answer=system\\stouch",
    "a=b,c='d e'",
    ":_",
    "x" * 1000,
]

special = st.text(st.sampled_from("\\'\"=, {}[]()<>|^:_$snrt\tab🎉%é&"), max_size=24)
anything = st.one_of(special, st.text(max_size=40))


def dialled(request: OriginateRequest) -> Dialled:
    return read_originate(originate(request).line)


def carried(value: str) -> Dialled:
    return dialled(replace(REQUEST, variables={"carillon_v": value, "carillon_w": "1"}))


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:30])
def test_a_hostile_value_arrives_unchanged(value: str) -> None:
    assert refusal(value) is None
    result = carried(value)
    assert result.variables["carillon_v"] == value
    assert result.variables["carillon_w"] == "1"
    assert result.variables["origination_uuid"] == CALL
    assert result.legs == REQUEST.endpoint


@given(anything)
@example("x}sofia/gateway/carrier/15550001 &park() {y=z")
@example("$\\{hostname}")
@example("Doe, Ann,carillon_w=2")
@example("O'Brien \\ a=b")
def test_any_value_arrives_unchanged_or_is_refused(value: str) -> None:
    if refusal(value) is not None:
        with pytest.raises(CommandRefused):
            carried(value)
        return
    result = carried(value)
    assert result.variables.get("carillon_v", "") == value
    assert result.variables.keys() - {"carillon_v"} == carried("x").variables.keys() - {"carillon_v"}
    assert result.legs == REQUEST.endpoint
    assert result.applications == dialled(REQUEST).applications


# FreeSWITCH's three passes as they are, each over what the one before it made.
PASSES = (
    {"\\": r"\\", "'": r"\'", "=": r"\=", " ": r"\s", "\t": r"\t", "\n": r"\n", "\r": r"\r"},
    {"\\": r"\\", "'": r"\'", ",": r"\,"},
    {"\\": r"\\", "'": r"\'"},
)


@given(anything | st.text(alphabet="\\'=, \t\n\rstnr{}a", max_size=30))
def test_a_value_is_escaped_once_as_by_three_passes_one_after_the_other(value: str) -> None:
    expected = value
    for characters in PASSES:
        expected = "".join(characters.get(character, character) for character in expected)
    assert escape(value) == expected


@given(st.text(alphabet="{}a", max_size=12))
def test_braces_are_refused_where_one_has_no_partner(value: str) -> None:
    left = value.replace("a", "")
    while "{}" in left:
        left = left.replace("{}", "")
    assert (refusal(value) is not None) == bool(left)


@given(st.lists(special, min_size=2, max_size=5))
def test_values_beside_each_other_do_not_run_together(values: list[str]) -> None:
    wanted = {f"carillon_{i}": value for i, value in enumerate(values) if refusal(value) is None and value}
    result = dialled(replace(REQUEST, variables=wanted)).variables
    assert {name: result[name] for name in wanted} == wanted


@given(st.text(max_size=60))
def test_no_text_at_all_makes_a_second_command(value: str) -> None:
    try:
        command = originate(replace(REQUEST, variables={"carillon_v": value}))
    except CommandRefused:
        return
    data = encode_command(command.line, command.headers)
    assert data.count(b"\n") == 3
    assert data.endswith(f"\nJob-UUID: {DIALER}.{CALL}\n\n".encode())


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("a}b", id="closing brace"),
        pytest.param("a{b", id="opening brace"),
        pytest.param("}{", id="braces the wrong way round"),
        pytest.param("a:_:b", id="leg separator"),
        pytest.param("${hostname}", id="channel variable"),
        pytest.param("$${domain}", id="global variable"),
        pytest.param("$\\{x}", id="variable behind a backslash"),
        pytest.param("a\0b", id="NUL"),
        pytest.param("a\x0bb", id="vertical tab"),
        pytest.param("a\x1bb", id="escape"),
        pytest.param("\x7f", id="DEL"),
        pytest.param("ARRAY::a|:b", id="list"),
        pytest.param("\ud83d", id="half a surrogate pair"),
    ],
)
def test_what_would_not_arrive_is_refused(value: str) -> None:
    assert refusal(value) is not None


def test_the_reading_of_dial_strings_agrees_with_a_real_node() -> None:
    compared = 0
    for path in recordings():
        if not path.name.startswith("40_escape") or "caret" in path.name:
            continue
        line = ""
        for side, _, data in records(path):
            text = data.decode().strip()
            if text.startswith("api originate"):
                line = "bgapi" + text.removeprefix("api").replace("}{", ",", 1) + " inline"
            note = (
                re.fullmatch(r"sent value .* -> got ('.*'|\".*\"), z='1', .*", text) if side == "N" else None
            )
            if note is not None and note[1] != "'_undef_'":
                assert read_originate(line).variables.get("n", "") == literal_eval(note[1]), text
                compared += 1
    assert compared > 100


@pytest.mark.parametrize(("header", "cid_type"), [("from", "none"), ("pai", "pid"), ("rpid", "rpid")])
def test_where_the_caller_stands_is_always_said_since_a_node_has_a_default(
    header: str, cid_type: str
) -> None:
    assert dialled(replace(REQUEST, caller_id_header=header)).variables["sip_cid_type"] == cid_type


def test_no_other_header_can_be_asked_for() -> None:
    with pytest.raises(CommandRefused, match="caller_id_header"):
        originate(replace(REQUEST, caller_id_header="pid,sip_h_X-Evil=1"))


def test_a_call_carries_everything_it_needs_at_the_switch() -> None:
    result = dialled(replace(REQUEST, caller_id_name="Acme Billing"))
    assert result.variables == {
        "origination_uuid": CALL,
        "origination_caller_id_number": "+15551230000",
        "origination_caller_id_name": "Acme Billing",
        "sip_cid_type": "none",
        "ignore_early_media": "true",
        "leg_progress_timeout": "15",
        "originate_timeout": "46",
        "outbound_redirect_fatal": "true",
        "execute_on_originate": f"limit hash carillon {CALL} 1/3600 !LOSE_RACE",
        "execute_on_ring": "sched_hangup +31 NO_ANSWER",
        "execute_on_pre_answer": "sched_hangup +31 NO_ANSWER",
        "api_on_answer": f"sched_del {CALL}",
        "api_hangup_hook": f"hash insert/carillon/{CALL}/done",
        "dialer_id": DIALER,
        "dialer_tenant": "acme",
        "dialer_campaign": REQUEST.campaign_id,
        "dialer_contact": REQUEST.contact_id,
    }
    assert result.applications == [("sched_hangup", "+1800 ALLOTTED_TIMEOUT"), ("park", "")]
    assert result.dialplan == "inline"


def test_the_job_carries_the_dialer_and_the_call() -> None:
    assert originate(REQUEST).headers == {"Job-UUID": f"{DIALER}.{CALL}"}


def test_what_the_call_does_comes_after_its_time_limit() -> None:
    result = dialled(replace(REQUEST, max_seconds=60, applications=[playback("ivr/hello.wav"), echo()]))
    assert result.applications == [
        ("sched_hangup", "+60 ALLOTTED_TIMEOUT"),
        ("playback", "ivr/hello.wav"),
        ("echo", ""),
    ]


def test_an_empty_cell_is_no_variable() -> None:
    assert "carillon_v" not in carried("").variables


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"call_id": "a b"}, "call_id"),
        ({"call_id": ""}, "call_id"),
        ({"dialer_id": "d1,x=y"}, "dialer_id"),
        ({"dialer_id": "d.*"}, "dialer_id"),
        ({"tenant_id": "a}b"}, "tenant_id"),
        ({"campaign_id": "x\n"}, "campaign_id"),
        ({"contact_id": "x" * 65}, "contact_id"),
        ({"endpoint": "sofia/gateway/carrier/1555,null/evil"}, "endpoint"),
        ({"endpoint": "sofia/gateway/carrier/1555|null/evil"}, "endpoint"),
        ({"endpoint": "sofia/gateway/carrier/1555:_:null/evil"}, "endpoint"),
        ({"endpoint": "{a=b}sofia/gateway/carrier/1555"}, "endpoint"),
        ({"endpoint": "sofia/gateway/carrier/1555 &park()"}, "endpoint"),
        ({"endpoint": "sofia/gateway/carrier/${hostname}"}, "endpoint"),
        ({"endpoint": "loopback/app=park"}, "endpoint"),
        ({"endpoint": "loopback/system:1555/default/inline"}, "endpoint"),
        ({"caller_id_number": "1555,x=y"}, "caller_id_number"),
        ({"caller_id_number": "12"}, "caller_id_number"),
        ({"caller_id_name": 'x" <sip:evil>'}, "caller_id_name"),
        ({"caller_id_name": "x\ny"}, "caller_id_name"),
        ({"ring_seconds": 0}, "ring_seconds"),
        ({"pdd_seconds": 121}, "pdd_seconds"),
        ({"max_seconds": 86_401}, "max_seconds"),
        ({"variables": {"dialer_id": "x"}}, "variable"),
        ({"variables": {"carillon_a=b": "x"}}, "variable"),
        ({"variables": {"carillon_a": "x}"}}, "carillon_a"),
        ({"variables": {"carillon_a": "é" * 2050}}, "variables"),
        ({"applications": [Application("system", "touch x")]}, "application"),
        ({"applications": [Application("playback", "a'b")]}, "playback"),
    ],
)
def test_a_request_that_could_do_more_than_one_call_is_refused(change: dict[str, Any], name: str) -> None:
    with pytest.raises(CommandRefused) as refused:
        originate(replace(REQUEST, **change))
    assert refused.value.name == name


def test_more_variables_than_freeswitch_keeps_are_refused() -> None:
    many = {f"carillon_{i}": "" for i in range(2000)}
    assert "carillon_1" not in dialled(replace(REQUEST, variables=many)).variables
    with pytest.raises(CommandRefused):
        originate(replace(REQUEST, variables=dict.fromkeys(many, "x")))


def test_four_kilobytes_of_a_list_travel() -> None:
    value = "x" * (MAX_LIST_VARIABLE_BYTES - len("carillon_v"))
    assert dialled(replace(REQUEST, variables={"carillon_v": value})).variables["carillon_v"] == value


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("first_name", "carillon_first_name"),
        ("Order ID", "carillon_order_id"),
        (" Straße! ", "carillon_strasse_"),
        ("dialer_id", "carillon_dialer_id"),
    ],
)
def test_a_column_has_a_variable_of_its_own(column: str, name: str) -> None:
    assert variable_name(column) == name


@given(st.text(min_size=1, max_size=40).filter(str.strip))
def test_every_column_name_makes_a_name_that_travels(column: str) -> None:
    name = variable_name(column)
    assert dialled(replace(REQUEST, variables={name: "x"})).variables[name] == "x"


@pytest.mark.parametrize(
    ("template", "number", "filled"),
    [
        ("sofia/gateway/carrier/{number}", "+15550000", "sofia/gateway/carrier/+15550000"),
        ("sofia/gateway/carrier/{digits}", "+15550000", "sofia/gateway/carrier/15550000"),
        (
            "sofia/external/{digits}@10.0.0.1:5060;transport=tls",
            "15550000",
            "sofia/external/15550000@10.0.0.1:5060;transport=tls",
        ),
    ],
)
def test_a_gateway_is_filled_with_the_number(template: str, number: str, filled: str) -> None:
    assert endpoint(template, number) == filled


@pytest.mark.parametrize(
    "number",
    ["1555,null/evil", "1555|x", "1555@h", "1555;x=y", "1555 0007", "15#5", "", "+", "١٢٣٤", "1555\n"],
)
def test_a_number_is_digits(number: str) -> None:
    with pytest.raises(CommandRefused):
        endpoint("sofia/gateway/carrier/{number}", number)


@pytest.mark.parametrize(
    "template",
    ["sofia/gateway/carrier/1", "{number}", "[a=b]sofia/{number}", "a/{number},b/{number}", "A/{x}"],
)
def test_a_gateway_that_is_not_one_leg_is_refused(template: str) -> None:
    with pytest.raises(CommandRefused):
        endpoint(template, "15550000")


def test_a_command_has_no_headers_unless_given() -> None:
    assert Command("api status").headers == {}
