"""Reads a tenant's rules for its lists' numbers from the row of its call limits; `number_rules.py` judges by them."""

from __future__ import annotations

from campaigns.number_rules import NumberRules
from models import rows

_OF_TENANT = "SELECT allowed_countries, premium_allowed FROM call_limits WHERE tenant_id = %s"


def of_tenant(tenant_id: str) -> NumberRules:
    """The rules of a tenant, as its call limits have them. In the caller's transaction."""
    found = rows(_OF_TENANT, tenant_id)
    if not found:
        return NumberRules()
    countries = found[0]["allowed_countries"]
    return NumberRules(None if countries is None else tuple(countries), found[0]["premium_allowed"])
