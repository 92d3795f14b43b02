"""Public holidays of countries and their regions, as the `holidays` package knows them, whose version is pinned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache, lru_cache


@cache
def _known() -> Mapping[str, Sequence[str]]:
    # Here, since few processes ask and it takes memory.
    from holidays import list_supported_countries

    return {
        country: sorted(regions)
        for country, regions in list_supported_countries(include_aliases=False).items()
    }


def regions(country: str) -> Sequence[str] | None:
    """The regions of a country (ISO 3166, `DE`) that have holidays of their own; None where it is not known."""
    return _known().get(country)


@lru_cache(maxsize=256)
def dates(country: str, region: str | None, year: int) -> frozenset[date]:
    """The public holidays of a year, the days on which they are observed included, in a country that is known."""
    from holidays import country_holidays

    return frozenset(country_holidays(country, subdiv=region, years=year, expand=False))
