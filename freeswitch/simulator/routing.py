"""Where a leg goes: endpoints, gateways and profiles the node knows, and the causes for those it does not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from freeswitch.simulator.causes import parse_cause
from freeswitch.simulator.dialstring import Leg, holds_expansion

PROFILES = frozenset({"external", "internal"})
CARRIER_HOSTS = frozenset({"127.0.0.1:5090", "127.0.0.1"})


@dataclass(frozen=True, slots=True)
class Route:
    """A leg that gets a channel. `swallowed`: no packet ever comes back; `closed`: nobody listens there; `fault`: the
    cause it ends with at once, because its number makes no URI."""

    number: str
    gateway: str
    swallowed: bool = False
    closed: bool = False
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A leg that ends before an INVITE. `session`: a session was made and destroyed for it (fact A8)."""

    cause: str
    number: str
    gateway: str
    session: bool = False


class Router:
    """The node's gateways: those named, or any whose name does not start with `nosuch`.

    The end of a gateway's name makes it faulty: `_ping` or `_down` is GATEWAY_DOWN, `_dead` refuses the port,
    `_hole` swallows every packet.
    """

    def __init__(self, gateways: Collection[str] | None = None) -> None:
        self.gateways = None if gateways is None else frozenset(gateways)

    def knows(self, gateway: str) -> bool:
        """Whether the gateway is configured."""
        if self.gateways is not None:
            return gateway in self.gateways
        return not gateway.startswith("nosuch")

    def route(self, leg: Leg) -> Route | Refused:
        """The way of one leg."""
        if leg.endpoint == "sofia":
            return self._sofia(leg.data)
        if leg.endpoint == "null":
            return Route(leg.data, "")
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
        if gateway.endswith(("_ping", "_down")):
            return Refused("GATEWAY_DOWN", number, gateway, session=True)
        _, at, host = number.partition("@")
        return Route(
            number,
            gateway,
            swallowed=gateway.endswith("_hole"),
            closed=gateway.endswith("_dead") or bool(at and host not in CARRIER_HOSTS),
            fault=_fault(number),
        )

    @staticmethod
    def _profile(profile: str, rest: str) -> Route | Refused:
        if profile not in PROFILES:
            return Refused("INVALID_PROFILE", rest, "", session=True)
        number, at, host = rest.partition("@")
        if not number or not at:
            return Refused("USER_NOT_REGISTERED", number, "", session=True)
        return Route(number, "", closed=host not in CARRIER_HOSTS, fault=_fault(number))


def _fault(number: str) -> str:
    if holds_expansion(number):
        return "DESTINATION_OUT_OF_ORDER"
    return "NORMAL_UNSPECIFIED" if "<" in number or ">" in number else ""
