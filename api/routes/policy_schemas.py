"""What policy packs look like on the wire: the choice of a campaign or tenant, and what binds it."""

from __future__ import annotations

from marshmallow import fields

from api import schemas
from campaigns.policy_choice import CHOICES
from campaigns.policy_packs import ADVICE, PURPOSES, RATES_OF

EXAMPLE_RULE: dict[str, object] = {
    "kind": "hours",
    "value": {"windows": [{"from": "08:00", "to": "20:00"}]},
    "purposes": ["sales"],
    "regions": ["US-FL"],
    "law": "Florida Telephone Solicitation Act, Fla. Stat. 501.616",
    "paragraph": "(6)(a)",
    "url": "https://blog.clickpointsoftware.com/federal-and-local-call-time-and-date-compliance",
    "read": "2026-11-30",
    "pack": "us",
    "version": "2026.11.30",
    "note": "One site prints 21:00; the stricter is used.",
}
EXAMPLE_BINDING: dict[str, object] = {
    "packs": "on",
    "purpose": "sales",
    "places": [{"places": ["US-FL"], "rules": [EXAMPLE_RULE]}],
    "advice": ADVICE,
}
EXAMPLE_POLICY: dict[str, object] = EXAMPLE_BINDING | {
    "abandoned": [
        {
            "of": "live",
            "hours": 720,
            "abandoned": 4,
            "calls": 612,
            "percent": 0.65,
            "most_percent": 3,
            "source": "Telemarketing Sales Rule, 16 CFR 310.4, (b)(4)(i) (policy pack us 2026.11.30)",
        }
    ],
}


class PolicyFields(schemas.Schema):
    """Which policy packs bind a campaign."""

    policy_packs = schemas.Choice(
        CHOICES,
        metadata={
            "description": "Whether what the law asks of calls to each number's country is asked of this campaign, "
            "on top of its own settings: hours, consent, ring time, caller ids, calls to one number, cool-offs, "
            "abandoned calls (GET /policy-packs). Left out: as the tenant says; where that says nothing, on for a "
            "campaign with a purpose and off for one without. It can only be turned off later. Needs a time_zone. "
            "Not legal advice."
        },
    )
    purpose = schemas.Choice(
        PURPOSES,
        allow_none=True,
        metadata={
            "description": "What its calls are for: only rules on such calls bind it. null: those of every purpose "
            "do, where packs are on. Left out: the tenant's default_purpose."
        },
    )

    key_column = schemas.Text(
        1,
        200,
        load_default=None,
        allow_none=True,
        metadata={
            "description": "The column of the list that names what a call is about, such as a debt: where packs ask "
            "for a number to be left alone after a call, whoever has the same there is left alone too, whatever his "
            "number.",
            "example": "debt_id",
        },
    )


class RuleSchema(schemas.Schema):
    """A rule of a policy pack, and its source."""

    kind = schemas.Text(
        required=True,
        metadata={
            "description": "hours, calls, ring_seconds, consent, abandoned, caller_id or cool_off; others may come."
        },
    )
    value = fields.Raw(
        required=True, metadata={"description": "What it asks, as its kind has it (docs/policy-packs.md)."}
    )
    purposes = schemas.Items(schemas.Choice(PURPOSES), required=True)
    regions = schemas.Items(
        fields.String(),
        required=True,
        metadata={"description": "Only there; none is everywhere in the countries."},
    )
    law = schemas.Text(required=True)
    paragraph = schemas.Text(required=True)
    url = schemas.Text(required=True, metadata={"description": "Where it was read."})
    read = schemas.Text(required=True, metadata={"description": "The day on which it was read."})
    pack = schemas.Text(required=True)
    version = schemas.Text(required=True)
    note = schemas.Text(required=True)


class PlacesSchema(schemas.Schema):
    """What binds calls to contacts who are in the same places."""

    places = schemas.Items(
        fields.String(),
        required=True,
        metadata={
            "description": "ISO 3166, `DE` or `US-FL`; of a number that does not tell all that it may belong to, "
            "whose rules bind together."
        },
    )
    rules = schemas.Items(
        schemas.Nested(RuleSchema),
        required=True,
        metadata={
            "description": "The strictest of each kind; hours and caller ids have to suit all of them."
        },
    )


class AbandonedSchema(schemas.Schema):
    """How many of a campaign's calls were abandoned."""

    of = schemas.Choice(
        RATES_OF,
        required=True,
        metadata={
            "description": "The formula: of the calls that somebody answered (live), or of all that were placed "
            "(attempts)."
        },
    )
    hours = schemas.Integer(required=True, metadata={"description": "Within the last so many hours."})
    abandoned = schemas.Integer(
        required=True, metadata={"description": "Somebody answered, and heard no agent in time."}
    )
    calls = schemas.Integer(required=True, metadata={"description": "What that is a part of."})
    percent = fields.Float(required=True, allow_none=True)
    most_percent = fields.Float(
        required=True,
        allow_none=True,
        metadata={
            "description": "Over it, of 30 calls or more, the campaign is paused (blocked_reason abandon_rate) and "
            "cannot be resumed (409). null: no pack that binds it says."
        },
    )
    source = schemas.Text(required=True, allow_none=True, metadata={"description": "Who says so."})


class BindingSchema(schemas.Schema):
    """What policy packs ask of calls to the places of a list."""

    packs = schemas.Choice(CHOICES, required=True)
    purpose = schemas.Choice(PURPOSES, required=True, allow_none=True)
    places = schemas.Items(schemas.Nested(PlacesSchema), required=True)
    advice = schemas.Text(required=True, metadata={"description": "It is no legal advice."})


class PolicySchema(BindingSchema):
    """What policy packs ask of a campaign."""

    abandoned = schemas.Items(
        schemas.Nested(AbandonedSchema),
        required=True,
        metadata={"description": "By both formulas, over 24 hours and 30 days."},
    )
