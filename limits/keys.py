"""The limiter's Redis keys, in one place, and the record that says what a permit holds.

Everything that counts is of one epoch: its keys carry the epoch's first part, so a rebuilt state never meets what an
earlier one left, and what was left lapses by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from coordination.keys import CoordinationKeys

SECOND_LEG = ":b"
"""What the name of a second leg's slot ends with, behind its call's id; `slots.lua` and the others say it too."""


def campaign_scope(campaign_id: str, tenant_id: str, *, single: bool) -> str:
    """Under which name a call holds its campaign's slot: all single calls of a tenant do under one, so that it is
    known how many of the places that are kept for them they have."""
    return f"single:{tenant_id}" if single else campaign_id


@dataclass(frozen=True, slots=True)
class Keys(CoordinationKeys):
    """The keys outside any epoch; a dialer's lease and fence, which scripts ask for too, are among them."""

    @property
    def epoch(self) -> str:
        """`<random part>.<run id of the server it was built on>`; its absence says that nobody may dial."""
        return f"{self.prefix}epoch"

    @property
    def rebuilding(self) -> str:
        """The lock of whoever rebuilds."""
        return f"{self.prefix}rebuilding"

    @property
    def ended_while_down(self) -> str:
        """Calls that ended while there was no epoch: a hash from call id to billed seconds, -1 for never sent."""
        return f"{self.prefix}gone"

    def rate_cut(self, kind: str, name: str) -> str:
        """How far the rate of a node or gateway that refused is cut; lapses when all of it has come back."""
        return f"{self.prefix}pressure:{kind}:{name}"

    def number_history(self, tenant_id: str, number: str) -> list[str]:
        """The log of a number's calls with a tenant, a sorted set of call ids by ms, and the ms at which the last of
        them ended: of no epoch, since they outlast any."""
        return [f"{self.prefix}{kind}:{tenant_id}:{number}" for kind in ("called", "rests")]

    def reading_numbers(self, tenant_id: str) -> str:
        """The lock of whoever reads what a tenant's numbers were called from its rows."""
        return f"{self.prefix}reading:{tenant_id}"

    def epoch_keys(self, epoch: str) -> EpochKeys:
        return EpochKeys(f"{self.prefix}{epoch.partition('.')[0]}:")


@dataclass(frozen=True, slots=True)
class EpochKeys:
    """The keys of one epoch's state."""

    base: str

    @property
    def clock(self) -> str:
        """The latest time that was seen."""
        return f"{self.base}clock"

    @property
    def permits(self) -> str:
        """A hash from call id to its record: what it holds. The one truth about who holds what."""
        return f"{self.base}permits"

    @property
    def holders(self) -> str:
        """The set of dialers that hold permits."""
        return f"{self.base}holders"

    @property
    def next_due(self) -> str:
        """A hash from a rate's key to the time for which its next call is due."""
        return f"{self.base}tat"

    def held(self, dialer_id: str) -> str:
        """The set of call ids whose permits this dialer holds."""
        return f"{self.base}held:{dialer_id}"

    def day(self, tenant_id: str) -> str:
        """A hash: `<day>:calls` and `<day>:seconds`, the day counted from 1970."""
        return f"{self.base}day:{tenant_id}"

    def added_late(self, tenant_id: str) -> str:
        """A set of the call ids whose seconds were added to a day after their permits were released."""
        return f"{self.base}late:{tenant_id}"

    def slots(self, kind: str, name: str) -> str:
        """A sorted set of call ids by the ms at which their lease lapses."""
        return f"{self.base}slots:{kind}:{name}"

    def number_slots(self, tenant_id: str, number: str) -> str:
        """The slots of a called number: each tenant's own, so that none can tell whom another is calling."""
        return self.slots("number", f"{tenant_id}:{number}")

    def rate(self, kind: str, name: str) -> str:
        """A sorted set of call ids by the µs at which they were, or may next be, admitted."""
        return f"{self.base}rate:{kind}:{name}"


@dataclass(frozen=True, slots=True)
class PermitRecord:
    """What one permit holds, and for whom. `raw` is the very text in Redis: scripts compare it before they act."""

    raw: str
    owner: str
    campaign_id: str
    tenant_id: str
    gateway_id: str
    node: str
    number: str
    day: int
    ask: int
    second_leg_gateway_id: str | None = None

    @classmethod
    def parse(cls, raw: str) -> PermitRecord:
        data: Mapping[str, Any] = orjson.loads(raw)
        return cls(
            raw,
            data["o"],
            data["c"],
            data["t"],
            data["g"],
            data["n"],
            data["p"],
            int(data["d"]),
            int(data["a"]),
            data.get("b"),
        )

    @classmethod
    def make(
        cls,
        *,
        owner: str,
        campaign_id: str,
        tenant_id: str,
        gateway_id: str,
        node: str,
        number: str,
        day: int,
        ask: int,
        second_leg_gateway_id: str | None = None,
    ) -> PermitRecord:
        """A record in the form in which the scripts write it."""
        fields: dict[str, str | int] = {
            "o": owner,
            "c": campaign_id,
            "t": tenant_id,
            "g": gateway_id,
            "n": node,
            "p": number,
            "d": day,
            "a": ask,
        }
        if second_leg_gateway_id is not None:
            fields["b"] = second_leg_gateway_id
        return cls.parse(orjson.dumps(fields).decode())

    def owned_by(self, dialer_id: str) -> PermitRecord:
        """The same permit in the hands of another dialer."""
        return PermitRecord.make(
            owner=dialer_id,
            campaign_id=self.campaign_id,
            tenant_id=self.tenant_id,
            gateway_id=self.gateway_id,
            node=self.node,
            number=self.number,
            day=self.day,
            ask=0,
            second_leg_gateway_id=self.second_leg_gateway_id,
        )

    def every_slot(self, keys: EpochKeys, call_id: str) -> list[tuple[str, str]]:
        """The set of each slot of this permit, and the slot's name in it."""
        found = [(slots, call_id) for slots in self.slot_keys(keys)]
        second = self.second_leg_slots(keys)
        return found if second is None else [*found, (second, f"{call_id}{SECOND_LEG}")]

    def second_leg_slots(self, keys: EpochKeys) -> str | None:
        """The set in which its second leg has a slot; None for a call that has none."""
        if self.second_leg_gateway_id is None:
            return None
        return keys.slots("gateway", self.second_leg_gateway_id)

    def slot_keys(self, keys: EpochKeys) -> list[str]:
        """The five sets in which this permit has a slot of its own."""
        return [
            keys.slots("campaign", self.campaign_id),
            keys.slots("tenant", self.tenant_id),
            keys.slots("gateway", self.gateway_id),
            keys.slots("node", self.node),
            keys.number_slots(self.tenant_id, self.number),
        ]

    def rate_keys(self, keys: EpochKeys) -> list[str]:
        """The three logs in which this permit has an entry."""
        return [
            keys.rate("tenant", self.tenant_id),
            keys.rate("gateway", self.gateway_id),
            keys.rate("node", self.node),
        ]
