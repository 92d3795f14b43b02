"""The Redis keys of membership, control bus and turns, and of what is known of the database, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CoordinationKeys:
    """Where an installation with this prefix keeps who is a member, and what its processes tell each other."""

    prefix: str

    @property
    def members(self) -> str:
        """A hash from dialer id to what it says of itself, as JSON; dead ones stay until they are removed."""
        return f"{self.prefix}roster"

    @property
    def control(self) -> str:
        """The channel that control messages travel on."""
        return f"{self.prefix}bell"

    @property
    def database(self) -> str:
        """A hash: the `lineage` of the database that is dialled from, and the `newest` transition that it had."""
        return f"{self.prefix}database"

    def lease(self, dialer_id: str) -> str:
        """Set while this dialer's lease runs."""
        return f"{self.prefix}lease:{dialer_id}"

    def fenced(self, dialer_id: str) -> str:
        """Its value is Redis' time, in ms, at which the dialer's own lease has surely lapsed."""
        return f"{self.prefix}fenced:{dialer_id}"

    def turn(self, work: str) -> str:
        """The dialer that does this work now; lapses with its period."""
        return f"{self.prefix}turn:{work}"

    def answers(self, token: str) -> str:
        """The list of the dialers that have acted on the control message with this token."""
        return f"{self.prefix}bell:{token}"
