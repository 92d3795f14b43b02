"""Policy packs: what the law of a country asks of calls, as data, each rule with its source. Read and checked here.

A pack is a TOML file of `campaigns/packs/`; docs/policy-packs.md has its format. A rule can only forbid: there is
none that allows what a campaign, a tenant or another rule forbids (`campaigns.policies` has what follows). Not legal
advice.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from campaigns.errors import CampaignsError
from campaigns.windows import WindowRefusedError, Windows

FORMAT = 1
PURPOSES = ("sales", "service", "debt", "research", "emergency")
PACKS = Path(__file__).with_name("packs")
ADVICE = (
    "Not legal advice: a pack may be incomplete, out of date or wrong. Whoever calls answers for the call."
)
CAP_HOURS = (24, 7 * 24, 30 * 24)
RATE_HOURS = (24, 30 * 24)
RATES_OF = ("live", "attempts")
"""What an abandon rate is of: the calls that a live person answered, or all calls that were placed."""
LONGEST_COOL_OFF_HOURS = 90 * 24
"""What is older is forgotten (`dialer/housekeeping.py`)."""
COOL_OFF_AFTER = ("answered", "abandoned", "machine")
"""The dispositions after which a number may have to be left alone."""
NUMBER_KINDS = ("mobile", "geographic", "premium", "shared_cost", "voip", "personal")
"""What kinds of numbers a rule may refuse as caller ids."""


class PackRefusedError(CampaignsError):
    """A pack that cannot be; `where` names the file and the field."""

    def __init__(self, where: str, value: object, rule: str) -> None:
        super().__init__(f"{where} is {value!r}; {rule}.")
        self.where = where


@dataclass(frozen=True, slots=True)
class Source:
    """Where a rule comes from, and when somebody last read that."""

    pack: str
    version: str
    law: str
    paragraph: str
    url: str
    read: date

    def __str__(self) -> str:
        return f"{self.law}, {self.paragraph} (policy pack {self.pack} {self.version})"


@dataclass(frozen=True, slots=True)
class Hours:
    """Nobody is called outside these hours of the place."""

    windows: Windows


@dataclass(frozen=True, slots=True)
class Calls:
    """No more than `most` calls to one number within any so many hours."""

    most: int
    hours: int


@dataclass(frozen=True, slots=True)
class Ring:
    """A call that is not answered rings for at least so long."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Consent:
    """Only who agreed to it before is called."""


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Of a campaign's calls that `of` names no more than so many percent are abandoned in any so many hours."""

    percent: float
    of: str
    hours: int


@dataclass(frozen=True, slots=True)
class CallerId:
    """No number of these kinds is shown; with `own_country` only one of the country that is called."""

    refused: frozenset[str]
    own_country: bool


@dataclass(frozen=True, slots=True)
class CoolOff:
    """For so many hours after a call that ended so its number is not called again, nor who shares its key column."""

    after: str
    hours: int


Demand = Hours | Calls | Ring | Consent | Abandoned | CallerId | CoolOff


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One demand. It binds calls of these `purposes` to its pack's countries, or where `regions` are named only to
    those (`US-FL`). `value` is what the file has, for whoever reads it."""

    demand: Demand
    kind: str
    value: Any
    purposes: frozenset[str]
    regions: frozenset[str]
    source: Source
    note: str

    def told(self) -> dict[str, object]:
        """As the API tells it."""
        source = self.source
        return {
            "kind": self.kind,
            "value": self.value,
            "purposes": [one for one in PURPOSES if one in self.purposes],
            "regions": sorted(self.regions),
            "law": source.law,
            "paragraph": source.paragraph,
            "url": source.url,
            "read": source.read.isoformat(),
            "pack": source.pack,
            "version": source.version,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """The rules of one law-giver: its name, version and the countries (ISO 3166) that it is for."""

    name: str
    version: str
    title: str
    countries: frozenset[str]
    rules: tuple[Rule, ...]

    def binding(self, place: str, purpose: str | None) -> Iterator[Rule]:
        """Its rules on calls to a place. Whose purpose nobody names is bound by those of every purpose."""
        if place.partition("-")[0] not in self.countries:
            return
        for rule in self.rules:
            if (not rule.regions or place in rule.regions) and (purpose is None or purpose in rule.purposes):
                yield rule


@cache
def packs(folder: Path = PACKS) -> tuple[Pack, ...]:
    """The packs of a folder, by name. Raises PackRefusedError for the first thing that is wrong."""
    return tuple(parse(file.stem, file.read_text("utf-8")) for file in sorted(folder.glob("*.toml")))


@cache
def packs_version(folder: Path = PACKS) -> str:
    """Another text where any of the packs of a folder is another one."""
    told = sha256()
    for file in sorted(folder.glob("*.toml")):
        told.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return f"packs {told.hexdigest()[:12]}"


def parse(name: str, text: str) -> Pack:
    """The pack that a file has; `name` is the file's without its ending. Raises PackRefusedError."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PackRefusedError(name, "no TOML", str(error)) from error
    top = _Table(name, said)
    top.only("format", "pack", "version", "title", "countries", "rule")
    if (given := top.value("format", int)) != FORMAT:
        raise PackRefusedError(f"{name}.format", given, f"this release reads format {FORMAT}")
    if (called := top.text("pack")) != name:
        raise PackRefusedError(f"{name}.pack", called, "it must be the name of the file")
    version = top.text("version")
    countries = frozenset(
        top.texts("countries", lambda one: len(one) == 2 and one.isalpha() and one.isupper())
    )
    rules = top.value("rule", list)
    return Pack(
        name,
        version,
        top.text("title"),
        countries,
        tuple(
            _rule(_Table(f"{name}.rule.{number}", one), name, version, countries)
            for number, one in enumerate(rules)
        ),
    )


_PLAIN = ("purposes", "regions", "law", "paragraph", "url", "read", "note")


class _Table:
    """A table of a file, which says where it is when something is wrong with it."""

    def __init__(self, where: str, said: object) -> None:
        if not isinstance(said, Mapping):
            raise PackRefusedError(where, said, "it must be a table")
        self.where, self.said = where, said

    def only(self, *names: str) -> None:
        for name in self.said:
            if name not in names:
                raise PackRefusedError(f"{self.where}.{name}", self.said[name], "there is no such field")

    def value(self, name: str, kind: type, *, needed: bool = True) -> Any:
        if name not in self.said:
            if needed:
                raise PackRefusedError(f"{self.where}.{name}", None, "it is required")
            return None
        found = self.said[name]
        if not isinstance(found, kind) or (isinstance(found, bool) and kind is not bool):
            raise PackRefusedError(f"{self.where}.{name}", found, f"it must be of the type {kind.__name__}")
        return found

    def text(self, name: str) -> str:
        found: str = self.value(name, str)
        if not found.strip():
            raise PackRefusedError(f"{self.where}.{name}", found, "it must not be empty")
        return found

    def texts(self, name: str, good: Callable[[str], bool], *, needed: bool = True) -> Sequence[str]:
        found: list[str] | None = self.value(name, list, needed=needed)
        if found is None:
            return ()
        if not found:
            raise PackRefusedError(f"{self.where}.{name}", found, "it must name one at least")
        for number, one in enumerate(found):
            if not isinstance(one, str) or not good(one):
                raise PackRefusedError(f"{self.where}.{name}.{number}", one, "there is nothing of that name")
        return found

    def among(self, name: str, allowed: Sequence[object], kind: type) -> Any:
        found = self.value(name, kind)
        if found not in allowed:
            known = ", ".join(map(str, allowed))
            raise PackRefusedError(f"{self.where}.{name}", found, f"it must be one of {known}")
        return found

    def whole(self, name: str, least: int, most: int) -> int:
        found: int = self.value(name, int)
        if not least <= found <= most:
            raise PackRefusedError(f"{self.where}.{name}", found, f"it must be from {least} to {most}")
        return found

    def table(self, name: str) -> _Table:
        return _Table(f"{self.where}.{name}", self.value(name, Mapping))


def _rule(table: _Table, pack: str, version: str, countries: frozenset[str]) -> Rule:
    table.only(*_PLAIN, *_DEMANDS)
    kinds = [kind for kind in _DEMANDS if kind in table.said]
    if len(kinds) != 1:
        raise PackRefusedError(table.where, kinds, f"it must have one of {', '.join(_DEMANDS)}")
    (kind,) = kinds
    read = table.value("read", date)
    source = Source(pack, version, table.text("law"), table.text("paragraph"), table.text("url"), read)
    return Rule(
        _DEMANDS[kind](table),
        kind,
        table.said[kind],
        frozenset(table.texts("purposes", lambda one: one in PURPOSES)),
        frozenset(table.texts("regions", lambda one: one.partition("-")[0] in countries, needed=False)),
        source,
        table.value("note", str, needed=False) or "",
    )


def _hours(table: _Table) -> Demand:
    inner = table.table("hours")
    inner.only("windows", "holidays")
    try:
        return Hours(
            Windows.from_json(inner.value("windows", list), inner.value("holidays", Mapping, needed=False))
        )
    except WindowRefusedError as error:
        raise PackRefusedError(f"{table.where}.hours.{error.field}", error.value, error.rule) from error
    except (KeyError, TypeError, ValueError) as error:
        rule = "each must have from and to, and days of mon to sun where not all"
        raise PackRefusedError(f"{table.where}.hours", inner.said, rule) from error


def _calls(table: _Table) -> Demand:
    inner = table.table("calls")
    inner.only("most", "hours")
    return Calls(inner.whole("most", 1, 1000), inner.among("hours", CAP_HOURS, int))


def _ring(table: _Table) -> Demand:
    return Ring(table.whole("ring_seconds", 1, 120))


def _consent(table: _Table) -> Demand:
    # There is no rule that takes a need away: it would loosen another one's.
    table.among("consent", (True,), bool)
    return Consent()


def _abandoned(table: _Table) -> Demand:
    inner = table.table("abandoned")
    inner.only("percent", "of", "hours")
    percent = float(inner.value("percent", int | float))  # type: ignore[arg-type]
    if not 0 < percent < 100:
        raise PackRefusedError(f"{inner.where}.percent", percent, "it must be more than 0 and less than 100")
    return Abandoned(percent, inner.among("of", RATES_OF, str), inner.among("hours", RATE_HOURS, int))


def _caller_id(table: _Table) -> Demand:
    inner = table.table("caller_id")
    inner.only("refused", "own_country")
    own = inner.value("own_country", bool, needed=False) or False
    refused = frozenset(inner.texts("refused", lambda one: one in NUMBER_KINDS, needed=not own))
    return CallerId(refused, own)


def _cool_off(table: _Table) -> Demand:
    inner = table.table("cool_off")
    inner.only("after", "hours")
    return CoolOff(inner.among("after", COOL_OFF_AFTER, str), inner.whole("hours", 1, LONGEST_COOL_OFF_HOURS))


_DEMANDS: Mapping[str, Callable[[_Table], Demand]] = {
    "hours": _hours,
    "calls": _calls,
    "ring_seconds": _ring,
    "consent": _consent,
    "abandoned": _abandoned,
    "caller_id": _caller_id,
    "cool_off": _cool_off,
}
"""The kinds of rules, and what each file's table is made to."""
