"""The faults of a node: their vocabulary, and the decisions of those in force.

Told by the control port and the command line, asked by the clients of the event socket and the switch. Pure but for
the draws, which come of the node's seed.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from zlib import crc32

Value = float | str


class FaultError(Exception):
    """A fault that does not exist or cannot be like that; the message is a sentence for whoever asked."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault with all its values, defaults included."""

    name: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def number(self, key: str) -> float:
        """A value that is a number."""
        return float(self.values[key])

    def text(self, key: str) -> str:
        """A value that is a text."""
        return str(self.values[key])

    def __str__(self) -> str:
        pairs = ",".join(
            f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
            for key, value in self.values.items()
        )
        return f"{self.name}:{pairs}" if pairs else self.name


def _number(low: float, high: float) -> Callable[[str], Value]:
    def convert(text: str) -> Value:
        value = float(text)
        if not low <= value <= high:
            raise ValueError(f"not between {low:g} and {high:g}")
        return value

    return convert


def _whole(low: int, high: int) -> Callable[[str], Value]:
    def convert(text: str) -> Value:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(f"not between {low} and {high}")
        return float(value)

    return convert


def _word(*allowed: str) -> Callable[[str], Value]:
    def convert(text: str) -> Value:
        if allowed and text not in allowed:
            raise ValueError(f"not one of {', '.join(allowed)}")
        return text

    return convert


_PERCENT = _number(0, 100)
_SECONDS = _number(0, 3_600)
_COMMAND = _word("any", "api", "bgapi")
_Key = tuple[Callable[[str], Value], Value]

# For each fault its keys: how a value is read, and what it is when it is not given.
KINDS: Final[Mapping[str, Mapping[str, _Key]]] = MappingProxyType(
    {
        # Events, on their way to each client.
        "drop": {"percent": (_PERCENT, 30.0)},
        "duplicate": {"percent": (_PERCENT, 30.0)},
        "reorder": {"percent": (_PERCENT, 30.0), "seconds": (_SECONDS, 0.5)},
        "late": {"percent": (_PERCENT, 100.0), "seconds": (_SECONDS, 60.0)},
        "burst": {"events": (_whole(1, 1_000_000), 50_000.0)},
        # Connections.
        "no-reply": {"percent": (_PERCENT, 1.0), "command": (_COMMAND, "bgapi")},
        "late-reply": {
            "percent": (_PERCENT, 1.0),
            "seconds": (_SECONDS, 3.0),
            "command": (_COMMAND, "bgapi"),
        },
        "half-open": {"resume": (_word("yes", "no"), "no")},
        "cut": {"after": (_whole(1, 1_000_000), 1.0), "times": (_whole(1, 1_000_000), 1.0)},
        # The node.
        "limits": {"sps": (_whole(1, 1_000_000), 30.0), "max_sessions": (_whole(1, 1_000_000), 1_000.0)},
        "pause": {"direction": (_word("both", "inbound", "outbound"), "both")},
        "zombies": {"percent": (_PERCENT, 10.0)},
        "no-media": {"percent": (_PERCENT, 100.0), "at": (_word("invite", "answer", "codec"), "answer")},
        "stand-still": {"seconds": (_SECONDS, 5.0)},
        "gateway-down": {"gateway": (_word(), "")},
        "gateway-refuses": {
            "gateway": (_word(), ""),
            "status": (_whole(300, 699), 503.0),
            "ring": (_word("yes", "no"), "no"),
        },
        "restart": {},
        "kill": {},
    }
)
MOMENTARY: Final = frozenset({"burst", "restart", "kill", "stand-still"})
"""Faults that happen once; all others last until `clear`."""
_NEEDS_A_RUNNING_NODE: Final = MOMENTARY | {"half-open"}


def parse_fault(text: str) -> Fault:
    """A fault as the control port is told it: `NAME key=value key=value`. Raises FaultError."""
    name, *pairs = text.split() or [""]
    return _fault(name, pairs)


@dataclass(frozen=True, slots=True)
class ScheduledFault:
    """A fault of the command line, with the seconds after the node's start at which it begins and ends."""

    fault: Fault
    begins: float = 0.0
    ends: float = math.inf

    def after(self, seconds: float) -> ScheduledFault | None:
        """What is left of it for a node that takes this one's place after so long; None for what is over."""
        over = self.begins if self.fault.name in MOMENTARY else self.ends
        if over <= seconds:
            return None
        return ScheduledFault(self.fault, max(0.0, self.begins - seconds), self.ends - seconds)

    def __str__(self) -> str:
        until = "" if self.ends == math.inf else f"-{self.ends:g}"
        return f"{self.fault}@{self.begins:g}{until}"


def parse_option(text: str) -> ScheduledFault:
    """A fault as the command line has it: `NAME` or `NAME:key=value,key=value`, and where it is not to last from the
    start to the end, `@FROM` or `@FROM-TO`. Raises FaultError."""
    told, at, span = text.partition("@")
    name, _, pairs = told.partition(":")
    if name in _NEEDS_A_RUNNING_NODE and not at:
        raise FaultError(f"{name} strikes what a node has when it comes: say when, as in {name}@5")
    fault = _fault(name, [pair for pair in pairs.split(",") if pair])
    if not at:
        return ScheduledFault(fault)
    begins, until, ends = span.partition("-")
    if until and name in MOMENTARY:
        raise FaultError(f"{name} happens once, and does not end")
    try:
        scheduled = ScheduledFault(
            fault, *(float(_SECONDS(moment)) for moment in ([begins, ends] if until else [begins]))
        )
    except ValueError as error:
        raise FaultError(f"@{span}: {error}") from error
    if scheduled.ends <= scheduled.begins:
        raise FaultError(f"@{span}: it ends before it begins")
    return scheduled


def _fault(name: str, pairs: list[str]) -> Fault:
    keys = KINDS.get(name)
    if keys is None:
        raise FaultError(f"no fault named {name!r}; there are {', '.join(KINDS)}")
    values = {key: default for key, (_, default) in keys.items()}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if key not in keys or not equals:
            raise FaultError(
                f"{name} takes {', '.join(f'{key}=...' for key in keys) or 'nothing'}, not {pair!r}"
            )
        try:
            values[key] = keys[key][0](text)
        except ValueError as error:
            raise FaultError(f"{key}={text}: {error}") from error
    return Fault(name, values)


class Faults:
    """The faults in force on one node; a fault that is set again replaces itself.

    `done` counts how often each has struck; `zombies` are the channels that did not end.
    """

    def __init__(self, seed: int = 0) -> None:
        self.in_force: dict[str, Fault] = {}
        self.done: Counter[str] = Counter()
        self.zombies: set[str] = set()
        self.affects_events = False
        self.delays_replies = False
        self._random = random.Random(seed)
        self._cuts_left = 0

    def set(self, fault: Fault) -> None:
        """Put a fault in force."""
        self.in_force[fault.name] = fault
        if fault.name == "cut":
            self._cuts_left = int(fault.number("times"))
        self._note()

    def clear(self, *names: str) -> None:
        """End the faults of these names; all of them without a name."""
        for name in names or list(self.in_force):
            self.in_force.pop(name, None)
        self._note()

    def _note(self) -> None:
        self.affects_events = not self.in_force.keys().isdisjoint(
            {"drop", "duplicate", "reorder", "late", "cut"}
        )
        self.delays_replies = not self.in_force.keys().isdisjoint({"no-reply", "late-reply"})

    def _strikes(self, name: str) -> Fault | None:
        fault = self.in_force.get(name)
        if fault is None or self._random.random() * 100 >= fault.number("percent"):
            return None
        self.done[name] += 1
        return fault

    def copies(self) -> list[float]:
        """When one event is delivered to one client, in real seconds from now: once for each copy, [] for never."""
        if self._strikes("drop"):
            return []
        delays = [0.0, 0.0] if self._strikes("duplicate") else [0.0]
        if fault := self._strikes("reorder"):
            delays = [delay + self._random.uniform(0, fault.number("seconds")) for delay in delays]
        if fault := self._strikes("late"):
            delays = [delay + fault.number("seconds") for delay in delays]
        return delays

    def cuts(self, delivered: int) -> bool:
        """Whether a client that got `delivered` events on its connection gets half of the next one, and the end."""
        fault = self.in_force.get("cut")
        if fault is None or not self._cuts_left or delivered < fault.number("after"):
            return False
        self._cuts_left -= 1
        self.done["cut"] += 1
        return True

    def reply_delay(self, line: str) -> float:
        """Real seconds by which the reply to a command is late, and with it all that follows on its connection.

        Infinite for a reply that never comes.
        """
        command = line.partition(" ")[0].lower()
        for name in ("no-reply", "late-reply"):
            fault = self.in_force.get(name)
            if fault is not None and fault.text("command") in ("any", command) and self._strikes(name):
                return math.inf if name == "no-reply" else fault.number("seconds")
        return 0.0

    def stays_up(self, uuid: str) -> bool:
        """Whether an answered channel does not end although it was told to: the same for a uuid each time."""
        fault = self.in_force.get("zombies")
        if fault is None or crc32(uuid.encode("utf-8", "replace")) % 100 >= fault.number("percent"):
            return False
        self.done["zombies"] += uuid not in self.zombies
        self.zombies.add(uuid)
        return True

    def lacks_media(self, at: str) -> bool:
        """Whether there is no port for a call's media, found out `at` its invite, or when its called party offers
        some (`answer`); or no codec in common with him."""
        fault = self.in_force.get("no-media")
        return fault is not None and fault.text("at") == at and self._strikes("no-media") is not None

    def down(self, gateway: str) -> bool:
        """Whether a gateway does not answer its pings."""
        return self._of_gateway("gateway-down", gateway) is not None

    def refusal(self, gateway: str) -> Fault | None:
        """The fault by which a gateway refuses every INVITE with a `status`, after a 180 where `ring` is yes."""
        return self._of_gateway("gateway-refuses", gateway)

    def _of_gateway(self, name: str, gateway: str) -> Fault | None:
        fault = self.in_force.get(name)
        return fault if fault is not None and fault.text("gateway") in ("", gateway) else None
