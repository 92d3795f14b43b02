"""A campaign's retry rules over HTTP, and that its calls go by them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from campaigns.retry_rules import Growth, RetryRule
from dialer.call_rows import open_calls
from dialer.dispatch import plan_rows
from models import Call, db, new_id
from tests.integration.api.site import Site, csv_of

RULES = {
    "busy": {"delay_seconds": 300, "retries": 3},
    "no_answer": {"delay_seconds": 3600, "factor": 1.5, "growth": "linear", "max_delay_seconds": 14_400},
}
READ = {
    "busy": RetryRule(300, retries=3),
    "no_answer": RetryRule(3600, 1.5, Growth.LINEAR, 14_400),
}


def patch(site: Site, campaign_id: str, **body: Any) -> Any:
    return site.request("PATCH", f"/campaigns/{campaign_id}", json=body)


def test_rules_are_kept_by_form_and_json_and_replaced_by_patch(site: Site) -> None:
    form = site.post("/campaigns", data=site.form(csv_of(1), retry_rules=orjson.dumps(RULES).decode()))
    body = site.fields(retry_rules=RULES) | {"contacts": [{"phone_number": "+14155550001"}]}
    for response in (form, site.post("/campaigns", json=body)):
        assert response.status_code == 201, response.text
        assert site.get(f"/campaigns/{response.json['id']}").json["retry_rules"] == RULES
    campaign_id = form.json["id"]
    for rules in ({"rejected": {"retries": 0}}, {}):
        assert patch(site, campaign_id, retry_rules=rules).json["retry_rules"] == rules
    assert patch(site, campaign_id, weight=2).json["retry_rules"] == {}


def test_calls_go_by_the_rules_also_those_that_are_taken_over(site: Site) -> None:
    campaign_id = site.in_state("running")
    patch(site, campaign_id, retry_rules=RULES)
    call_id = new_id()
    site.sql(
        "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, attempt, generation, phone_number, caller_id,"
        " gateway_id, node, dialer_id, sent_by) SELECT %s, 'demo', campaign_id, id, 1, 1, 1, phone_number, 'x', %s,"
        " 'n', 'd1', 'd1' FROM contact WHERE campaign_id = %s LIMIT 1",
        call_id,
        new_id(),
        campaign_id,
    )
    assert plan_rows.running()[campaign_id].retry_rules == READ
    (call,) = open_calls("d1", [str(call_id)])
    assert call.retry_rules == READ
    with db.connection_context():
        Call.delete().where(Call.id == call_id).execute()


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (
            {"busy": {"delay_seconds": 59}},
            "retry_rules.busy.delay_seconds is 59; it must be a whole number from 60",
        ),
        ({"busy": {"factor": 0.5}}, "retry_rules.busy.factor is 0.5; it must be a number from 1 to 10."),
        (
            {"busy": {"growth": "fast"}},
            "retry_rules.busy.growth is 'fast'; it must be one of linear, exponential.",
        ),
        ({"busy": {"retries": 6}}, "retry_rules.busy.retries is 6; it must be a whole number from 0 to 5."),
        (
            {"busy": {"delay_seconds": 300, "max_delay_seconds": 299}},
            "retry_rules.busy.max_delay_seconds is 299; it must be at least delay_seconds, 300.",
        ),
        ({"answered": {}}, "retry_rules.answered is not known here"),
        ([], "retry_rules is []; it must be an object."),
    ],
)
def test_a_rule_that_cannot_be_is_refused_by_field_value_and_rule(
    site: Site, rules: Any, message: str
) -> None:
    form = site.post("/campaigns", data=site.form(csv_of(1), retry_rules=orjson.dumps(rules).decode()))
    for response in (form, patch(site, site.create(1), retry_rules=rules)):
        assert response.status_code == 400
        assert response.text.startswith(message)


def test_a_form_whose_rules_are_no_json_is_refused(site: Site) -> None:
    response = site.post("/campaigns", data=site.form(csv_of(1), retry_rules="{busy"))
    assert (response.status_code, response.text) == (
        400,
        "retry_rules is '{busy'; it must be JSON of an object.",
    )
