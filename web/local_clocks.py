"""What clocks show where people are, beside what they show where the viewer is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from markupsafe import Markup

from api.times import by_clocks_of
from web.sentences import counted, sentence
from web.showing import moment, rfc3339


def there(value: datetime | str, zones: Sequence[str]) -> Markup:
    """`09:05 in America/Denver`; of somebody who may be in several zones whose clocks differ the earliest and the
    latest; empty where no zone is known."""
    shown = _shown(moment(value), zones)
    if not shown:
        return Markup("")
    (first, one), (last, other) = min(shown.items()), max(shown.items())
    if first == last:
        return sentence("{} in {}", _timed(value, first, one), one)
    among = counted(len(zones), "time zone", "time zones")
    return sentence(
        "{} to {} there, in one of {}", _timed(value, first, one), _timed(value, last, other), among
    )


def earliest(value: datetime | str, zones: Sequence[str]) -> tuple[str, Markup]:
    """The zone of these whose clocks are behind the others', and `09:00 in America/Denver` by these; empty where none
    is known."""
    shown = _shown(moment(value), zones)
    zone = shown[min(shown)] if shown else ""
    return zone, there(value, [zone] if zone else [])


def _shown(at: datetime, zones: Sequence[str]) -> dict[datetime, str]:
    """What clocks of these zones show, each with the first zone by name where they do; of those that are known."""
    found: dict[datetime, str] = {}
    for zone in sorted(zones, reverse=True):
        # A newer release may have written one that this one does not know.
        with suppress(ValueError):
            found[by_clocks_of(zone, at).replace(tzinfo=None)] = zone
    return found


def _timed(value: datetime | str, local: datetime, zone: str) -> Markup:
    """With the day where that is another than the viewer's: until his browser says so, than that of UTC."""
    same = local.date() == moment(value).astimezone(UTC).date()
    text = local.strftime("%H:%M" if same else "%Y-%m-%d %H:%M")
    return Markup('<time datetime="{}" data-zone="{}">{}</time>').format(rfc3339(value), zone, text)
