"""Who calls, as the called party sees it: what a real node wrote (1.11.3-dev, a gateway with caller-id-in-from)."""

from __future__ import annotations

import pytest

from simulator.dialstring import parse_originate
from simulator.routing import caller_headers

CALLER = "<sip:+14155550100@127.0.0.1>"
NAMED = '"Ann" <sip:14155550100@127.0.0.1>'


@pytest.mark.parametrize(
    ("cid_type", "beside"),
    [
        (None, {"Remote-Party-ID": "{};party=calling;screen=yes;privacy=off"}),
        ("rpid", {"Remote-Party-ID": "{};party=calling;screen=yes;privacy=off"}),
        ("pid", {"P-Asserted-Identity": "{}", "Privacy": "none"}),
        ("none", {}),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_the_type_of_caller_id_chooses_the_header_beside_from(
    cid_type: str | None, beside: dict[str, str], named: bool
) -> None:
    number = "14155550100" if named else "+14155550100"
    given = [f"origination_caller_id_number={number}"]
    given += ["origination_caller_id_name=Ann"] if named else []
    given += [f"sip_cid_type={cid_type}"] if cid_type else []
    spec = parse_originate(f"{{{','.join(given)}}}sofia/gateway/carrier/+15551230001 &park()")
    address = NAMED if named else CALLER
    expected = {name: value.format(address) for name, value in beside.items()}
    assert caller_headers(spec.groups[0][0].variables) == {"From": address, **expected}
