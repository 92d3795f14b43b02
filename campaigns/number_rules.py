"""Judges whether a tenant's lists may hold a number: by its country, and whether it is premium-rate. Decision 0079.

Pure, as all that the process of a long list loads; `allowed_numbers.py` reads the rules.
"""

from __future__ import annotations

from dataclasses import dataclass

from campaigns.errors import NumberRefused
from campaigns.numbering_plans import country_of_number

NOT_ALLOWED = "country_not_allowed"


@dataclass(frozen=True, slots=True)
class NumberRules:
    """`countries`: those of its numbers (ISO 3166), None is any; `premium`: premium-rate numbers too."""

    countries: tuple[str, ...] | None = None
    premium: bool = False

    def allow(self, number: str) -> bool:
        """Whether a number in E.164 is of a country that is allowed; one of no country only where all are."""
        return self.countries is None or country_of_number(number) in self.countries

    def check(self, number: str) -> None:
        """Raise NumberRefused (country_not_allowed) where it is not."""
        if not self.allow(number):
            where = country_of_number(number) or "no country"
            raise NumberRefused(
                NOT_ALLOWED,
                f"{number} is a number of {where}, and the account's allowed_countries do not have that",
            )


ANY_COUNTRY = NumberRules()
"""Of a tenant that was given none."""
