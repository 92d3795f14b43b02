"""By which tables openings are written: the zones, holidays and policy packs of a release, and which are newer.

While processes of two releases run side by side the newer tables hold: who has older ones leaves alone what was
written by them, and who has newer ones claims nobody by what was not. As conditions of SQL on a row of `campaign`.
Decision 0095.
"""

from __future__ import annotations

from importlib import metadata

from campaigns.policy_packs import packs_version

RELEASE = 1
"""Which tables these are: a higher number with each change of a pack, of tzdata or of holidays."""
TABLES = ", ".join(
    [*(f"{name} {metadata.version(name)}" for name in ("tzdata", "holidays")), packs_version()]
)
"""Openings of a release that had no numbers yet name these alone."""
LABEL = f"{RELEASE}: {TABLES}"
"""What `campaign.openings_by` says of openings that this process writes."""


def ours(campaign: str) -> str:
    """Whether a campaign's openings were written by these tables."""
    return f"{campaign}.openings_by IN ('{LABEL}', '{TABLES}')"


def as_new(campaign: str) -> str:
    """Whether they were written by tables as new as these; null where nobody said. Where others have the same number,
    as when a package was replaced by hand, one of the two is taken to be the newer by all."""
    by = f"{campaign}.openings_by"
    number = f"coalesce(substring({by} FROM '^([0-9]{{1,9}}):')::int, 0)"
    return f"""({ours(campaign)} OR ({number}, {by} COLLATE "C") > ({RELEASE}, '{LABEL}'))"""
