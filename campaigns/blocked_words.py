"""Every `blocked_reason`, and what it means to who reads it. The words themselves are where they are decided.

A dialer of a newer release may have others: a reader takes a word that it does not know for one.
"""

from __future__ import annotations

from collections.abc import Mapping

BLOCKED_WORDS: Mapping[str, str] = {
    "paused": "Somebody paused the campaign.",
    "abandon_rate": "More of its calls were abandoned than the law allows, as a policy pack has it; it was paused.",
    "restored": "The database was restored from a backup. Who was called since is not known: somebody has to look.",
    "halted": "The tenant, or everybody, is halted.",
    "agent": "The agent was deleted, may not be used any more, or is held since it could not run for five calls.",
    "budget": "It was to start by now, and the tenant's running campaigns leave no room for it.",
    "caller_id": "The caller id was deleted or is switched off.",
    "not_here": "No living dialer is set up for what the agent needs.",
    "no_dialer": "No dialer is alive.",
    "no_redis": "Redis cannot be used, and so no cap can be asked.",
    "no_node": "No node is connected.",
    "draining": "Every node that is connected is being drained.",
    "node_stalled": "The nodes that have room leave their orders unanswered.",
    "node_refuses": "Every node refuses its calls.",
    "node_channels": "Every node has as many calls as it may have.",
    "node_cps": "The nodes start as many calls per second as they may.",
    "gateway_paused": "Its gateways, or that of its agent, are paused after faults or silence, or switched off.",
    "breaker": "Most of its calls, or calls like them, ended suspiciously: one a minute tries.",
    "gateway_channels": "Its gateways have as many calls as they may have.",
    "gateway_cps": "Its gateways start as many calls per second as they may.",
    "number_cap": "Its numbers are being called already, or were called as often, or as lately, as they may be.",
    "campaign_concurrency": "It has as many calls in progress as it may have (max_concurrent_calls).",
    "tenant_concurrency": "The tenant has as many calls in progress as it may have.",
    "tenant_minute": "The tenant's calls of this minute are used up.",
    "tenant_day_calls": "The tenant's calls of this day (UTC) are used up.",
    "tenant_day_minutes": "The tenant's minutes of this day (UTC) are used up.",
    "window": "It is outside the calling window wherever those live who are left.",
    "retry_wait": "Everybody who is left waits for a retry.",
    "slow_start": "Calls leave, fewer than could: it begins slowly.",
    "contact_not_claimable": "A contact's row could not be taken, which the dialer's log explains.",
}
