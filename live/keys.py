"""The Redis keys of the event stream, in one place."""

from __future__ import annotations

from typing import NamedTuple


class CampaignKeys(NamedTuple):
    """One campaign's three keys, in the order in which every script takes them.

    `stream` holds the events, `since` the smallest id from which it is complete, `seen` a hash of each subject's
    last published version.
    """

    stream: str
    since: str
    seen: str


def campaign_keys(prefix: str, campaign_id: str) -> CampaignKeys:
    """The keys of `campaign_id` below the installation's `prefix`."""
    stream = f"{prefix}live:{campaign_id}"
    return CampaignKeys(stream, f"{stream}:since", f"{stream}:seen")


def wake_key(prefix: str, hub_id: str) -> str:
    """The stream by which one process' reader is told to look at its list of campaigns again."""
    return f"{prefix}live:wake:{hub_id}"
