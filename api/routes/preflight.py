"""What a campaign would do if it ran: who may be called when, which caps will bind, and how long it will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from flask import Response
from marshmallow import fields

from api import schemas
from api.auth import current_caller, requires
from api.blueprint import Blueprint
from api.dialer_watch import NO_DIALER
from api.errors import not_found
from api.json_rows import json_answer
from api.resources import id_or_404
from api.routes import nodes
from api.routes.campaigns import NOT_FOUND
from api.services import services
from api.transactions import transaction
from campaigns import preflight, preflight_caps
from campaigns.blocked_words import BLOCKED_WORDS
from campaigns.forecast import Cap, Caps, Forecast, forecast
from campaigns.number_waits import NUMBER_CAP
from campaigns.single_calls import Used
from cooperative import let_others_run
from limits.errors import LimiterUnavailable
from limits.limiter import Limiter
from models import CampaignStatus, rows

blp = Blueprint("preflight", description="What a campaign would do")

SECONDS = 60.0
"""So long a list may be looked at."""
SAMPLE = 200
"""Numbers by which it is told which gateways carry the list."""
MOST_HOURS = 400
LATER = {
    preflight.WINDOW: "The calling window is not open for them.",
    preflight.RETRY_WAIT: "They wait for a retry.",
    preflight.CALLBACK: "They are to be called at a time.",
    NUMBER_CAP: "Their numbers were called as often, or as lately, as they may be.",
}
BLOCKED_BY = (*preflight.HELD, NO_DIALER)
NEVER = {
    preflight.SUPPRESSED: "They are on a do-not-call list.",
    preflight.EXPIRED: "Their expires_at comes first.",
    preflight.WINDOW: "The calling window never opens for them.",
    preflight.DEADLINE: "The campaign's end_at comes first.",
}
UNITS = {
    "tenant_minute": "calls a second",
    "gateway_cps": "calls a second",
    "node_cps": "calls a second",
    "tenant_day_calls": "calls a day",
    "tenant_day_minutes": "minutes a day",
}
PLACES = "calls at a time"
EXAMPLE_CAP: dict[str, object] = {
    "cap": "campaign_concurrency",
    "limit": 10.0,
    "unit": PLACES,
    "left_today": None,
    "binds_seconds": 11_240,
}
EXAMPLE: dict[str, object] = {
    "campaign_id": "019ab0c4-7d2e-7b10-9c55-2f0f4b1a6a01",
    "starts_at": "2026-01-31T09:00:00.000Z",
    "blocked_by": [],
    "contacts": {
        "total": 2_600,
        "examined": 2_600,
        "estimated": False,
        "over": 0,
        "in_calls": 0,
        "now": 2_000,
        "later": 580,
        "later_reasons": {"window": 560, "callback": 20},
        "hours": [{"at": "2026-01-31T14:00:00.000Z", "contacts": 580}],
        "never": 20,
        "never_reasons": {"suppressed": 20},
    },
    "calls": 3_120,
    "duration_seconds": 18_900,
    "ends_at": "2026-01-31T14:15:00.000Z",
    "uncalled": 0,
    "binding_cap": "campaign_concurrency",
    "caps": [EXAMPLE_CAP],
    "waits_seconds": {"window": 7_660},
    "outcomes_from": "tenant",
    "outcomes": {"answered": 0.4, "no_answer": 0.6},
}


class PreflightHour(schemas.Schema):
    """An hour in which contacts become due."""

    at = schemas.Time(required=True, metadata={"description": "Its beginning."})
    contacts = schemas.Integer(required=True)


def _reasons(words: Mapping[str, str]) -> schemas.Object:
    told = "\n".join(f"- `{word}`: {meaning}" for word, meaning in words.items())
    return schemas.Object(
        required=True, metadata={"description": told, "additionalProperties": {"type": "integer"}}
    )


class PreflightContacts(schemas.Schema):
    """Who may be called, when."""

    total = schemas.Integer(required=True)
    examined = schemas.Integer(
        required=True,
        metadata={
            "description": f"So many were looked at: all, of a list of up to {preflight.MOST_EXAMINED}."
        },
    )
    estimated = schemas.Boolean(
        required=True, metadata={"description": "Those that were looked at stand for all the others."}
    )
    over = schemas.Integer(required=True, metadata={"description": "Called, or cancelled, and not again."})
    in_calls = schemas.Integer(required=True)
    now = schemas.Integer(required=True, metadata={"description": "As soon as it starts."})
    later = schemas.Integer(required=True)
    later_reasons = _reasons(LATER)
    hours = schemas.Items(
        schemas.Nested(PreflightHour),
        required=True,
        metadata={"description": f"When those who are called later are due; the first {MOST_HOURS}."},
    )
    never = schemas.Integer(required=True)
    never_reasons = _reasons(NEVER)


class PreflightCap(schemas.Schema):
    """A cap over its calls."""

    cap = schemas.Text(required=True, metadata={"description": "As a `blocked_reason`."})
    limit = fields.Float(required=True)
    unit = schemas.Text(required=True)
    left_today = fields.Float(
        required=True, allow_none=True, metadata={"description": "Of a cap on a day: what is not used yet."}
    )
    binds_seconds = schemas.Integer(
        required=True, metadata={"description": "For so long it is what holds the campaign back."}
    )


class PreflightSchema(schemas.Schema):
    """What a campaign would do."""

    campaign_id = schemas.Id(required=True)
    starts_at = schemas.Time(required=True, metadata={"description": "Now, or its scheduled_at."})
    blocked_by = schemas.Items(
        schemas.Word({word: BLOCKED_WORDS[word] for word in BLOCKED_BY}),
        required=True,
        metadata={
            "description": "What would keep it from dialling if it ran now, whatever else is told here."
        },
    )
    contacts = schemas.Nested(PreflightContacts, required=True)
    calls = schemas.Integer(
        required=True, metadata={"description": "Calls, those to the same contacts included."}
    )
    duration_seconds = schemas.Integer(
        required=True, allow_none=True, metadata={"description": "null where no end is in sight."}
    )
    ends_at = schemas.Time(required=True, allow_none=True)
    uncalled = schemas.Integer(
        required=True,
        metadata={
            "description": "Of those who could be called, whose turn does not come: before `end_at`, or ever."
        },
    )
    binding_cap = schemas.Text(
        required=True, allow_none=True, metadata={"description": "The cap that holds it back the longest."}
    )
    caps = schemas.Items(schemas.Nested(PreflightCap), required=True)
    waits_seconds = schemas.Object(
        required=True,
        metadata={
            "description": "For how long it waits for a window or for retries.",
            "additionalProperties": {"type": "integer"},
        },
    )
    outcomes_from = schemas.Choice(
        ("campaign", "tenant", "assumed"),
        required=True,
        metadata={
            "description": "Whose last calls say how calls end and how long they are; assumed: there are none."
        },
    )
    outcomes = schemas.Object(
        required=True,
        metadata={
            "description": "Shares of them, by disposition.",
            "additionalProperties": {"type": "number"},
        },
    )


@blp.route("/campaigns/<campaign_id>/preflight", methods=["POST"])
@requires("read", errors={404: NOT_FOUND})
@blp.response(200, PreflightSchema, example=EXAMPLE)
def preflight_campaign(campaign_id: str) -> Response:
    """See what a campaign would do

    If it ran alone from now on, or from its `scheduled_at`: who is called at once, later and never, and why; which
    caps will bind and how long it takes, by how the last calls ended and how long they were. Nothing is dialled and
    nothing is written. A number that was called as often as it may be is known once its contact's turn has come.
    """
    key, tenant_id = id_or_404(campaign_id, "Campaign"), current_caller().tenant_id
    house = preflight_caps.House(_nodes(), _used(tenant_id))
    with transaction(SECONDS):
        rows("SET TRANSACTION READ ONLY")
        one = preflight.campaign(key, tenant_id)
        if one is None:
            raise not_found("Campaign")
        looked = preflight.look(one, let_others_run)
        groups = preflight.groups_of(one, looked)
        source, outcomes = preflight.outcomes(one)
        caps = preflight_caps.caps(one, outcomes, preflight.numbers(key, SAMPLE), house)
    start = one["starts_at"].timestamp()
    until = None if one["end_at"] is None else one["end_at"].timestamp()
    found = forecast(groups, caps, outcomes, start, until=until, let_others_run=let_others_run)
    told = {
        "campaign_id": str(key),
        "starts_at": one["starts_at"],
        "blocked_by": _blocked(one),
        "contacts": _contacts(looked),
        **_duration(found, caps, start),
        "outcomes_from": source,
        "outcomes": {word: round(share, 4) for word, share in preflight.shares(outcomes).items()},
    }
    return json_answer(told)


def _nodes() -> preflight_caps.NodeCaps:
    """What the nodes that take calls have together; nothing is known where no dialer tells of them."""
    up = nodes.nodes_taking_calls()
    if not up:
        return preflight_caps.NodeCaps()
    cps, channels = ([node[name] for node in up] for name in ("cps", "channels"))
    return preflight_caps.NodeCaps(_sum(cps), _sum(channels))


def _sum(limits: Sequence[int | None]) -> float | None:
    known = [limit for limit in limits if limit is not None]
    return float(sum(known)) if len(known) == len(limits) else None


def _used(tenant_id: str) -> Used | None:
    found = services()
    if found.dialers.redis_is_away:
        return None
    try:
        used = Limiter(found.redis, found.settings.redis_prefix, "").usage(tenant_id)
    except LimiterUnavailable:
        return None
    if used is None:
        return None
    return Used(used.concurrent, used.last_minute, used.day_calls, used.day_seconds)


def _blocked(one: Mapping[str, Any]) -> list[str]:
    found = [word for word in ("halted", "agent", "caller_id") if one[preflight.HELD[word]]]
    if services().dialers.blocked_reason(CampaignStatus.RUNNING, None) is not None:
        found.append(NO_DIALER)
    return found


def _contacts(looked: preflight.Look) -> dict[str, object]:
    which, later, never = Counter[str](), Counter[str](), Counter[str]()
    hours: dict[datetime, float] = {}
    for part in looked.groups:
        which[part.which] += part.contacts  # type: ignore[assignment]
        if part.which == "later":
            later[part.reason or ""] += part.contacts  # type: ignore[assignment]
        elif part.which == "never":
            never[part.reason or ""] += part.contacts  # type: ignore[assignment]
        if isinstance(part.hour, datetime):
            hours[part.hour] = hours.get(part.hour, 0.0) + part.contacts
    return {
        "total": looked.places,
        "examined": looked.examined,
        "estimated": looked.estimated,
        "over": round(which["over"]),
        "in_calls": round(which["in_call"]),
        "now": round(which["now"]),
        "later": round(which["later"]),
        "later_reasons": {word: round(contacts) for word, contacts in later.most_common()},
        "hours": [{"at": at, "contacts": round(hours[at])} for at in sorted(hours)[:MOST_HOURS]],
        "never": round(which["never"]),
        "never_reasons": {word: round(contacts) for word, contacts in never.most_common()},
    }


def _duration(found: Forecast, caps: Caps, start: float) -> dict[str, object]:
    seconds = {word: round(bound) for word, bound in found.bound_seconds.items()}
    known: list[Cap] = [*caps.rates, *caps.places]
    told = [_cap(cap.word, cap.limit, None, seconds) for cap in known if cap.limit is not None]
    for day in caps.days:
        if day.limit is not None:
            unit = 60.0 if day.word == "tenant_day_minutes" else 1.0
            told.append(_cap(day.word, day.limit / unit, day.left / unit, seconds))
    words = {str(one["cap"]) for one in told}
    binding = max(words, key=lambda word: seconds.get(word, -1), default=None)
    return {
        "calls": round(found.calls),
        "duration_seconds": None if found.ends_at is None else round(found.ends_at - start),
        "ends_at": None if found.ends_at is None else datetime.fromtimestamp(found.ends_at, UTC),
        "uncalled": round(found.uncalled),
        "binding_cap": binding if binding in seconds else None,
        "caps": told,
        "waits_seconds": {word: bound for word, bound in seconds.items() if word not in words},
    }


def _cap(word: str, limit: float, left: float | None, seconds: Mapping[str, int]) -> dict[str, object]:
    return {
        "cap": word,
        "limit": round(limit, 3),
        "unit": UNITS.get(word, PLACES),
        "left_today": None if left is None else round(left, 1),
        "binds_seconds": seconds.get(word, 0),
    }
