"""Whether a number is on a do-not-call list, as a condition of whatever statement needs to know it.

A few index lookups, whatever the lists hold: the number, its keyed hash, and what it begins with, for each length
that any prefix has (`suppression_prefix_length`). What has expired does not bind. Decision 0063.
"""

from __future__ import annotations

EVERYBODY = "*"
"""The scope of the platform's entries; a tenant's is its id."""
EVERY_CAMPAIGN = "00000000-0000-0000-0000-000000000000"
"""What an entry for all campaigns has in the place of one's id."""
LONGEST_PREFIX = 15
"""Digits of a prefix, behind its plus."""

BINDS = "(entry.expires_at IS NULL OR entry.expires_at > now())"
"""Whether an entry has not expired."""
# Not as a list: each of its values would be looked up apart.
_OF_CAMPAIGN = f"""(entry.scope = '{EVERYBODY}' OR entry.scope = {{tenant}})
            AND (entry.campaign_id = '{EVERY_CAMPAIGN}' OR entry.campaign_id = {{campaign}}) AND {BINDS}"""


def suppressed(number: str, *, tenant: str, campaign: str, digest: str) -> str:
    """The condition under which a number must not be called; all four are SQL, `digest` is `NumberHash` of it. What
    stands in the place of an erased number is none."""
    of_campaign = _OF_CAMPAIGN.format(tenant=tenant, campaign=campaign)
    return f"""(left({number}, 1) <> '+'
        OR EXISTS (SELECT FROM suppression AS entry WHERE entry.number = {number} AND {of_campaign})
        OR EXISTS (SELECT FROM suppression_prefix_length AS known JOIN suppression AS entry
            ON entry.prefix = left({number}, known.length) WHERE {of_campaign})
        OR EXISTS (SELECT FROM suppression AS entry WHERE entry.digest = {digest} AND {of_campaign}))"""
