"""Which numbers a tenant's lists may hold: of which countries, and whether premium-rate ones. Decision 0079."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from campaigns.errors import NumberRefused
from campaigns.numbering_plans import country_of_number
from models import rows

NOT_ALLOWED = "country_not_allowed"

_OF_TENANT = "SELECT allowed_countries, premium_allowed FROM call_limits WHERE tenant_id = %s"


@dataclass(frozen=True, slots=True)
class NumberRules:
    """`countries`: those of its numbers (ISO 3166), None is any; `premium`: premium-rate numbers too."""

    countries: tuple[str, ...] | None = None
    premium: bool = False

    @classmethod
    def of_tenant(cls, tenant_id: str) -> Self:
        """Those of a tenant, as its call limits have them. In the caller's transaction."""
        found = rows(_OF_TENANT, tenant_id)
        if not found:
            return cls()
        countries = found[0]["allowed_countries"]
        return cls(None if countries is None else tuple(countries), found[0]["premium_allowed"])

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
