"""When a gateway is paused, or only for one destination, and when it is back: decided from counted signs. Pure.

Refusals in a row are counted for the gateway, and for each of its destinations (`campaigns.routing.destination`).
Five of one destination while others get through pause that destination; five otherwise pause the gateway. Where they
were all of one destination and of others nothing is known, a call to another may show at once that it works: then
the pause is that destination's alone. Ten calls in a row to which nobody responded pause alike. Called by
`gateway_breaker` under the gateway's lock. Decisions 0048 and 0098.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

FAULTS_THAT_PAUSE = 5
SILENT_THAT_PAUSE = 10
"""A phone that is switched off is silent as well: so many of them do not come in a row."""
WORKS_FOR = timedelta(seconds=60)
"""For so long a call that got through to another destination shows that the gateway works."""
FIRST_PROBE_SECONDS = 60
LAST_PROBE_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Standing:
    """How calls by a gateway, or to one destination of it, end.

    `faults` were refused in a row since `since`; whom `refused` were for is given back what he was charged when that
    pauses it. To the calls `silent`, each of another number, nobody responded since `silent_since`. While it is
    paused, `probes` calls have tried it, and `probe_at` is when the next may. `works_at`: when a call to this
    destination last got through.
    """

    faults: int = 0
    since: datetime | None = None
    refused: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    silent_since: datetime | None = None
    works_at: datetime | None = None
    paused_at: datetime | None = None
    reason: str | None = None
    probe_at: datetime | None = None
    probes: int = 0


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway and its destinations. `alone`: the destination that was refused when it was paused, where it was
    one, until a call to another has tried it."""

    whole: Standing = field(default_factory=Standing)
    prefixes: Mapping[str, Standing] = field(default_factory=dict)
    alone: str | None = None

    def prefix(self, prefix: str) -> Standing:
        return self.prefixes.get(prefix, Standing())

    def with_prefix(self, prefix: str, standing: Standing) -> Gateway:
        return replace(self, prefixes={**self.prefixes, prefix: standing})


@dataclass(frozen=True, slots=True)
class Refusals:
    """Calls to one destination that the gateway refused in a row, the last ones. `more` and `more_there` of them say
    something: of the gateway, and of the destination. `charged` are those whose contacts were charged."""

    prefix: str
    more: int
    more_there: int
    charged: Sequence[str]
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Silence:
    """Calls to one destination to which nobody responded, and by the gateway to nobody else meanwhile. `telling` are
    those that say something, `telling_of_gateway` those of them since the gateway last reached anybody."""

    prefix: str
    calls: Sequence[str]
    telling: Sequence[str]
    telling_of_gateway: Sequence[str]
    reason: str


def got_through(gateway: Gateway, prefix: str, now: datetime, *, probe: bool, alive: bool = True) -> Gateway:
    """A call to `prefix` got through. Only a probe ends a pause; that of the gateway goes on for those of its
    destinations that were refused five times themselves. `alive`: just now, and not when it rang long before its
    end."""
    there = gateway.prefix(prefix)
    if probe or there.paused_at is None:
        there = _well(there, alive or probe)
    gateway = gateway.with_prefix(prefix, replace(there, works_at=now))
    if gateway.whole.paused_at is None:
        return replace(gateway, whole=_well(gateway.whole, alive or probe))
    if not probe:
        return gateway
    reason = gateway.whole.reason
    prefixes = {
        name: _paused(one, one.reason or reason or "", now)
        if one.faults >= FAULTS_THAT_PAUSE and one.paused_at is None
        else one
        for name, one in gateway.prefixes.items()
    }
    return Gateway(prefixes=prefixes)


def refused(gateway: Gateway, seen: Refusals, now: datetime) -> tuple[Gateway, tuple[str, ...]]:
    """The gateway refused calls: what follows, and the calls whose contacts are given back what they were charged."""
    whole, there = gateway.whole, gateway.prefix(seen.prefix)
    if whole.paused_at is not None or there.paused_at is not None:
        # It left before that was known. What is given back follows from the pause; of the others it says nothing.
        counted = replace(there, faults=there.faults + seen.more_there, reason=seen.reason)
        return gateway.with_prefix(seen.prefix, counted), tuple(seen.charged)
    if not (seen.more or seen.more_there):
        return gateway, ()
    whole = _counted(whole, seen.more, seen)
    there = _counted(there, seen.more_there, seen)
    after = replace(gateway.with_prefix(seen.prefix, there), whole=whole)
    if there.faults >= FAULTS_THAT_PAUSE and _reaches_others(after, seen.prefix, now):
        given_back = there.refused
        kept = tuple(call for call in whole.refused if call not in given_back)
        # They were the destination's: of the gateway's own those of others are left.
        whole = replace(whole, faults=max(0, whole.faults - there.faults), refused=kept)
        after = after.with_prefix(seen.prefix, _paused(there, seen.reason, now))
        return replace(after, whole=whole), given_back
    if whole.faults >= FAULTS_THAT_PAUSE:
        given_back = tuple(dict.fromkeys((*whole.refused, *there.refused)))
        prefixes = {name: replace(one, refused=()) for name, one in after.prefixes.items()}
        alone = seen.prefix if there.faults >= whole.faults else None
        return Gateway(_paused(whole, seen.reason, now), prefixes, alone), given_back
    return after, ()


def unanswered(gateway: Gateway, seen: Silence, now: datetime) -> tuple[Gateway, tuple[str, ...]]:
    """Nobody responded to calls: what follows, and the calls whose contacts come back, as if nobody had called them.

    All that are known while it is paused: those that were up when it was, and its probes.
    """
    if gateway.whole.paused_at is not None or gateway.prefix(seen.prefix).paused_at is not None:
        return gateway, tuple(seen.calls)
    there = _silent(gateway.prefix(seen.prefix), seen.telling, now)
    whole = _silent(gateway.whole, seen.telling_of_gateway, now)
    after = replace(gateway.with_prefix(seen.prefix, there), whole=whole)
    if len(there.silent) >= SILENT_THAT_PAUSE and _reached_since(after, seen.prefix, there.silent_since):
        kept = tuple(call for call in whole.silent if call not in there.silent)
        whole = replace(whole, silent=kept, silent_since=whole.silent_since if kept else None)
        after = after.with_prefix(seen.prefix, _paused(there, seen.reason, now))
        return replace(after, whole=whole), there.silent
    if len(whole.silent) >= SILENT_THAT_PAUSE:
        given_back = tuple(dict.fromkeys((*whole.silent, *there.silent)))
        prefixes = {name: _settled(one, seen.reason) for name, one in after.prefixes.items()}
        alone = seen.prefix if set(whole.silent) <= set(there.silent) else None
        return Gateway(_paused(whole, seen.reason, now), prefixes, alone), given_back
    return after, ()


def take_probe(gateway: Gateway, prefix: str, now: datetime) -> Gateway | None:
    """The next call to `prefix` probes what is paused; None where it may not."""
    whole, there = gateway.whole, gateway.prefix(prefix)
    first = gateway.alone is not None and gateway.alone != prefix
    if whole.paused_at is not None:
        if not first and not _due(whole, now):
            return None
        gateway = replace(gateway, whole=_probed(whole, now), alone=None if first else gateway.alone)
    if there.paused_at is not None:
        if not _due(there, now):
            return None
        gateway = gateway.with_prefix(prefix, _probed(there, now))
    return gateway


def return_probe(gateway: Gateway, prefix: str, now: datetime) -> Gateway:
    """No call left with the probe that was taken: the next need not wait for it."""
    whole, there = gateway.whole, gateway.prefix(prefix)
    if whole.paused_at is not None:
        gateway = replace(gateway, whole=replace(whole, probes=max(0, whole.probes - 1), probe_at=now))
    if there.paused_at is not None:
        there = replace(there, probes=max(0, there.probes - 1), probe_at=now)
        gateway = gateway.with_prefix(prefix, there)
    return gateway


def _counted(standing: Standing, more: int, seen: Refusals) -> Standing:
    return replace(
        standing,
        faults=standing.faults + more,
        since=standing.since or seen.since,
        refused=(*standing.refused, *seen.charged),
        reason=seen.reason,
    )


def _silent(standing: Standing, more: Sequence[str], now: datetime) -> Standing:
    if not more:
        return standing
    return replace(standing, silent=(*standing.silent, *more), silent_since=standing.silent_since or now)


def _settled(standing: Standing, reason: str) -> Standing:
    """A destination of a gateway that is paused since nobody responds: where it was silent often enough by itself, it
    counts as one that was refused, so that it stays paused where others prove to be reached."""
    if len(standing.silent) >= SILENT_THAT_PAUSE:
        standing = replace(standing, faults=max(standing.faults, FAULTS_THAT_PAUSE), reason=reason)
    return replace(standing, silent=(), silent_since=None)


def _well(standing: Standing, alive: bool) -> Standing:
    """As it is once a call got through: nothing is counted any more, but for a silence since."""
    return Standing() if alive else Standing(silent=standing.silent, silent_since=standing.silent_since)


def _paused(standing: Standing, reason: str, now: datetime) -> Standing:
    first = now + timedelta(seconds=FIRST_PROBE_SECONDS)
    return replace(
        standing,
        refused=(),
        silent=(),
        silent_since=None,
        paused_at=now,
        reason=reason,
        probe_at=first,
        probes=0,
    )


def _reaches_others(gateway: Gateway, prefix: str, now: datetime) -> bool:
    """Whether calls to another destination get through while those to `prefix` are refused."""
    since = gateway.prefix(prefix).since or now
    return any(
        one.works_at is not None and (one.works_at >= since or now - one.works_at <= WORKS_FOR)
        for name, one in gateway.prefixes.items()
        if name != prefix
    )


def _reached_since(gateway: Gateway, prefix: str, since: datetime | None) -> bool:
    """Whether a call to another destination got through since then."""
    return since is not None and any(
        one.works_at is not None and one.works_at >= since
        for name, one in gateway.prefixes.items()
        if name != prefix
    )


def _due(standing: Standing, now: datetime) -> bool:
    return standing.probe_at is not None and standing.probe_at <= now


def _probed(standing: Standing, now: datetime) -> Standing:
    probes = standing.probes + 1
    seconds = min(LAST_PROBE_SECONDS, FIRST_PROBE_SECONDS * 2 ** min(probes, 20))
    return replace(standing, probes=probes, probe_at=now + timedelta(seconds=seconds))
