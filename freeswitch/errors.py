"""What goes wrong at a node: a value that cannot travel, a connection, a command, a reply that does not come."""

from __future__ import annotations


class FreeswitchError(Exception):
    """Something could not be said to FreeSWITCH, or what it said could not be understood."""


class CommandRefused(FreeswitchError):  # noqa: N818 - what happened, not a fault of the code
    """A value that may not, or could not unchanged, travel to a node.

    `name` says what it was for, `rule` which rule it breaks.
    """

    def __init__(self, name: str, value: object, rule: str) -> None:
        super().__init__(f"{name} {str(value)[:80]!r}: {rule}")
        self.name = name
        self.value = value
        self.rule = rule


class EslError(FreeswitchError):
    """A command or a connection failed. `node` is the address it was meant for."""

    def __init__(self, node: str, reason: str) -> None:
        super().__init__(f"{node}: {reason}")
        self.node = node
        self.reason = reason


class NotConnected(EslError):  # noqa: N818 - what happened, not a fault of the code
    """There is no connection; certainly nothing was written."""


class AuthRefused(EslError):  # noqa: N818 - what happened, not a fault of the code
    """The node does not take the password, or does not let this host in."""


class Withheld(EslError):  # noqa: N818 - what happened, not a fault of the code
    """The guard said no at the last moment; certainly nothing was written."""


class MaybeSent(EslError):  # noqa: N818 - what happened, not a fault of the code
    """The connection died with the command written, in whole or in part: the node may have run it."""


class ReplyTimeout(MaybeSent):
    """No reply in time. The node may still run the command."""
