"""The API's rule for a dial string is the dialer's own: neither refuses what the other takes."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.routes.dial_strings import MAX_CHARACTERS, is_dial_string
from freeswitch.errors import CommandRefused
from freeswitch.originate import endpoint

NUMBERS = st.from_regex(r"\+?[0-9]{3,20}", fullmatch=True)
PIECES = st.sampled_from(
    ["sofia", "gateway", "loopback", "user", "app=",
     "system:id", "inline", "/", "//", "{number}", "{digits}", ":_:", ":_", ":", "_", "@", ";",
     "fs_path=sip:10.0.0.1", "|", ",", "{", "}", "[", "^", "${x}", " ", "\n", "\x00", "é", "٣", "A", "1", "+", "#"]
)  # fmt: skip
TEMPLATES = st.one_of(
    st.lists(PIECES, max_size=10).map("".join),
    st.lists(PIECES, max_size=5).map(lambda parts: "sofia/gateway/carrier/{number}" + "".join(parts)),
    st.text(max_size=40).map(lambda text: f"sofia/gateway/{text}/{{digits}}"),
)


def dialer_takes(template: str, number: str) -> bool:
    try:
        endpoint(template, number)
    except CommandRefused:
        return False
    return True


@given(TEMPLATES, NUMBERS)
@example("sofia/gateway/carrier/{number}", "+14155550100")
@example("sofia/gateway/a:_{number}", "+123")
@example("sofia/gateway/carrier/{number}@10.0.0.1:5060;transport=tcp", "123")
def test_both_agree_on_a_template_in_which_the_number_stands_once(template: str, number: str) -> None:
    if template.count("{number}") + template.count("{digits}") == 1:
        assert is_dial_string(template) == dialer_takes(template, number)
    else:
        assert not is_dial_string(template)


@pytest.mark.parametrize(
    "template",
    [
        "sofia/gateway/carrier/{number}",
        "sofia/gateway/carrier/{digits}",
        "sofia/external/{digits}@sip.example.com:5061;transport=tls",
        "loopback/{digits}/default",
        "sofia/gateway/carrier/011{digits}",
    ],
)
def test_a_gateways_dial_string_is_taken(template: str) -> None:
    assert is_dial_string(template)


@pytest.mark.parametrize(
    "template",
    [
        "",
        "{number}",
        "sofia/gateway/carrier/15550000",
        "sofia/gateway/carrier/{number}{digits}",
        "sofia/gateway/carrier/{number}/{number}",
        "{ignore_early_media=true}sofia/gateway/carrier/{number}",
        "[leg_timeout=5]sofia/gateway/carrier/{number}",
        "sofia/gateway/a/{number}|sofia/gateway/b/1",
        "sofia/gateway/a/{number},sofia/gateway/b/1",
        "sofia/gateway/a/{number}:_:sofia/gateway/b/1",
        "sofia/gateway/carrier/{number} &park",
        "sofia/gateway/carrier/{number}\n",
        "sofia/gateway/${domain}/{number}",
        "SOFIA/gateway/carrier/{number}",
        "loopback/app=system:touch {number}",
        "loopback/app=bridge:user/{number}",
        "loopback/app=park/{number}",
        "loopback/APP=park:{digits}",
        "loopback/{digits}/app=park",
        "loopback/system:{digits}/default/inline",
        "loopback/{digits}/default/inline",
        "loopback/{digits}/default/XML",
        "user/{digits}:x",
        "null/app=park:{digits}",
        "sofia/gateway/" + "x" * MAX_CHARACTERS + "/{number}",
    ],
)
def test_anything_more_than_one_leg_with_one_number_is_not(template: str) -> None:
    assert not is_dial_string(template)
