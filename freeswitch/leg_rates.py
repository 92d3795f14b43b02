"""How a node keeps the calls a second of a gateway that it bridges by: with the application `limit_execute`.

`limit_execute hash <realm> <key> <max>/<seconds> bridge <endpoint>` runs the bridge where fewer than `max` legs were
counted under the key since its window began, and otherwise goes on to the next application of the list, as does one
that the bridge came back from (mod_dptools.c, mod_hash.c of FreeSWITCH 1.11.3-dev). A window begins with the first
leg after the last window's end and goes by whole seconds of the node's clock: the next begins `seconds` after the
second in which this one began.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from freeswitch.errors import CommandRefused

REALM: Final = "carillon_gw"
APPLICATION: Final = "limit_execute"
_KEY: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_ARGUMENT: Final = re.compile(
    rf"hash {REALM} [0-9A-Za-z_-]{{1,64}} [1-9][0-9]{{0,5}}/[1-9][0-9]{{0,3}} bridge (\S+)"
)


@dataclass(frozen=True, slots=True)
class LegRate:
    """At most `most` legs by the gateway `key` in `seconds` whole seconds of the node's clock."""

    key: str
    most: int
    seconds: int


def bridge_within(rate: LegRate, endpoint: str) -> str:
    """The argument with which `limit_execute` bridges to `endpoint` where the rate allows it.

    Raises CommandRefused for a key or numbers that could be read as something else.
    """
    if not _KEY.fullmatch(rate.key):
        raise CommandRefused("rate", rate.key, "1 to 64 of 0-9 A-Z a-z _ -")
    argument = f"hash {REALM} {rate.key} {rate.most}/{rate.seconds} bridge {endpoint}"
    if bridged(argument) is None:
        raise CommandRefused("rate", f"{rate.most}/{rate.seconds}", "1 to 999999 legs in 1 to 9999 seconds")
    return argument


def bridged(argument: str) -> str | None:
    """The endpoint of such an argument; None for any other."""
    match = _ARGUMENT.fullmatch(argument)
    return None if match is None else match[1]
