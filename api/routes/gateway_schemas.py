"""What a gateway looks like on the wire; the same schemas validate and document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypedDict

import marshmallow as ma

from api import schemas
from api.resources import Patch
from api.routes import dial_strings
from api.routes.campaign_outcome_schemas import CauseSchema
from models import CallerIdFormat, CallerIdHeader

CAP_MAX = 100_000
COST_MAX = 1_000_000
PREFIXES_MAX = 1_000
FAILOVER_MAX = 9
SECOND_ID = "019ab0c4-3334-7aaa-8bbb-0123456789ab"
EXAMPLE_BODY: dict[str, object] = {
    "name": "carrier",
    "dial_string": "sofia/gateway/carrier/{number}",
    "outbound_enabled": True,
    "cps": 10,
    "channels": None,
    "prefixes": ["+1", "+44"],
    "cost": 0.0085,
    "failover": [SECOND_ID],
    "caller_id_header": "pai",
    "caller_id_format": "e164",
}
EXAMPLE: dict[str, object] = {
    "id": "019ab0c4-3333-7aaa-8bbb-0123456789ab",
    **EXAMPLE_BODY,
    "switched_off_at": None,
    "switched_off_by": None,
    "rate_now": 10,
    "paused_at": None,
    "paused_reason": None,
    "probe_at": None,
    "paused_prefixes": [
        {
            "prefix": "+44",
            "paused_at": "2026-01-31T09:00:00.000Z",
            "paused_reason": "403 Forbidden",
            "probe_at": "2026-01-31T09:01:00.000Z",
        }
    ],
    "last_hour": {
        "calls": 3400,
        "refused": 12,
        "refusals": [
            {"cause": "NORMAL_TEMPORARY_FAILURE", "sip_status": 503, "calls": 10},
            {"cause": "CALL_REJECTED", "sip_status": 403, "calls": 2},
        ],
    },
    "created_at": "2026-01-31T08:00:00.000Z",
}
EXAMPLE_LIST = {"gateways": [EXAMPLE], "total": 1, "limit": 100, "offset": 0}

_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}")


def _check_dial_string(value: str) -> None:
    if not dial_strings.is_dial_string(value):
        raise ma.ValidationError(dial_strings.RULE)


def _check_prefix(value: str) -> None:
    if not _PREFIX.fullmatch(value):
        raise ma.ValidationError("it must be a plus and 1 to 15 digits, such as +44")


def _check_prefixes(values: Sequence[str]) -> None:
    _check_list(values, PREFIXES_MAX)


def _check_failover(values: Sequence[str]) -> None:
    _check_list(values, FAILOVER_MAX)


def _check_list(values: Sequence[str], most: int) -> None:
    if len(values) > most:
        raise ma.ValidationError(f"it must have at most {most} entries")
    if len(set(values)) < len(values):
        raise ma.ValidationError("it must name each once")


class GatewayValues(TypedDict, total=False):
    """A loaded GatewayBody, whole, or what a GatewayPatch gives of it."""

    name: str
    dial_string: str
    outbound_enabled: bool
    cps: int | None
    channels: int | None
    prefixes: list[str]
    cost: float | None
    failover: list[str]
    caller_id_header: str
    caller_id_format: str


class GatewayBody(schemas.Schema):
    """A new gateway."""

    name = schemas.Text(1, 200, required=True, metadata={"description": "Unique."})
    dial_string = schemas.Text(
        1,
        dial_strings.MAX_CHARACTERS,
        required=True,
        validate=[_check_dial_string],
        metadata={
            "description": "One leg: {number} stands for the called number, {digits} for it without its plus."
        },
    )
    outbound_enabled = schemas.Boolean(
        load_default=True,
        metadata={
            "description": "Whether calls may leave by it, the legs to agents included. While it is off campaigns"
            " leave by the gateways that it fails over to, or wait (`blocked_reason` gateway_paused)."
        },
    )
    cps = schemas.Integer(
        1,
        CAP_MAX,
        load_default=None,
        allow_none=True,
        metadata={"description": "Calls started per second, the legs to agents included; null is unlimited."},
    )
    channels = schemas.Integer(
        1,
        CAP_MAX,
        load_default=None,
        allow_none=True,
        metadata={"description": "Calls at once, the legs to agents included; null is unlimited."},
    )
    prefixes = schemas.Items(
        schemas.Text(1, 16, validate=[_check_prefix]),
        load_default=list,
        validate=[_check_prefixes],
        metadata={
            "description": "What the numbers that it carries start with, in E.164; none of them: it carries all. Of"
            " the gateways that may take a call, the one with the longest match goes first."
        },
    )
    cost = schemas.Number(
        0,
        COST_MAX,
        load_default=None,
        allow_none=True,
        metadata={
            "description": "What a minute costs, in whatever currency the others' costs are in. Among gateways that"
            " match equally long, all of them with a cost, the cheapest goes first; where one has none, the order"
            " of failover holds."
        },
    )
    failover = schemas.Items(
        schemas.Id(),
        load_default=list,
        validate=[_check_failover],
        metadata={
            "description": "Other gateways, in the order in which they are tried: where this one does not carry the"
            " number, is paused or has no channel free, and after a call by it that proves that nobody was reached."
            " What those name in turn is not followed."
        },
    )
    caller_id_header = schemas.Choice(
        CallerIdHeader,
        load_default=CallerIdHeader.FROM,
        metadata={
            "description": "Where the caller's number stands beside From: nowhere, in P-Asserted-Identity (pai) or in"
            " Remote-Party-ID (rpid). Whether From has it or the account is the node's setting, caller-id-in-from."
        },
    )
    caller_id_format = schemas.Choice(
        CallerIdFormat,
        load_default=CallerIdFormat.E164,
        metadata={"description": "The caller's number with its plus (e164) or without (digits)."},
    )


class GatewayPatch(Patch, GatewayBody):
    """What to change of a gateway."""


class PausedPrefixSchema(schemas.Schema):
    """A destination for which a gateway is paused, while calls to others leave."""

    prefix = schemas.Text(
        required=True,
        metadata={
            "description": "The country calling code, or the longest of the gateway's prefixes that matches where"
            " that is longer."
        },
    )
    paused_at = schemas.Time(required=True)
    paused_reason = schemas.Text(required=True, metadata={"description": "What the last of the faults said."})
    probe_at = schemas.Time(
        required=True, metadata={"description": "When a call there may try whether it is carried again."}
    )


class LastHourSchema(schemas.Schema):
    """How calls ended that a gateway was given, over all tenants."""

    calls = schemas.Integer(required=True, metadata={"description": "All that ended."})
    refused = schemas.Integer(
        required=True,
        metadata={
            "description": "Those that ended before any ring, by whoever is behind the gateway or by none."
        },
    )
    refusals = schemas.Items(
        schemas.Nested(CauseSchema),
        required=True,
        metadata={"description": "The same by what was said, the most first."},
    )


class GatewaySchema(schemas.Schema):
    """A gateway."""

    id = schemas.Id(required=True)
    name = schemas.Text(required=True)
    dial_string = schemas.Text(
        required=True,
        allow_none=True,
        metadata={"description": "Null to a key that is not of role platform."},
    )
    outbound_enabled = schemas.Boolean(required=True)
    switched_off_at = schemas.Time(
        required=True, allow_none=True, metadata={"description": "While it is off: since when."}
    )
    switched_off_by = schemas.Text(
        required=True,
        allow_none=True,
        metadata={
            "description": "While it is off: the name of the key that said so. Null to a key that is not of role"
            " platform."
        },
    )
    cps = schemas.Integer(required=True, allow_none=True)
    channels = schemas.Integer(required=True, allow_none=True)
    prefixes = schemas.Items(schemas.Text(), required=True)
    cost = schemas.Number(
        0,
        COST_MAX,
        required=True,
        allow_none=True,
        metadata={"description": "Null also to a key that is not of role platform."},
    )
    failover = schemas.Items(schemas.Id(), required=True)
    caller_id_header = schemas.Choice(CallerIdHeader, required=True)
    caller_id_format = schemas.Choice(CallerIdFormat, required=True)
    rate_now = schemas.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": "What is left of cps: halved when the carrier has no capacity, then raised again."
        },
    )
    paused_at = schemas.Time(
        required=True,
        allow_none=True,
        metadata={
            "description": "Set after five refusals in a row without a ring between them (401 to 403, 407, 428 to "
            "438, 500, 502, 503, down, unknown to its node), or after ten calls in a row, to as many numbers, to "
            "which nobody responded."
        },
    )
    paused_reason = schemas.Text(
        required=True,
        allow_none=True,
        metadata={
            "description": "What the last of the faults said; `no response` where nobody said anything."
        },
    )
    probe_at = schemas.Time(
        required=True,
        allow_none=True,
        metadata={"description": "While it is paused: when one call may try whether it works again."},
    )
    paused_prefixes = schemas.Items(
        schemas.Nested(PausedPrefixSchema),
        required=True,
        metadata={
            "description": "Destinations that it refused, or did not respond for, while others got through: calls"
            " there wait (`blocked_reason` gateway_paused), or leave by another gateway; all others leave."
        },
    )
    last_hour = schemas.Nested(
        LastHourSchema,
        required=True,
        allow_none=True,
        metadata={
            "description": "Calls that ended within the last hour, to five minutes: counted by the dialers, some"
            " seconds late. Second legs are not among them. Null to a key that is not of role platform."
        },
    )
    created_at = schemas.Time(required=True)
