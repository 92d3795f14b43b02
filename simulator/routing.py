"""Where a leg goes: endpoints, gateways and profiles the node knows, and the causes for those it does not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from simulator.causes import parse_cause
from simulator.dialstring import Leg, has_expansion
from simulator.faults import Faults
from simulator.number_plan import ANSWERS_AT_ONCE, PORT_CLOSED, SWALLOWED, CalledParty, refusing

PROFILES = frozenset({"external", "internal"})
CARRIER_HOSTS = frozenset({"127.0.0.1:5090", "127.0.0.1"})


@dataclass(frozen=True, slots=True)
class Route:
    """A leg that gets a channel. `called_party`: who answers there whoever is called, None where the number decides.
    `fault`: the cause it ends with at once, because its number makes no URI."""

    number: str
    gateway: str
    called_party: CalledParty | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A leg that ends before an INVITE. `session`: a session was made and destroyed for it."""

    cause: str
    number: str
    gateway: str
    session: bool = False


class Router:
    """The node's gateways: those named, or any whose name does not start with `nosuch`.

    The end of a gateway's name makes it faulty: `_ping` or `_down` is GATEWAY_DOWN, `_dead` refuses the port,
    `_hole` swallows every packet. The faults in force can make any of them go down or refuse.
    """

    def __init__(self, gateways: Collection[str] | None = None, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.gateways = None if gateways is None else frozenset(gateways)

    def knows(self, gateway: str) -> bool:
        """Whether the gateway is configured."""
        if self.gateways is not None:
            return gateway in self.gateways
        return not gateway.startswith("nosuch")

    def up(self, gateway: str) -> bool:
        """Whether a gateway answers its pings."""
        return not (gateway.endswith(("_ping", "_down")) or self.faults.down(gateway))

    def route(self, leg: Leg) -> Route | Refused:
        """The way of one leg."""
        if leg.endpoint == "sofia":
            return self._sofia(leg.data)
        if leg.endpoint == "null":
            return Route(leg.data, "", ANSWERS_AT_ONCE)
        if leg.endpoint == "error":
            return Refused(parse_cause(leg.data, "NORMAL_CLEARING"), "", "")
        cause = {"user": "MANDATORY_IE_MISSING", "group": "NO_ROUTE_DESTINATION"}.get(leg.endpoint)
        return Refused(cause or "CHAN_NOT_IMPLEMENTED", leg.data, "")

    def _sofia(self, data: str) -> Route | Refused:
        profile, slash, rest = data.partition("/")
        if profile != "gateway":
            return self._profile(profile, rest)
        gateway, slash, number = rest.partition("/")
        if not slash:
            return Refused("INVALID_URL", "", gateway, session=True)
        if not self.knows(gateway):
            return Refused("INVALID_GATEWAY", number, gateway, session=True)
        if not self.up(gateway):
            return Refused("GATEWAY_DOWN", number, gateway, session=True)
        _, at, host = number.partition("@")
        party = None
        if gateway.endswith("_hole"):
            party = SWALLOWED
        elif gateway.endswith("_dead") or (at and host not in CARRIER_HOSTS):
            party = PORT_CLOSED
        elif fault := self.faults.refusal(gateway):
            party = refusing(int(fault.number("status")), ring=fault.text("ring") == "yes")
        return Route(number, gateway, party, _fault(number))

    @staticmethod
    def _profile(profile: str, rest: str) -> Route | Refused:
        if profile not in PROFILES:
            return Refused("INVALID_PROFILE", rest, "", session=True)
        number, at, host = rest.partition("@")
        if not number or not at:
            return Refused("USER_NOT_REGISTERED", number, "", session=True)
        return Route(number, "", None if host in CARRIER_HOSTS else PORT_CLOSED, _fault(number))


def caller_headers(variables: Mapping[str, str]) -> dict[str, str]:
    """The headers of an INVITE that say who calls, by a gateway with `caller-id-in-from`.

    Without `sip_cid_type` the profile's own type holds, which is Remote-Party-ID where nothing else is configured.
    """
    number = variables.get("origination_caller_id_number") or "0000000000"
    name = variables.get("origination_caller_id_name", "")
    address = f'"{name}" <sip:{number}@127.0.0.1>' if name else f"<sip:{number}@127.0.0.1>"
    headers = {"From": address}
    cid_type = variables.get("sip_cid_type", "rpid").lower()
    if cid_type == "pid":
        headers |= {"P-Asserted-Identity": address, "Privacy": "none"}
    elif cid_type == "rpid":
        headers["Remote-Party-ID"] = f"{address};party=calling;screen=yes;privacy=off"
    return headers


def _fault(number: str) -> str:
    if has_expansion(number):
        return "DESTINATION_OUT_OF_ORDER"
    return "NORMAL_UNSPECIFIED" if "<" in number or ">" in number else ""
