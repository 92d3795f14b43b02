"""The policy packs of this release, for whoever wants to see what they ask and where that comes from."""

from __future__ import annotations

from marshmallow import fields

from api import schemas
from api.auth import requires
from api.blueprint import Blueprint
from api.routes.policy_schemas import EXAMPLE_RULE, RuleSchema
from campaigns.policy_packs import ADVICE, packs

blp = Blueprint("policy-packs", description="What the law of a country asks of calls; not legal advice")

EXAMPLE = {
    "packs": [
        {
            "name": "us",
            "version": "2026.11.30",
            "title": "United States",
            "countries": ["US"],
            "rules": [EXAMPLE_RULE],
        }
    ],
    "advice": ADVICE,
}


class PackSchema(schemas.Schema):
    """A policy pack."""

    name = schemas.Text(required=True)
    version = schemas.Text(required=True)
    title = schemas.Text(required=True)
    countries = schemas.Items(fields.String(), required=True, metadata={"description": "ISO 3166"})
    rules = schemas.Items(schemas.Nested(RuleSchema), required=True)


class PacksSchema(schemas.Schema):
    """All packs."""

    packs = schemas.Items(schemas.Nested(PackSchema), required=True)
    advice = schemas.Text(required=True, metadata={"description": "It is no legal advice."})


@blp.route("/policy-packs")
@requires("read")
@blp.response(200, PacksSchema, example=EXAMPLE)
def list_policy_packs() -> dict[str, object]:
    """List policy packs

    What each asks of calls to the numbers of its countries, with law, paragraph and the day on which somebody read
    it. A pack only makes a campaign stricter. Not legal advice: it may be incomplete, out of date or wrong.
    """
    told = [
        {
            "name": pack.name,
            "version": pack.version,
            "title": pack.title,
            "countries": sorted(pack.countries),
            "rules": [rule.told() for rule in pack.rules],
        }
        for pack in packs()
    ]
    return {"packs": told, "advice": ADVICE}
