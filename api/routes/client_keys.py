"""Filters by what clients keep of their own with campaigns and contacts: `external_id` and `metadata` of a query."""

from __future__ import annotations

from api.resources import invalid
from api.routes.campaign_query_schemas import CampaignFilters, ContactFilters
from campaigns.metadata import wanted
from campaigns.queries import ClientKeys


def client_keys(query: CampaignFilters | ContactFilters) -> ClientKeys:
    """Raises ApiError 400 for a filter that is none."""
    given = query.get("metadata")
    try:
        return ClientKeys(query.get("external_id"), None if given is None else wanted(given))
    except ValueError as error:
        raise invalid("metadata", given, str(error)) from error
