"""The dial string as FreeSWITCH reads it: values recorded on a real node, and what no escaping can break."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.dialstring import (
    USAGE,
    DialStringError,
    closing,
    has_expansion,
    parse_originate,
    read_applications,
    separate,
    words,
)


def arrived(raw: str) -> tuple[str | None, str | None]:
    """What `n` and `z` are on the channel after `{n=<raw>,z=1}`; a variable that holds ${ is refused."""
    variables = (
        parse_originate(f"{{origination_uuid=u}}{{n={raw},z=1}}null/foo &park()").groups[0][0].variables
    )
    kept = {name: value for name, value in variables.items() if not has_expansion(value)}
    return kept.get("n"), kept.get("z")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("plain", ("plain", "1")),
        ("a,b", ("a", "1")),
        ("it's o'k", ("its ok", "1")),
        ('a"b', ('a"b', "1")),
        ("{x}", ("{x}", "1")),
        ("a=b", ("a=b", "1")),
        ("a\\b", ("a\\b", "1")),
        ("a\\nb", ("a\nb", "1")),
        ("a\\sb", ("a b", "1")),
        ("a%20b", ("a%20b", "1")),
        ("${hostname}", (None, "1")),
        ("$${domain}", (None, "1")),
        ("a$b", ("a$b", "1")),
        ("^^:b:c", ("^^:b:c", "1")),
        ("", (None, "1")),
        ("a\tb", ("a\tb", "1")),
        ("\\'", ("'", "1")),
        ("\\\\", (",z=1", None)),
        ("'a, b'", ("a", "1")),
        ("' lead'", ("lead", "1")),
        ("'x,y'", ("x", "1")),
        ('"plain"', ('"plain"', "1")),
    ],
)
def test_a_value_arrives_as_it_did_on_the_recorded_node(
    raw: str, expected: tuple[str | None, str | None]
) -> None:
    assert arrived(raw) == expected


@pytest.mark.parametrize(
    ("raw", "reply"),
    [
        ("a b", "-ERR DESTINATION_OUT_OF_ORDER\n"),
        ("a'b", USAGE),
        ("a{b", "-ERR DESTINATION_OUT_OF_ORDER\n"),
        (" lead", "-ERR DESTINATION_OUT_OF_ORDER\n"),
    ],
)
def test_a_value_that_breaks_the_command_is_answered_as_on_the_recorded_node(raw: str, reply: str) -> None:
    with pytest.raises(DialStringError) as caught:
        arrived(raw)
    assert caught.value.reply == reply


def test_an_unescaped_comma_injects_a_variable() -> None:
    legs = parse_originate("{lead=Bob,api_on_answer=system\\stouch\\s/tmp/x}null/foo &park()").groups[0]
    assert legs[0].variables["api_on_answer"] == "system touch /tmp/x"


def test_an_unescaped_brace_replaces_the_endpoint() -> None:
    spec = parse_originate("{n=x}sofia/gateway/carrier/15550001 &park() {y=z,z=1}null/foo &park()")
    assert [(leg.endpoint, leg.data) for leg in spec.groups[0]] == [("sofia", "gateway/carrier/15550001")]


def test_commas_and_bars_in_a_number_add_legs() -> None:
    spec = parse_originate("sofia/gateway/c/1555,null/a|null/b &park()")
    assert [[leg.data for leg in group] for group in spec.groups] == [["gateway/c/1555", "a"], ["b"]]


def test_the_enterprise_separator_starts_all_its_parts_at_once() -> None:
    spec = parse_originate("{a=1}null/x:_:{a=2}null/y &park()")
    assert [(leg.data, leg.variables["a"]) for leg in spec.groups[0]] == [("x", "1"), ("y", "2")]


def test_leg_variables_may_hold_commas() -> None:
    (leg,) = parse_originate("[a=1,b=2]null/x &park()").groups[0]
    assert dict(leg.variables) == {"a": "1", "b": "2"}


def test_a_space_in_the_number_becomes_the_extension() -> None:
    spec = parse_originate("sofia/gateway/carrier/1555 0007 &park()")
    assert (spec.groups[0][0].data, spec.extension) == ("gateway/carrier/1555", "0007")


def test_the_last_of_two_assignments_wins() -> None:
    assert parse_originate("{a=1,a=2}null/x &park()").groups[0][0].variables["a"] == "2"


@pytest.mark.parametrize(("value", "seconds"), [("20", 20), ("0", 60), ("abc", 60), ("-5", 60), ("7x", 7)])
def test_a_timeout_that_is_no_positive_number_means_sixty(value: str, seconds: int) -> None:
    assert parse_originate(f"{{originate_timeout={value}}}null/x &park()").timeout == seconds


def test_a_caret_changes_the_separator() -> None:
    assert separate("^^:a=1,2:b=3", ",") == ["a=1,2", "b=3"]


def test_an_application_is_cut_at_the_first_parenthesis() -> None:
    assert read_applications("&playback(x,y)z)", "XML") == [("playback", "x,y")]


def test_an_inline_list_is_split_at_its_own_separator() -> None:
    spec = parse_originate(
        "null/x 'm:^:sched_hangup:+1800 ALLOTTED_TIMEOUT^playback:/a,b.wav^hangup:' inline"
    )
    assert read_applications(spec.extension, spec.dialplan) == [
        ("sched_hangup", "+1800 ALLOTTED_TIMEOUT"),
        ("playback", "/a,b.wav"),
        ("hangup", ""),
    ]


def escape(value: str) -> str:
    """The escaping that was tested against the recorded node."""
    tables: list[dict[str, str]] = [
        {"\\": "\\\\", "'": "\\'", "=": "\\=", " ": "\\s", "\t": "\\t", "\n": "\\n", "\r": "\\r"},
        {"\\": "\\\\", "'": "\\'", ",": "\\,"},
        {"\\": "\\\\", "'": "\\'"},
    ]
    for table in tables:
        value = "".join(table.get(letter, letter) for letter in value)
    return value


def balanced(value: str) -> bool:
    depth = 0
    for letter in value:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if depth < 0:
            return False
    return depth == 0


hostile = st.text(st.sampled_from(" ,'\"=\\{}[]<>|^&()$:_nrts\t\nabé€😀%;#!"), min_size=1, max_size=40)


@given(hostile.filter(balanced).filter(lambda value: ":_:" not in value and not has_expansion(value)))
def test_an_escaped_value_arrives_unchanged(value: str) -> None:
    assert arrived(escape(value)) == (value, "1")


@given(st.text(max_size=80))
def test_any_command_is_parsed_or_refused_with_an_answer(text: str) -> None:
    answer = ""
    groups: tuple[object, ...] = ()
    try:
        groups = parse_originate(text).groups
    except DialStringError as error:
        answer = error.reply
    assert groups or answer.startswith(("-ERR ", "-USAGE: "))


@given(st.text(st.sampled_from("ab '\\,"), max_size=30))
def test_splitting_at_blanks_leaves_no_blank_outside_quotes(text: str) -> None:
    for word in words(text, limit=100):
        assert word == word.strip(" ") or "'" in text or "\\" in text


@pytest.mark.parametrize(("text", "index"), [("{a}", 2), ("{a{b}c}d", 6), ("{'}'}", 2), ("{a", -1)])
def test_brackets_match_without_regard_to_quotes(text: str, index: int) -> None:
    assert closing(text) == index
