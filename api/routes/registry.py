"""The blueprints of the API. A new resource is one module and one line here."""

from __future__ import annotations

from api.blueprint import Blueprint
from api.routes import (
    agents,
    allowed_test_numbers,
    api_keys,
    call_limits,
    campaign_actions,
    campaign_changes,
    campaign_clones,
    campaign_log,
    campaign_preview,
    contact_decisions,
    defaults,
    dialers,
    gateway_log,
    gateways,
    halt,
    nodes,
    outcome_breakers,
    pacing,
    phone_numbers,
    policy_packs,
    preflight,
    privacy,
    reports,
    single_calls,
    suppression_upload,
    tenants,
    usage,
)

BLUEPRINTS: tuple[Blueprint, ...] = (
    # Its routes and those of `campaigns`.
    campaign_actions.blp,
    campaign_changes.blp,
    campaign_clones.blp,
    campaign_log.blp,
    campaign_preview.blp,
    pacing.blp,
    preflight.blp,
    # Its routes and those of `campaign_contacts`, `contact_lists` and `contacts`.
    contact_decisions.blp,
    outcome_breakers.blp,
    # Its routes and those of `suppressions`.
    suppression_upload.blp,
    privacy.blp,
    # Its routes and those of `calls`.
    single_calls.blp,
    reports.blp,
    agents.blp,
    phone_numbers.blp,
    call_limits.blp,
    defaults.blp,
    policy_packs.blp,
    allowed_test_numbers.blp,
    api_keys.blp,
    gateways.blp,
    gateway_log.blp,
    nodes.blp,
    dialers.blp,
    usage.blp,
    tenants.blp,
    halt.blp,
)
