"""Writes the ledger of a node, line by line (`ledger` reads them back)."""

from __future__ import annotations

from simulator.calls import Call
from simulator.dialstring import Leg
from simulator.ledger import OWN_PREFIX, LedgerSink
from simulator.routing import Refused, Route, caller_headers


class Journal:
    """The ledger of one node; times are wall seconds since the epoch."""

    def __init__(self, ledger: LedgerSink, node: str) -> None:
        self._ledger = ledger
        self._node = node

    def start(self, wall: float) -> None:
        """The node begins: nothing that an earlier run of it left unended is up any more."""
        self._ledger.write({"t": wall, "event": "start", "node": self._node})

    def originate(self, wall: float, leg: Leg, uuid: str, route: Route | Refused, result: str) -> None:
        """One leg the node was asked for: `accepted`, with the headers of its INVITE, or `refused:<CAUSE>`."""
        variables = leg.variables
        sent = caller_headers(variables) if isinstance(route, Route) and leg.endpoint == "sofia" else {}
        own = {_text(name): _text(value) for name, value in variables.items() if name.startswith(OWN_PREFIX)}
        self._ledger.write(
            {
                "t": wall,
                "event": "originate",
                "uuid": _text(uuid),
                "number": _text(route.number),
                "node": self._node,
                "gateway": _text(route.gateway),
                "tenant": _text(variables.get("dialer_tenant", "")),
                "campaign": _text(variables.get("dialer_campaign", "")),
                "contact": _text(variables.get("dialer_contact", "")),
                "dialer": _text(variables.get("dialer_id", "")),
                "variables": own,
                "headers": {name: _text(value) for name, value in sent.items()},
                "result": result,
            }
        )

    def leg(self, wall: float, call: Call, route: Route) -> None:
        """The INVITE of a call's second leg."""
        variables = call.variables
        self._ledger.write(
            {
                "t": wall,
                "event": "leg",
                "uuid": call.second_leg,
                "of": _text(call.uuid),
                "number": _text(route.number),
                "node": self._node,
                "gateway": _text(route.gateway),
                "tenant": _text(variables.get("dialer_tenant", "")),
                "campaign": _text(variables.get("dialer_campaign", "")),
                "contact": _text(variables.get("dialer_contact", "")),
                "dialer": _text(variables.get("dialer_id", "")),
                "result": "accepted",
            }
        )

    def leg_end(self, wall: float, call: Call) -> None:
        """The end of a call's second leg."""
        self._ledger.write({"t": wall, "event": "leg_end", "uuid": call.second_leg})

    def step(self, wall: float, event: str, call: Call) -> None:
        """`ring` or `answer`."""
        self._ledger.write({"t": wall, "event": event, "uuid": _text(call.uuid)})

    def end(self, wall: float, call: Call) -> None:
        """The end of a call that had a channel."""
        self._ledger.write(
            {
                "t": wall,
                "event": "end",
                "uuid": _text(call.uuid),
                "cause": call.cause,
                "billsec": call.billsec,
                "sip": call.sip,
            }
        )

    def command(self, wall: float, uuid: str, command: str) -> None:
        """An operating system command that a real node would have run; this one never does."""
        self._ledger.write({"t": wall, "event": "command", "uuid": _text(uuid), "command": _text(command)})


def _text(value: str) -> str:
    """A value as it may stand in the ledger, which is UTF-8."""
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
