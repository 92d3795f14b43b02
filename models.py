"""Peewee models; what `database`, `database_pool`, `ids` and `states` have is had from here too.

The schema itself, with its constraints and indexes, is in `migrations/`; a test compares the two. What changes a
campaign's state is in `campaigns/`; statements that move many contacts at once (claims, outcomes) are in `dialer/`,
next to who runs them.
"""

from __future__ import annotations

from database import (
    CHECKOUT_SECONDS,
    IDLE_SECONDS,
    POOL_SIZE,
    connect,
    db,
    open_pool,
    rows,
    rows_as,
    transaction,
)
from database_pool import Pool
from database_statements import plain_array
from ids import new_id
from states import (
    CAMPAIGN_ENDED,
    CAMPAIGN_TRANSITIONS,
    CONTACT_REQUESTS,
    CONTACT_TRANSITIONS,
    CallState,
    CampaignStatus,
    ContactStatus,
)
from tables.agents_and_numbers import Agent, PhoneNumber
from tables.base import Table
from tables.campaigns import (
    AbandonCount,
    Campaign,
    CampaignCount,
    CampaignLogEntry,
    CampaignPace,
    CampaignRamp,
    CampaignZone,
    DialOrder,
    ImportReject,
    Opening,
)
from tables.cluster import (
    Dialer,
    FindingCode,
    Node,
    NodeDrain,
    NodeExamination,
    NodeFinding,
    NodeSource,
    SessionLock,
)
from tables.contacts import Call, CdrInbox, Contact, ContactToken, OutboxRow, RecentOutcome, Transition
from tables.gateways import (
    Breaker,
    BreakerTally,
    CallerIdFormat,
    CallerIdHeader,
    Gateway,
    GatewayCount,
    GatewayLogEntry,
    GatewayPrefix,
)
from tables.suppressions import Erasure, Halt, Suppression, SuppressionNews, SuppressionPrefixLength
from tables.tenants import ApiKey, BoardLink, BoardSession, CallLimits, Idempotency, Tenant

__all__ = [
    "CAMPAIGN_ENDED",
    "CAMPAIGN_TRANSITIONS",
    "CHECKOUT_SECONDS",
    "CONTACT_REQUESTS",
    "CONTACT_TRANSITIONS",
    "IDLE_SECONDS",
    "POOL_SIZE",
    "SCHEMA_VERSION",
    "TABLES",
    "AbandonCount",
    "Agent",
    "ApiKey",
    "BoardLink",
    "BoardSession",
    "Breaker",
    "BreakerTally",
    "Call",
    "CallLimits",
    "CallState",
    "CallerIdFormat",
    "CallerIdHeader",
    "Campaign",
    "CampaignCount",
    "CampaignLogEntry",
    "CampaignPace",
    "CampaignRamp",
    "CampaignStatus",
    "CampaignZone",
    "CdrInbox",
    "Contact",
    "ContactStatus",
    "ContactToken",
    "DialOrder",
    "Dialer",
    "Erasure",
    "FindingCode",
    "Gateway",
    "GatewayCount",
    "GatewayLogEntry",
    "GatewayPrefix",
    "Halt",
    "Idempotency",
    "ImportReject",
    "Node",
    "NodeDrain",
    "NodeExamination",
    "NodeFinding",
    "NodeSource",
    "Opening",
    "OutboxRow",
    "PhoneNumber",
    "Pool",
    "RecentOutcome",
    "SessionLock",
    "Suppression",
    "SuppressionNews",
    "SuppressionPrefixLength",
    "Table",
    "Tenant",
    "Transition",
    "connect",
    "db",
    "new_id",
    "open_pool",
    "plain_array",
    "rows",
    "rows_as",
    "transaction",
]  # fmt: skip

SCHEMA_VERSION = 70
"""The last migration of this release: what its processes need the database to have."""

TABLES: tuple[type[Table], ...] = (
    Tenant, CallLimits, ApiKey, Gateway, Agent, PhoneNumber, Campaign, Contact, Call, CampaignCount, Transition,
    OutboxRow, ImportReject, Idempotency, Dialer, SessionLock, Halt, Node, NodeDrain, CdrInbox, CampaignRamp,
    CampaignPace, GatewayPrefix, Breaker, BreakerTally, ContactToken, CampaignLogEntry, BoardSession,
    BoardLink, Suppression, SuppressionPrefixLength, SuppressionNews, Erasure, CampaignZone, Opening,
    RecentOutcome, AbandonCount, NodeExamination, NodeFinding, GatewayCount,
    GatewayLogEntry,
)  # fmt: skip
